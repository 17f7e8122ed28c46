from typing import Any

import pytest

from pymesh.proxy.codec.response_parser import ResponseParser

OK = b"HTTP/1.1 200 Fine\r\nContent-Length: 2\r\n\r\nhi"


class WholeSink:
    """Told of whole responses; of the others by their pieces."""

    def __init__(self) -> None:
        self.whole: list[object] = []
        self.kinds: list[str] = []

    def on_response(self, head: Any, body: bytes, trailers: object) -> None:
        self.whole.append((head.status, body, trailers))

    def on_response_head(self, head: object) -> None:
        self.kinds.append("head")

    def on_response_body(self, data: bytes) -> None:
        if self.kinds[-1] != "body":
            self.kinds.append("body")

    def on_response_end(self, trailers: object) -> None:
        self.kinds.append("end")


def test_a_response_is_head_body_end(parse_responses: Any) -> None:
    outcome = parse_responses(OK)
    head = outcome.of("head")[0]
    assert (head.status, head.content_length, head.keep_alive) == (200, 2, True)
    assert outcome.events[1:] == [("body", b"hi"), ("end", None)]


def test_interim_responses_come_before_the_final_one(parse_responses: Any) -> None:
    outcome = parse_responses(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK)
    assert [head.status for head in outcome.of("interim")] == [100, 103]
    assert outcome.kinds == ["interim", "interim", "head", "body", "end"]


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
)
def test_a_response_to_head_has_no_body_whatever_it_says(parse_responses: Any, data: bytes) -> None:
    outcome = parse_responses(data, method=b"HEAD")
    assert outcome.kinds == ["head", "end"]


def test_bytes_behind_a_response_to_head_are_an_error(parse_responses: Any) -> None:
    outcome = parse_responses(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde", method=b"HEAD")
    assert outcome.error is not None
    assert "body" not in outcome.kinds


@pytest.mark.parametrize("status", [204, 304])
def test_204_and_304_have_no_body(parse_responses: Any, status: int) -> None:
    assert parse_responses(b"HTTP/1.1 %d X\r\n\r\n" % status).kinds == ["head", "end"]


def test_a_body_without_a_length_ends_at_close(parse_responses: Any) -> None:
    data = b"HTTP/1.1 200 OK\r\n\r\nabc"
    assert parse_responses(data).kinds == ["head", "body"]
    outcome = parse_responses(data, eof=True)
    assert outcome.kinds == ["head", "body", "end"]
    assert outcome.of("head")[0].ends_at_close


def test_a_close_within_a_counted_body_does_not_end_it(parse_responses: Any) -> None:
    assert parse_responses(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", eof=True).kinds == ["head", "body"]


def test_trailers_come_with_the_end(parse_responses: Any) -> None:
    outcome = parse_responses(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nGrpc-Status: 0\r\n\r\n"
    )
    assert outcome.of("end")[0].items() == [(b"grpc-status", b"0")]


def test_a_second_response_is_refused(parse_responses: Any) -> None:
    outcome = parse_responses(OK + OK)
    assert outcome.kinds == ["head", "body", "end"]
    assert outcome.error is not None


def test_101_needs_to_have_been_asked_for_and_then_all_is_raw(parse_responses: Any) -> None:
    data = b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x00"
    assert parse_responses(data).error is not None
    outcome = parse_responses(data, wants_upgrade=True)
    assert outcome.events[1:] == [("raw", b"\x81\x00")]
    assert outcome.error is None


@pytest.mark.parametrize(
    "data",
    [
        b"blah blah\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 101 + b"\r\n",
    ],
)
def test_what_is_no_response_is_an_error(parse_responses: Any, data: bytes) -> None:
    assert parse_responses(data).error is not None


@pytest.mark.parametrize(
    ("reads", "told"),
    [
        ([OK], [(200, b"hi", None)]),
        ([b"HTTP/1.1 304 Not Modified\r\n\r\n"], [(304, b"", None)]),
        ([OK[:-1], OK[-1:]], []),  # the first byte does not wait for the second
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n"], []),
    ],
    ids=["head and body", "without a body", "in two reads", "in two chunks"],
)
def test_a_response_that_comes_at_once_is_told_at_once(reads: list[bytes], told: list[object]) -> None:
    sink = WholeSink()
    parser = ResponseParser(sink)
    parser.expect(b"GET")
    for data in reads:
        assert parser.feed(data) is None
    assert sink.whole == told
    assert sink.kinds == ([] if told else ["head", "body", "end"])


def test_what_came_before_an_error_of_the_same_read_is_told() -> None:
    sink = WholeSink()
    parser = ResponseParser(sink)
    parser.expect(b"GET")
    assert parser.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\nnonsense") is not None
    assert sink.kinds == ["head", "body"]
