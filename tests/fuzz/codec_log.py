"""What a parser tells, in a form that can be compared and written again."""

from typing import Any, NamedTuple

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.message import CodecError
from pymesh.proxy.codec.request_parser import RequestParser
from pymesh.proxy.codec.response_parser import PiecewiseSink, ResponseParser


class Log(PiecewiseSink):
    """A sink of both parsers. Adjacent pieces of a body are joined."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []

    def on_request_head(self, head: Any) -> None:
        framing = "chunked" if head.is_chunked else head.content_length
        fields = head.headers.items()
        self.events.append(
            ("head", head.method, head.path, fields, framing, head.upgrade, head.version, head.keep_alive)
        )

    def on_response_head(self, head: Any) -> None:
        framing = "chunked" if head.is_chunked else "close" if head.ends_at_close else head.content_length
        self.events.append(("head", head.status, head.headers.items(), framing, head.keep_alive))

    def on_interim_head(self, head: Any) -> None:
        self.events.append(("interim", head.status, head.headers.items()))

    def on_close_announced(self) -> None:
        self.events.append(("close announced",))

    def on_request_body(self, data: bytes) -> None:
        self._join("body", data)

    def on_raw_data(self, data: bytes) -> None:
        self._join("raw", data)

    def on_request_end(self, trailers: HeaderMap | None) -> None:
        self.events.append(("end", None if trailers is None else trailers.items()))

    on_response_body, on_response_end = on_request_body, on_request_end

    def _join(self, kind: str, data: bytes) -> None:
        if self.events and self.events[-1][0] == kind:
            data = self.events.pop()[1] + data
        self.events.append((kind, data))


class Outcome(NamedTuple):
    events: list[tuple[Any, ...]]
    error: CodecError | None


class Message(NamedTuple):
    """A complete one: its head as in the log, and its body."""

    head: tuple[Any, ...]
    body: bytes
    trailers: Any


def read_requests(pieces: list[bytes]) -> Outcome:
    log = Log()
    return Outcome(log.events, _feed(RequestParser(log), pieces))


def read_response(pieces: list[bytes], method: bytes = b"GET", wants_upgrade: bool = False) -> Outcome:
    """With the end of the connection, where nothing else has ended it."""
    log = Log()
    parser = ResponseParser(log)
    parser.expect(method, wants_upgrade)
    error = _feed(parser, pieces)
    if error is None:
        parser.feed_eof()
    return Outcome(log.events, error)


def read_responses(exchanges: list[tuple[bytes, bytes]], is_forgetful: bool) -> list[tuple[Any, ...]]:
    """What one connection's parser tells of (method, all that came then), up to the first error or unfinished one."""
    log = Log()
    parser = ResponseParser(log)
    for method, data in exchanges:
        if is_forgetful:
            parser._known = None
        parser.expect(method)
        if parser.feed(data) is not None or parser.is_in_message:
            break
    return log.events


def messages(events: list[tuple[Any, ...]]) -> list[Message]:
    """Those that are complete, in order."""
    found, head, body = [], None, b""
    for event in events:
        if event[0] == "head":
            head, body = event, b""
        elif event[0] == "body":
            body = event[1]
        elif event[0] == "end":
            assert head is not None
            found.append(Message(head, body, event[1]))
    return found


def _feed(parser: Any, pieces: list[bytes]) -> CodecError | None:
    for piece in pieces:
        error: CodecError | None = parser.feed(piece)
        if error is not None:
            return error
    return None
