"""Responses that two readers could take for different ones: refused, or passed on with one meaning (RFC 9110, 9112)."""

from typing import Any

import pytest

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
LENGTH = b"Content-Length: 2\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def response(fields: bytes, body: bytes = b"hi", line: bytes = b"HTTP/1.1 200 OK\r\n") -> bytes:
    return line + fields + b"\r\n" + body


REFUSED_HEADS = {
    "nonsense": b"nonsense\r\n\r\n",
    "TLS": b"\x15\x03\x03\x00\x02\x02\x28",
    "an empty line without a version": b"HTTP 200 OK\r\n\r\n",
    "HTTP/1.2": response(LENGTH, line=b"HTTP/1.2 200 OK\r\n"),
    "HTTP/2": response(LENGTH, line=b"HTTP/2 200 OK\r\n"),
    "a status of two digits": response(LENGTH, line=b"HTTP/1.1 20 X\r\n"),
    "a status of four digits": response(LENGTH, line=b"HTTP/1.1 2000 X\r\n"),
    "a status that is no number": response(LENGTH, line=b"HTTP/1.1 2xx X\r\n"),
    "status 000": response(b"", b"", line=b"HTTP/1.1 000 X\r\n"),
    "status 099": response(b"", b"", line=b"HTTP/1.1 099 X\r\n"),
    "Content-Length and Transfer-Encoding": response(LENGTH + CHUNKED, b"2\r\nhi\r\n0\r\n\r\n"),
    "Transfer-Encoding and Content-Length": response(CHUNKED + LENGTH, b"2\r\nhi\r\n0\r\n\r\n"),
    "two lengths": response(LENGTH + b"Content-Length: 3\r\n"),
    "the same length twice": response(LENGTH + LENGTH),
    "a list of lengths": response(b"Content-Length: 2, 2\r\n"),
    "a length with a plus": response(b"Content-Length: +2\r\n"),
    "a length with a minus": response(b"Content-Length: -2\r\n"),
    "an empty length": response(b"Content-Length:\r\n"),
    "a length that overflows 63 bits": response(b"Content-Length: 9223372036854775808\r\n"),
    "a length that overflows 64 bits": response(b"Content-Length: 18446744073709551618\r\n"),
    "xchunked": response(b"Transfer-Encoding: xchunked\r\n"),
    "gzip": response(b"Transfer-Encoding: gzip\r\n"),
    "gzip, chunked": response(b"Transfer-Encoding: gzip, chunked\r\n", b"2\r\nhi\r\n0\r\n\r\n"),
    "chunked, gzip": response(b"Transfer-Encoding: chunked, gzip\r\n", b"2\r\nhi\r\n0\r\n\r\n"),
    "identity": response(b"Transfer-Encoding: identity\r\n"),
    "chunked twice": response(CHUNKED + CHUNKED, b"2\r\nhi\r\n0\r\n\r\n"),
    "204 with a body's length": response(LENGTH, line=b"HTTP/1.1 204 No Content\r\n"),
    "204 with chunks": response(CHUNKED, b"0\r\n\r\n", line=b"HTTP/1.1 204 No Content\r\n"),
    "100 with a body's length": response(LENGTH, line=b"HTTP/1.1 100 Continue\r\n"),
    "103 with chunks": response(CHUNKED, b"0\r\n\r\n", line=b"HTTP/1.1 103 Early Hints\r\n"),
    "101 that nobody asked for": b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    "bare LF everywhere": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
    "bare LF in a head": response(b"X: a\n" + LENGTH),
    "bare CR in a value": response(b"X: a\rY: b\r\n" + LENGTH),
    "bare CR in the reason": response(LENGTH, line=b"HTTP/1.1 200 a\rb\r\n"),
    "obs-fold": response(b"X: a\r\n b\r\n" + LENGTH),
    "a space before the colon": response(b"X : a\r\n" + LENGTH),
    "NUL in a value": response(b"X: a\x00b\r\n" + LENGTH),
    "a control byte in a value": response(b"X: a\x01b\r\n" + LENGTH),
    "an empty name": response(b": a\r\n" + LENGTH),
    "a delimiter in a name": response(b"X(: a\r\n" + LENGTH),
    "a field without a colon": response(b"X\r\n" + LENGTH),
    "a field of 61 KB": response(b"X: " + b"a" * 61 * 1024 + b"\r\n" + LENGTH),
    "101 fields": response(LENGTH + b"x: 1\r\n" * 100),
    "a head without an end": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000,
}

REFUSED_BODIES = {
    "a size that is no number": b"zz\r\nhi\r\n0\r\n\r\n",
    "a size that overflows": b"10000000000000002\r\nhi\r\n0\r\n\r\n",
    "a size with a space": b"2 \r\nhi\r\n0\r\n\r\n",
    "less data than the size": b"3\r\nhi\r\n0\r\n\r\n",
    "more data than the size": b"1\r\nhi\r\n0\r\n\r\n",
    "bare LF": b"2\nhi\n0\n\n",
    "Content-Length in a trailer": b"2\r\nhi\r\n0\r\nContent-Length: 1\r\n\r\n",
}


