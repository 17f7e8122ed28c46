"""Any bytes are messages or an error, never an exception; how they are cut into reads changes nothing."""

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.request_parser import RequestParser
from pymesh.proxy.codec.response_parser import ResponseParser
from pymesh.proxy.codec.serializer import write_head, write_last_chunk


class Log:
    """Events in a form that can be compared, adjacent pieces of a body joined."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []

    def on_request_head(self, head: Any) -> None:
        self.events.append(("head", head.method, head.path, head.headers.items(), head.content_length, head.upgrade))

    def on_response_head(self, head: Any) -> None:
        self.events.append(("head", head.status, head.headers.items(), head.content_length, head.ends_at_close))

    def on_interim_head(self, head: Any) -> None:
        self.events.append(("interim", head.status))

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


FRAGMENTS = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\n",
        b"POST /x HTTP/1.1\r\n",
        b"CONNECT a:1 HTTP/1.1\r\n",
        b"GET http://a/b HTTP/1.0\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n",
        b"Host: a\r\n",
        b"Content-Length: 3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: upgrade\r\nUpgrade: websocket\r\n",
        b"Connection: close\r\n",
        b"\r\n",
        b"\n",
        b"abc",
        b"3\r\nabc\r\n",
        b"0\r\n\r\n",
        b"0\r\nT: 1\r\n\r\n",
        b"X: \x00\r\n",
        b" ",
    ]
)
BYTES = st.lists(st.one_of(FRAGMENTS, FRAGMENTS, FRAGMENTS, st.binary(max_size=8)), max_size=14).map(b"".join)
CUTS = st.lists(st.integers(0, 200), max_size=12)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    return [data[start:end] for start, end in pairwise(edges)]


def run_request(parts: list[bytes]) -> tuple[list[Any], bool]:
    log = Log()
    parser = RequestParser(log)
    errors = [parser.feed(part) for part in parts]
    return log.events, any(error is not None for error in errors)


def run_response(parts: list[bytes]) -> tuple[list[Any], bool]:
    log = Log()
    parser = ResponseParser(log)
    parser.expect(b"GET")
    errors = [parser.feed(part) for part in parts]
    return log.events, any(error is not None for error in errors)


@settings(max_examples=300, deadline=None)
@given(BYTES, CUTS)
def test_cutting_a_request_differently_changes_nothing(data: bytes, cuts: list[int]) -> None:
    assert run_request([data] if data else []) == run_request(pieces(data, cuts))


@settings(max_examples=300, deadline=None)
@given(BYTES, CUTS)
def test_cutting_a_response_differently_changes_nothing(data: bytes, cuts: list[int]) -> None:
    assert run_response([data] if data else []) == run_response(pieces(data, cuts))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), CUTS)
def test_any_bytes_are_messages_or_an_error(data: bytes, cuts: list[int]) -> None:
    run_request(pieces(data, cuts))
    run_response(pieces(data, cuts))


TOKENS = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=10).map(str.encode)
VALUES = st.text("abc ;=/0189", max_size=20).map(lambda text: text.strip().encode())
RESERVED = {b"host", b"connection", b"upgrade", b"te"}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(TOKENS, VALUES), max_size=12), st.lists(st.binary(min_size=1, max_size=50), max_size=5))
def test_what_is_written_is_read_back(pairs: list[tuple[bytes, bytes]], chunks: list[bytes]) -> None:
    headers = HeaderMap([(b"host", b"a"), *(pair for pair in pairs if pair[0] not in RESERVED)])
    headers.set(b"transfer-encoding", b"chunked")
    data = write_head(b"POST /x HTTP/1.1\r\n", headers)
    data += b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + write_last_chunk(None)
    events, failed = run_request([data])
    assert not failed
    assert events[0][3] == headers.items()
    assert b"".join(event[1] for event in events if event[0] == "body") == b"".join(chunks)
