"""What a request costs in our own code: bytes in, bytes out, without a socket. And its largest parts by themselves."""

from collections.abc import Callable
from typing import Any

import pytest

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.request_parser import RequestParser
from pymesh.proxy.codec.response_parser import PiecewiseSink, ResponseParser
from pymesh.proxy.codec.serializer import STATUS_LINES, write_head
from pymesh.proxy.downstream.request_id import new_request_id
from pymesh.proxy.timers import Timers

Benchmark = Callable[..., Any]

GET = b"GET /1k HTTP/1.1\r\nHost: payment\r\nUser-Agent: curl/8.1\r\nAccept: */*\r\n\r\n"
BROWSER = (
    b"GET /products/1?from=list HTTP/1.1\r\nHost: payment\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"
    b"Accept: text/html,application/xhtml+xml\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, br\r\n"
    b"Cookie: session=0123456789abcdef; theme=dark\r\nConnection: keep-alive\r\nReferer: http://shop/products\r\n"
    b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00\r\nX-Forwarded-For: 10.1.2.3\r\n\r\n"
)
POST = b"POST /orders HTTP/1.1\r\nHost: payment\r\nContent-Length: 16384\r\n\r\n" + b"x" * 16_384
OK = (
    b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Mon, 23 Nov 2026 13:02:01 GMT\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 1024\r\nLast-Modified: Mon, 23 Nov 2026 13:01:59 GMT\r\nConnection: keep-alive\r\n"
    b'ETag: "6b043947-400"\r\nAccept-Ranges: bytes\r\n\r\n' + b"x" * 1024
)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"400\r\n" + b"x" * 1024 + b"\r\n0\r\n\r\n"


class Sink(PiecewiseSink):
    head: Any = None

    def on_request_head(self, head: Any) -> None:
        self.head = head

    def on_request_body(self, data: bytes) -> None: ...

    def on_request_end(self, trailers: HeaderMap | None) -> None: ...

    on_response_head, on_response_body, on_response_end = on_request_head, on_request_body, on_request_end


@pytest.mark.parametrize(
    ("request_bytes", "response_bytes"),
    [(GET, OK), (BROWSER, OK), (POST, OK), (GET, CHUNKED)],
    ids=["get", "get with a browser's head", "post 16 KB", "get chunked"],
)
def test_request_through_the_proxy(
    benchmark: Benchmark, hot_path: Any, request_bytes: bytes, response_bytes: bytes
) -> None:
    path = hot_path(response_bytes)
    benchmark(path.exchange, request_bytes)
    assert path.client.last.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("data", [GET, BROWSER], ids=["3 fields", "10 fields"])
def test_parse_request(benchmark: Benchmark, data: bytes) -> None:
    benchmark(RequestParser(Sink()).feed, data)  # type: ignore[arg-type]


def test_parse_response(benchmark: Benchmark) -> None:
    parser = ResponseParser(Sink())  # type: ignore[arg-type]

    def parse() -> None:
        parser.expect(b"GET")
        parser.feed(OK)

    benchmark(parse)


def test_write_head(benchmark: Benchmark) -> None:
    sink = Sink()
    RequestParser(sink).feed(BROWSER)  # type: ignore[arg-type]
    benchmark(write_head, STATUS_LINES[200], sink.head.headers)


def test_header_map_set_and_get(benchmark: Benchmark) -> None:
    headers = HeaderMap([(b"host", b"payment"), (b"accept", b"*/*")])

    def change() -> None:
        headers.set(b"x-request-id", b"abc")
        headers.get(b"x-request-id")
        headers.remove(b"x-request-id")

    benchmark(change)


def test_request_id(benchmark: Benchmark) -> None:
    benchmark(new_request_id)


def test_timer_start_and_stop(benchmark: Benchmark) -> None:
    class Clock:
        def time(self) -> float:
            return 0.0

        def call_at(self, when: float, callback: Any) -> Any: ...

    queue = Timers(Clock()).queue(300.0, lambda owner: None)
    owner = object()

    def arm() -> None:
        queue.start(owner)
        queue.stop(owner)

    benchmark(arm)