@pytest.mark.parametrize("behind", [b"", OK], ids=["alone", "another behind"])
@pytest.mark.parametrize("data", REFUSED_HEADS.values(), ids=REFUSED_HEADS)
def test_a_head_that_could_be_read_in_two_ways_is_refused(parse_responses: Any, data: bytes, behind: bytes) -> None:
    outcome = parse_responses(data + behind)
    assert outcome.error is not None
    assert outcome.events == []


@pytest.mark.parametrize("behind", [b"", OK], ids=["alone", "another behind"])
@pytest.mark.parametrize("body", REFUSED_BODIES.values(), ids=REFUSED_BODIES)
def test_a_body_that_could_be_read_in_two_ways_is_refused(parse_responses: Any, body: bytes, behind: bytes) -> None:
    outcome = parse_responses(response(CHUNKED, body) + behind)
    assert outcome.error is not None
    assert len(outcome.of("head")) == 1
    assert outcome.of("end") == []


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 101 X\r\n\r\n",
        b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\n",
        b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ids=["without Upgrade", "with a length", "with chunks"],
)
def test_a_101_that_says_two_things_is_refused(parse_responses: Any, data: bytes) -> None:
    outcome = parse_responses(data + b"raw", wants_upgrade=True)
    assert outcome.error is not None
    assert outcome.events == []


@pytest.mark.parametrize("behind", [b"H", b"HTTP/1.1 200 OK\r\nContent-Le", b"<html>", b"\r\n\r\nH"])
@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_the_beginning_of_a_second_response_is_refused(parse_responses: Any, method: bytes, behind: bytes) -> None:
    first = OK if method == b"GET" else b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    outcome = parse_responses(first + behind, method=method)
    assert outcome.error is not None
    assert len(outcome.of("end")) == 1


@pytest.mark.parametrize("behind", [b"5", b"5\r\n", b"0\r\n\r\n"])
def test_the_beginning_of_a_body_behind_the_answer_to_a_head_is_refused(parse_responses: Any, behind: bytes) -> None:
    outcome = parse_responses(b"HTTP/1.1 103 Early Hints\r\n\r\n" + response(CHUNKED, behind), method=b"HEAD")
    assert outcome.kinds == ["interim", "head", "end"]
    assert outcome.error is not None


def test_a_flood_of_interim_responses_is_cut_off(parse_responses: Any) -> None:
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    assert parse_responses(hint * 100 + OK).error is None
    outcome = parse_responses(hint * 1000 + OK)
    assert outcome.error is not None
    assert outcome.of("head") == []
    assert len(outcome.of("interim")) < 300


# passed on, with one meaning


def test_blanks_around_a_value_are_no_part_of_it(parse_responses: Any) -> None:
    outcome = parse_responses(response(b"X: a \t\r\nTransfer-Encoding: chunked \r\n", b"2\r\nhi\r\n0\r\n\r\n"))
    assert outcome.of("head")[0].headers[b"x"] == b"a"
    assert outcome.of("body") == [b"hi"]


@pytest.mark.parametrize("length", [b"0002", b"2 \t", b"0" * 30 + b"2"])
def test_a_length_is_passed_on_in_its_shortest_form(parse_responses: Any, length: bytes) -> None:
    outcome = parse_responses(response(b"Content-Length: " + length + b"\r\n"))
    head = outcome.of("head")[0]
    assert (head.content_length, head.headers[b"content-length"]) == (2, b"2")
    assert outcome.kinds == ["head", "body", "end"]


def test_chunks_of_http_10_are_read_and_the_connection_is_not_kept(parse_responses: Any) -> None:
    fields = b"Connection: keep-alive\r\n" + CHUNKED
    outcome = parse_responses(response(fields, b"2\r\nhi\r\n0\r\n\r\n", line=b"HTTP/1.0 200 OK\r\n"))
    assert outcome.of("body") == [b"hi"]
    assert not outcome.of("head")[0].keep_alive


@pytest.mark.parametrize("trailer", [b"Connection: close", b"Transfer-Encoding: gzip"])
def test_the_end_of_a_connection_that_follows_from_a_trailer_is_heard(parse_responses: Any, trailer: bytes) -> None:
    outcome = parse_responses(response(CHUNKED, b"2\r\nhi\r\n0\r\n" + trailer + b"\r\n\r\n"))
    assert outcome.kinds == ["head", "body", "close announced", "end"]
    assert outcome.of("end") == [None]


@pytest.mark.parametrize("forbidden", [b"Set-Cookie: a", b"Connection: x", b"Content-Type: text/html", b"Location: /"])
def test_trailers_that_would_change_the_head_are_dropped(parse_responses: Any, forbidden: bytes) -> None:
    body = b"2\r\nhi\r\n0\r\nGrpc-Status: 0\r\n" + forbidden + b"\r\n\r\n"
    assert parse_responses(response(CHUNKED, body)).of("end")[0].items() == [(b"grpc-status", b"0")]


@pytest.mark.parametrize("fields", [LENGTH, CHUNKED])
def test_a_304_has_no_body_whatever_it_says(parse_responses: Any, fields: bytes) -> None:
    assert parse_responses(response(fields, b"", line=b"HTTP/1.1 304 X\r\n")).kinds == ["head", "end"]
