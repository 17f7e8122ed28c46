from types import SimpleNamespace
from typing import Any

import pytest

from pymesh.proxy.codec.request_parser import RequestParser

HOST = b"Host: shop\r\n"
SINK = ("on_request_head", "on_request_body", "on_request_end", "on_raw_data")


def test_a_request_without_a_body_is_a_head_and_an_end(parse_requests: Any) -> None:
    outcome = parse_requests(b"GET /a?b=c HTTP/1.1\r\n" + HOST + b"X-Camel: Yes\r\n\r\n")
    head = outcome.of("head")[0]
    assert outcome.error is None
    assert outcome.kinds == ["head", "end"]
    assert (head.method, head.path, head.version) == (b"GET", b"/a?b=c", b"HTTP/1.1")
    assert head.headers.items() == [(b"host", b"shop"), (b"x-camel", b"Yes")]
    assert head.keep_alive
    assert not head.has_body


def test_a_body_of_known_length_comes_before_the_end(parse_requests: Any) -> None:
    outcome = parse_requests(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc")
    assert outcome.of("head")[0].content_length == 3
    assert outcome.events[1:] == [("body", b"abc"), ("end", None)]


def test_chunks_are_joined_and_trailers_are_told_apart_from_headers(parse_requests: Any) -> None:
    outcome = parse_requests(
        b"POST / HTTP/1.1\r\n"
        + HOST
        + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\nX-Sum: 1\r\n\r\n"
    )
    assert outcome.of("body") == [b"abc"]
    assert outcome.of("end")[0].items() == [(b"x-sum", b"1")]
    assert b"x-sum" not in outcome.of("head")[0].headers


def test_what_comes_behind_a_request_is_the_next_request(parse_requests: Any) -> None:
    outcome = parse_requests((b"GET /1 HTTP/1.1\r\n" + HOST + b"\r\n") + (b"GET /2 HTTP/1.1\r\n" + HOST + b"\r\n"))
    assert [head.path for head in outcome.of("head")] == [b"/1", b"/2"]


def test_repeated_fields_keep_all_their_values(parse_requests: Any) -> None:
    outcome = parse_requests(b"GET / HTTP/1.1\r\n" + HOST + b"A: 1\r\nB: 2\r\nA: 3\r\n\r\n")
    headers = outcome.of("head")[0].headers
    assert headers.get_all(b"a") == [b"1", b"3"]
    assert headers.get_joined(b"a") == b"1,3"


def test_an_absolute_target_replaces_host(parse_requests: Any) -> None:
    head = parse_requests(b"GET http://payment:80/x?y HTTP/1.1\r\nHost: other\r\n\r\n").of("head")[0]
    assert (head.scheme, head.path, head.headers[b"host"]) == (b"http", b"/x?y", b"payment:80")


def test_an_absolute_target_without_a_path_means_the_root(parse_requests: Any) -> None:
    assert parse_requests(b"GET http://a?x=1 HTTP/1.1\r\nHost: a\r\n\r\n").of("head")[0].path == b"/?x=1"


def test_connect_has_an_authority_and_no_path_and_then_raw_bytes(parse_requests: Any) -> None:
    outcome = parse_requests(b"CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n\x00\x01")
    head = outcome.of("head")[0]
    assert (head.path, head.headers[b"host"], head.upgrade) == (b"", b"db:5432", b"connect")
    assert outcome.events[1:] == [("end", None), ("raw", b"\x00\x01")]


def test_an_upgrade_is_named_and_what_follows_is_raw(parse_requests: Any) -> None:
    outcome = parse_requests(
        b"GET /ws HTTP/1.1\r\n" + HOST + b"Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\r\n"
    )
    assert outcome.of("head")[0].upgrade == b"websocket"


@pytest.mark.parametrize("upgrade", [b"h2c", b"websocket"])
def test_an_upgrade_with_a_body_is_ignored_and_the_body_is_read(parse_requests: Any, upgrade: bytes) -> None:
    outcome = parse_requests(
        b"POST / HTTP/1.1\r\n"
        + HOST
        + b"Connection: Upgrade\r\nUpgrade: "
        + upgrade
        + b"\r\nContent-Length: 3\r\n\r\nabc"
        b"GET /next HTTP/1.1\r\n" + HOST + b"\r\n"
    )
    assert outcome.error is None
    assert outcome.kinds == ["head", "body", "end", "head", "end"]
    assert outcome.of("head")[0].upgrade == b""
    assert outcome.of("body") == [b"abc"]


def test_h2c_without_a_body_is_an_ordinary_request(parse_requests: Any) -> None:
    outcome = parse_requests(b"GET / HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    assert outcome.kinds == ["head", "end"]


def test_http_10_is_taken_where_it_is_allowed(parse_requests: Any) -> None:
    head = parse_requests(b"GET / HTTP/1.0\r\n" + HOST + b"\r\n").of("head")[0]
    assert (head.version, head.keep_alive) == (b"HTTP/1.0", False)
    assert parse_requests(b"GET / HTTP/1.0\r\n" + HOST + b"\r\n", accept_http_10=False).error.status == 426


def test_http_10_without_a_host_gets_the_default_one(parse_requests: Any) -> None:
    head = parse_requests(b"GET / HTTP/1.0\r\n\r\n", default_host="shop").of("head")[0]
    assert head.headers[b"host"] == b"shop"


def test_nothing_is_heard_after_an_error(parse_requests: Any) -> None:
    outcome = parse_requests(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n" + HOST + b"\r\n")
    assert outcome.events == []


def test_a_long_body_does_not_count_as_a_long_head(parse_requests: Any) -> None:
    body = b"x" * 70_000
    data = (
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 70000\r\n\r\n" + body + b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
    )
    outcome = parse_requests(data)
    assert outcome.error is None
    assert outcome.of("body") == [body]


CHUNKED = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"


def test_too_many_trailers_are_refused(parse_requests: Any) -> None:
    assert parse_requests(CHUNKED + b"t: x\r\n" * 101 + b"\r\n").error.status == 431


def test_an_endless_trailer_is_refused_within_a_read_of_the_limit() -> None:
    parser = RequestParser(SimpleNamespace(**dict.fromkeys(SINK, lambda _: None)))
    reads = [CHUNKED + b"T: ", *[b"x" * 16_384] * 5]
    assert [error.status for error in map(parser.feed, reads) if error is not None] == [431, 431]
