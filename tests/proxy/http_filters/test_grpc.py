"""What the router does for gRPC: deadlines, retries by status, ejection. Over fake connections, by HTTP/1.1."""

from typing import Any

import pytest

from pymesh.proxy.routing.retry_policy import RetryPolicy
from pymesh.proxy.upstream.outlier_detection import OutlierDetectionConfig

CALL = b"POST /demo.Greeter/Hello HTTP/1.1\r\nHost: shop\r\nContent-Type: %b\r\n%bContent-Length: 2\r\n\r\nhi"
UNAVAILABLE = b"HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nGrpc-Status: 14\r\nContent-Length: 0\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def call(timeout: bytes = b"", content_type: bytes = b"application/grpc") -> bytes:
    return CALL % (content_type, b"Grpc-Timeout: %b\r\n" % timeout if timeout else b"")


async def ask(proxy: Any, message: bytes) -> tuple[Any, Any]:
    client = proxy.connect()
    client.send(message)
    return client, await proxy.server()


@pytest.mark.parametrize(
    ("timeout", "longest", "expected"),
    [(b"2S", 0.0, 2.0), (b"9S", 3.0, 3.0), (b"1S", 3.0, 1.0), (b"nonsense", 3.0, 3.0)],
)
async def test_the_deadline_of_a_call_is_its_timeout_up_to_the_longest(
    proxy: Any, timeout: bytes, longest: float, expected: float
) -> None:
    proxy.route(proxy.forward(timeout=longest or None, max_grpc_timeout=longest))
    client, server = await ask(proxy, call(timeout))
    assert b"grpc-timeout: %dm\r\n" % (expected * 1000) in server.received
    proxy.clock.advance(expected - 0.1)
    assert client.received == b""
    proxy.clock.advance(0.2)
    assert proxy.info.response_flags == ("UT",)


async def test_the_server_is_told_how_long_a_try_may_take(proxy: Any) -> None:
    policy = RetryPolicy(frozenset({"unavailable"}), per_try_timeout=0.5)
    proxy.route(proxy.forward(timeout=None, max_grpc_timeout=0.0, retry_policy=policy))
    _, server = await ask(proxy, call(b"2S"))
    assert b"grpc-timeout: 500m\r\n" in server.received


async def test_a_deadline_is_nothing_to_a_request_that_is_not_of_grpc(proxy: Any) -> None:
    proxy.route(proxy.forward(max_grpc_timeout=0.0))
    client, server = await ask(proxy, call(b"1S", b"text/plain"))
    proxy.clock.advance(10.0)
    server.send(OK)
    assert b"200 OK" in client.received


async def test_without_max_grpc_timeout_the_routes_timeout_holds(proxy: Any) -> None:
    proxy.route(proxy.forward(timeout=5.0))
    client, _ = await ask(proxy, call(b"1S"))
    proxy.clock.advance(2.0)
    assert client.received == b""


@pytest.mark.parametrize(("longest", "expected"), [(0.0, 2.0), (1.0, 1.0)])
async def test_the_deadline_may_be_the_longest_duration_of_the_stream(
    proxy: Any, longest: float, expected: float
) -> None:
    proxy.route(proxy.forward(grpc_timeout_header_max=longest))
    client, server = await ask(proxy, call(b"2S"))
    assert b"grpc-timeout: %dm\r\n" % (expected * 1000) in server.received
    proxy.clock.advance(expected - 0.1)
    assert client.received == b""
    proxy.clock.advance(0.2)
    assert proxy.info.response_code_details == "max_duration_timeout"


async def test_a_call_without_a_deadline_has_none(proxy: Any) -> None:
    proxy.route(proxy.forward(grpc_timeout_header_max=0.0))
    client, server = await ask(proxy, call())
    proxy.clock.advance(100.0)
    server.send(OK)
    assert b"200 OK" in client.received


@pytest.mark.parametrize(
    ("status", "condition"),
    [(1, "cancelled"), (4, "deadline-exceeded"), (8, "resource-exhausted"), (13, "internal"), (14, "unavailable")],
)
async def test_a_call_is_tried_again_by_the_status_of_a_response_without_body(
    proxy: Any, status: int, condition: str
) -> None:
    proxy.route(proxy.forward(retry_policy=RetryPolicy(frozenset({condition}))))
    client, server = await ask(proxy, call())
    server.take()
    server.send(UNAVAILABLE.replace(b"14", b"%d" % status))
    proxy.clock.advance(1.0)
    assert server.take().startswith(b"POST /demo.Greeter/Hello")
    server.send(OK)
    assert b"200 OK" in client.received


async def test_the_status_of_a_call_counts_for_ejection_as_one_of_http(proxy: Any) -> None:
    detection = OutlierDetectionConfig(consecutive_5xx=1, max_ejection_percent=100)
    cluster = proxy.add_cluster("shop", "10.0.0.2:80", outlier_detection=detection)
    _, server = await ask(proxy, call(content_type=b"text/plain"))
    server.send(UNAVAILABLE)
    assert not cluster.endpoints[0].is_ejected
    _, server = await ask(proxy, call())
    server.send(UNAVAILABLE)
    assert cluster.endpoints[0].is_ejected
