"""Sinks that remember, and the three ways in which bytes may come."""

from collections.abc import Callable
from typing import Any

import pytest

from pymesh.proxy.codec.message import CodecError
from pymesh.proxy.codec.request_parser import RequestParser
from pymesh.proxy.codec.response_parser import PiecewiseSink, ResponseParser


class Events(PiecewiseSink):
    """What a parser has told: ("head", head), ("body", bytes joined), ("end", trailers), ("raw", bytes)."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []

    def _add(self, kind: str, value: Any) -> None:
        if kind in ("body", "raw") and self.events and self.events[-1][0] == kind:
            value = self.events.pop()[1] + value
        self.events.append((kind, value))

    def on_request_head(self, head: Any) -> None:
        self._add("head", head)

    def on_request_body(self, data: bytes) -> None:
        self._add("body", data)

    def on_request_end(self, trailers: Any) -> None:
        self._add("end", trailers)

    on_response_head, on_response_body, on_response_end = on_request_head, on_request_body, on_request_end

    def on_interim_head(self, head: Any) -> None:
        self._add("interim", head)

    def on_close_announced(self) -> None:
        self._add("close announced", None)

    def on_raw_data(self, data: bytes) -> None:
        self._add("raw", data)

    def of(self, kind: str) -> list[Any]:
        return [value for name, value in self.events if name == kind]

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.events]


class Outcome(Events):
    error: CodecError | None = None


def _whole(parser: Any, data: bytes) -> CodecError | None:
    error: CodecError | None = parser.feed(data)
    return error


def _byte_by_byte(parser: Any, data: bytes) -> CodecError | None:
    for i in range(len(data)):
        error: CodecError | None = parser.feed(data[i : i + 1])
        if error is not None:
            return error
    return None


@pytest.fixture(params=[_whole, _byte_by_byte], ids=["whole", "byte by byte"])
def feed(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def parse_requests(feed: Any) -> Callable[..., Outcome]:
    def parse(data: bytes, **options: Any) -> Outcome:
        outcome = Outcome()
        outcome.error = feed(RequestParser(outcome, **options), data)
        return outcome

    return parse


@pytest.fixture
def parse_responses(feed: Any) -> Callable[..., Outcome]:
    def parse(data: bytes, method: bytes = b"GET", wants_upgrade: bool = False, eof: bool = False) -> Outcome:
        outcome = Outcome()
        parser = ResponseParser(outcome)
        parser.expect(method, wants_upgrade)
        outcome.error = feed(parser, data)
        if eof:
            parser.feed_eof()
        return outcome

    return parse
