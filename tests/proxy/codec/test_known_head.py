from typing import Any

import pytest
from proxy.codec.conftest import Events

from pymesh.proxy.codec.known_head import PATIENCE, PATIENCE_REGAINED
from pymesh.proxy.codec.request_parser import RequestParser
from pymesh.proxy.codec.response_parser import ResponseParser

GET = b"GET /%b HTTP/1.1\r\nHost: shop\r\nX-Who: %b\r\n\r\n"
POST = b"POST /%b HTTP/1.1\r\nHost: shop\r\nContent-Length: 3\r\n\r\n%b"
OK = b"HTTP/1.1 200 OK\r\nServer: app\r\nContent-Length: 2\r\n\r\n%b"


class Llhttp:
    """In a parser's place of llhttp: counts what it is asked."""

    def __init__(self, parser: Any) -> None:
        self._parser = parser
        self.reads = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)

    def feed_data(self, data: bytes) -> None:
        self.reads += 1
        self._parser.feed_data(data)


class Requests(Events):
    """Of a client who has sent one already."""

    def __init__(self, first: bytes) -> None:
        super().__init__()
        self.parser: Any = RequestParser(self)
        self.parser.feed(first)
        self.llhttp = self.parser._parser = Llhttp(self.parser._parser)
        self.events.clear()

    def feed(self, data: bytes) -> Any:
        return self.parser.feed(data)

    @property
    def paths(self) -> list[bytes]:
        return [head.path for head in self.of("head")]


class Responses(Events):
    """Of a server that has answered once already."""

    def __init__(self, first: bytes) -> None:
        super().__init__()
        self.parser: Any = ResponseParser(self)
        self.exchange(first)
        self.llhttp = self.parser._parser = Llhttp(self.parser._parser)
        self.events.clear()

    def exchange(self, data: bytes, method: bytes = b"GET") -> Any:
        self.parser.expect(method)
        return self.parser.feed(data)


def test_a_request_whose_head_was_there_before_is_not_parsed() -> None:
    client = Requests(GET % (b"1", b"me"))
    assert client.feed(GET % (b"2?x", b"me")) is None
    assert client.llhttp.reads == 0
    head = client.of("head")[0]
    assert (head.method, head.path, head.keep_alive, head.has_body) == (b"GET", b"/2?x", True, False)
    assert head.headers.items() == [(b"host", b"shop"), (b"x-who", b"me")]
    assert client.kinds == ["head", "end"]


def test_what_becomes_of_a_heads_fields_is_not_seen_by_the_next_request() -> None:
    client = Requests(GET % (b"1", b"me"))
    for _ in range(2):
        client.feed(GET % (b"2", b"me"))
        client.of("head")[-1].headers.set(b"x-who", b"the proxy")
    client.feed(GET % (b"3", b"me"))
    assert client.of("head")[-1].headers[b"x-who"] == b"me"


def test_the_body_of_a_known_head_is_handed_on() -> None:
    client = Requests(POST % (b"1", b"abc"))
    client.feed(POST % (b"2", b"xyz"))
    assert client.llhttp.reads == 0
    assert client.of("head")[0].content_length == 3
    assert client.events[1:] == [("body", b"xyz"), ("end", None)]


@pytest.mark.parametrize(
    "second",
    [
        GET % (b"2", b"you"),
        GET % (b"2", b"me") + b"GET ",
        (GET % (b"2", b"me")).replace(b"1.1", b"1.0"),
        (GET % (b"2", b"me")).replace(b"/2", b"http://shop/2"),
        (GET % (b"2", b"me")).replace(b"GET", b"BREW"),
        (GET % (b"2", b"me"))[:-1],
        b"\r\n" + GET % (b"2", b"me"),
    ],
)
def test_any_other_request_is_parsed(second: bytes) -> None:
    client = Requests(GET % (b"1", b"me"))
    client.feed(second)
    assert client.llhttp.reads > 0


@pytest.mark.parametrize(
    "first",
    [
        GET % (b"1", b"me\r\nConnection: close"),
        GET % (b"1", b"me") + GET % (b"2", b"me"),
        GET % (b"1", b"me\r\nX-Who: you"),
        GET % (b"1", b"me") + b"\r\n",
        b"\r\n" + GET % (b"1", b"me"),
        POST % (b"1", b"abc\r\n"),
        POST.replace(b"Content-Length: 3", b"Transfer-Encoding: chunked") % (b"1", b"1\r\na\r\n0\r\n\r\n"),
    ],
)
def test_what_is_not_one_plain_message_is_not_remembered(first: bytes) -> None:
    client = Requests(first)
    assert client.parser._known is None


def test_a_request_that_came_in_parts_does_not_end_what_follows_it() -> None:
    client = Requests(GET % (b"1", b"me"))
    client.feed(b"GET /2 HTTP/1.1\r\nX: ")
    client.feed(GET % (b"3", b"me"))
    client.feed(GET % (b"4", b"me"))
    assert client.paths == [b"/2", b"/4"]
    assert client.of("head")[0].headers[b"x"] == b"GET /3 HTTP/1.1"


def test_a_client_whose_requests_all_differ_is_left_alone_for_a_while() -> None:
    client = Requests(GET % (b"1", b"0"))
    for number in range(1, PATIENCE):
        client.feed(GET % (b"2", b"%d" % number))
    assert client.parser._known is not None
    client.feed(GET % (b"2", b"one more"))
    assert client.parser._known is None
    for _ in range(PATIENCE_REGAINED):
        client.feed(GET % (b"2", b"now the same"))
    assert client.parser._known is not None


def test_a_response_whose_head_was_there_before_is_not_parsed() -> None:
    server = Responses(OK % b"hi")
    assert server.exchange(OK % b"yo") is None
    assert server.llhttp.reads == 0
    head = server.of("head")[0]
    assert (head.status, head.content_length, head.keep_alive) == (200, 2, True)
    assert head.headers.items() == [(b"server", b"app"), (b"content-length", b"2")]
    assert server.events[1:] == [("body", b"yo"), ("end", None)]


def test_a_known_head_that_nobody_asked_for_is_refused() -> None:
    server = Responses(OK % b"hi")
    assert server.parser.feed(OK % b"hi") is not None
    assert server.events == []


def test_a_known_head_does_not_bring_a_body_to_head() -> None:
    server = Responses(OK % b"hi")
    server.exchange(OK % b"", b"HEAD")
    assert server.kinds == ["head", "end"]


def test_bytes_behind_a_known_response_are_refused() -> None:
    server = Responses(OK % b"hi")
    assert server.exchange(OK % b"hi" + b"HTTP/1.1 200 OK\r\n") is not None


def test_a_response_with_blank_lines_behind_it_is_not_remembered() -> None:
    server = Responses(OK % b"hi\r\n")
    assert server.parser._known is None
    server.exchange(OK % b"hi\r\n")
    assert server.of("body") == [b"hi"]


def test_a_304_with_a_length_brings_no_body_the_second_time_either() -> None:
    head = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n"
    server = Responses(head + b"\r\n\r\n")  # blank lines, which are no body
    assert server.exchange(head + b"HTTP") is not None
    assert server.of("body") == []
