"""A hundred thousand chunks of a byte or two, both ways: they cost time and memory as bytes do, not as messages do."""

import time
import tracemalloc
from typing import Any

import pytest

from pymesh.proxy.routing.retry_policy import RetryPolicy

CHUNKS = 100_000
READ = b"2\r\nxy\r\n" * 1000
POST = b"POST / HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
SECONDS = 10.0  # of CPU; it takes a tenth of this


async def test_a_response_of_tiny_chunks_is_passed_on(proxy: Any) -> None:
    client = proxy.connect()
    client.send(GET)
    server = await proxy.server()
    began = time.process_time()
    server.send(ANSWER)
    received, writes = client.take(), client.writes
    for _ in range(CHUNKS // 1000):
        server.send(READ)
        received += client.take()
    server.send(b"0\r\n\r\n")
    received += client.take()
    assert time.process_time() - began < SECONDS
    assert received.endswith(READ * (CHUNKS // 1000) + b"0\r\n\r\n")
    assert client.writes - writes <= CHUNKS // 1000 + 1
    assert proxy.info.bytes_sent == 2 * CHUNKS


@pytest.mark.parametrize("retry_policy", [None, RetryPolicy(frozenset(("5xx",)))])
async def test_a_request_of_tiny_chunks_is_passed_on(proxy: Any, retry_policy: RetryPolicy | None) -> None:
    proxy.route(proxy.forward(retry_policy=retry_policy))
    client = proxy.connect()
    client.send(POST)
    server = await proxy.server()
    server.take()
    began = time.process_time()
    tracemalloc.start()
    sent = b""
    for _ in range(CHUNKS // 1000):
        client.send(READ)
        sent += server.take()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    client.send(b"0\r\n\r\n")
    assert time.process_time() - began < SECONDS
    assert sent == READ * (CHUNKS // 1000)
    assert peak < 5_000_000  # `sent` twice, and what is kept of the body to send it again
    server.send(OK)
    assert proxy.info.bytes_received == 2 * CHUNKS


async def test_a_request_of_tiny_chunks_is_sent_again_whole(proxy: Any) -> None:
    proxy.route(proxy.forward(retry_policy=RetryPolicy(frozenset(("5xx",)))))
    client = proxy.connect()
    client.send(POST)
    server = await proxy.server()
    for _ in range(CHUNKS // 1000):
        client.send(READ)
    client.send(b"0\r\n\r\n")
    server.take()
    server.send(BUSY)
    proxy.clock.advance(0.25)
    body = (await proxy.server()).take().partition(b"\r\n\r\n")[2]
    assert unchunked(body) == b"xy" * CHUNKS
    server.send(OK)
    assert client.received.startswith(b"HTTP/1.1 200 OK\r\n")


def unchunked(body: bytes) -> bytes:
    pieces = []
    while body:
        size, _, body = body.partition(b"\r\n")
        pieces.append(body[: int(size, 16)])
        body = body[int(size, 16) + 2 :]
    return b"".join(pieces)
