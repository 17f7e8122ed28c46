"""What is kept of a request to send it again, and what ends the retries; asked of Envoy 1.40 where it has an answer."""

from typing import Any

import pytest

from pymesh.proxy.routing.retry_policy import RetryPolicy
from pymesh.proxy.upstream.circuit_breaker import CircuitBreakerThresholds, RetryBudget
from pymesh.proxy.upstream.transport import ConnectError

GET = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
ON_5XX = RetryPolicy(frozenset(("5xx",)), num_retries=2)
REFUSED = ConnectError("remote connection failure")


def request(method: str, body: bytes = b"") -> bytes:
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"{method} / HTTP/1.1\r\nHost: shop\r\n{length}\r\n".encode() + body


def body_of(message: bytes) -> bytes:
    return message.partition(b"\r\n\r\n")[2]


# the buffer


async def test_a_body_over_the_limit_is_not_sent_again_and_no_limit_of_retries_is_blamed(proxy: Any) -> None:
    proxy.route(proxy.forward(retry_policy=RetryPolicy(frozenset(("5xx",)), num_retries=0), buffer_limit=100))
    client = proxy.connect()
    client.send(request("POST", b"x" * 101))
    (await proxy.server()).send(BUSY)
    assert body_of(client.received) == b"busy"
    assert proxy.info.response_flags == ()


async def test_a_body_of_the_limit_is_sent_again(proxy: Any) -> None:
    proxy.route(proxy.forward(retry_policy=ON_5XX, buffer_limit=100))
    client = proxy.connect()
    client.send(request("POST", b"x" * 100))
    server = await proxy.server()
    server.take()
    server.send(BUSY)
    proxy.clock.advance(0.25)
    assert body_of((await proxy.server()).received) == b"x" * 100


async def test_a_body_that_outgrows_the_limit_during_a_back_off_is_507(proxy: Any) -> None:
    proxy.route(proxy.forward(retry_policy=ON_5XX, buffer_limit=100), host={"include_attempt_count_in_response": True})
    client = proxy.connect()
    whole = request("POST", b"x" * 200)
    client.send(whole[:-150])
    (await proxy.server()).send(BUSY)
    client.send(whole[-150:])
    assert client.received.startswith(b"HTTP/1.1 507 Insufficient Storage\r\n")
    assert b"x-envoy-attempt-count: 1\r\n" in client.received
    assert body_of(client.received) == b"exceeded request buffer limit while retrying upstream"
    assert proxy.info.response_code_details == "request_payload_exceeded_retry_buffer_limit"
    proxy.clock.advance(60.0)
    assert len(proxy.requests) == 1


async def test_an_interim_response_ends_the_retries(proxy: Any) -> None:
    proxy.route(proxy.forward(retry_policy=ON_5XX))
    client = proxy.connect()
    client.send(GET)
    (await proxy.server()).send(HINTS + BUSY)
    assert client.received.startswith(b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 503 ")
    assert (proxy.info.attempt_count, proxy.info.response_flags) == (1, ())


async def test_a_server_that_closes_after_an_interim_response_has_terminated_the_connection(proxy: Any) -> None:
    proxy.route(proxy.forward(retry_policy=ON_5XX))
    client = proxy.connect()
    client.send(GET)
    server = await proxy.server()
    server.send(HINTS)
    server.hang_up()
    assert client.received.startswith(b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 503 ")
    info = proxy.info
    assert (info.response_code, info.response_flags, info.attempt_count) == (503, ("UC",), 1)
    assert info.response_code_details == "upstream_reset_after_response_started{connection_termination}"


async def test_a_policy_without_conditions_retries_nothing(proxy: Any) -> None:
    proxy.route(proxy.forward(retry_policy=RetryPolicy(num_retries=3)))
    client = proxy.connect()
    client.send(GET)
    (await proxy.server()).send(BUSY)
    assert (proxy.info.attempt_count, proxy.info.response_flags) == (1, ())


async def test_a_server_that_found_it_too_early_is_asked_again_at_once(proxy: Any) -> None:
    policy = RetryPolicy(frozenset(("retriable-status-codes",)), retriable_status_codes=frozenset((425,)))
    proxy.route(proxy.forward(retry_policy=policy))
    client = proxy.connect()
    client.send(GET)
    server = await proxy.server()
    server.take()
    server.send(b"HTTP/1.1 425 Too Early\r\nContent-Length: 0\r\n\r\n")
    proxy.clock.advance(0.0)
    assert server.received.startswith(b"GET / ")


# what the answer says of the tries


async def test_the_number_of_tries_stands_in_every_answer_of_the_router(proxy: Any) -> None:
    proxy.route(proxy.forward(retry_policy=ON_5XX), host={"include_attempt_count_in_response": True})
    proxy.refusals = [REFUSED] * 3
    client = proxy.connect()
    client.send(GET)
    for _ in range(4):
        await proxy.settle()
        proxy.clock.advance(0.25)
    assert b"x-envoy-attempt-count: 3\r\n" in client.take()
    assert proxy.info.response_flags == ("URX", "UF")
    client.send(GET)
    (await proxy.server()).send(OK)
    assert b"x-envoy-attempt-count: 1\r\n" in client.received


async def test_retries_may_be_a_share_of_the_requests(proxy: Any) -> None:
    breakers = CircuitBreakerThresholds(max_retries=0, retry_budget=RetryBudget(20.0, min_retry_concurrency=1))
    proxy.add_cluster("shop", "10.0.0.2:80", circuit_breakers=breakers)
    proxy.route(proxy.forward(retry_policy=ON_5XX))
    clients = [proxy.connect() for _ in range(2)]
    for client in clients:
        client.send(GET)
        (await proxy.server()).send(BUSY)
        proxy.servers[-1].take()
    assert clients[0].received == b""
    assert body_of(clients[1].received) == b"busy"
    assert proxy.info.response_flags == ("UO",)


# a kept-alive connection that the server closed meanwhile


async def stale_connection(proxy: Any) -> tuple[Any, Any]:
    client = proxy.connect()
    client.send(GET)
    server = await proxy.server()
    server.send(OK)
    server.take()
    client.take()
    return client, server


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
@pytest.mark.parametrize("body", [b"", b"abc"])
@pytest.mark.parametrize("policy", [None, RetryPolicy(frozenset(("connect-failure",)))])
async def test_an_idempotent_request_is_sent_again(proxy: Any, method: str, body: bytes, policy: Any) -> None:
    proxy.route(proxy.forward(retry_policy=policy))
    client, stale = await stale_connection(proxy)
    client.send(request(method, body))
    stale.take()
    stale.hang_up()
    server = await proxy.server()
    assert server is not stale
    assert server.received.startswith(method.encode())
    assert body_of(server.received) == body
    server.send(OK if method != "HEAD" else OK[:-2])
    assert client.received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert (proxy.info.attempt_count, proxy.info.response_flags) == (1, ())


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize("body", [b"", b"abc"])
async def test_a_request_that_may_have_acted_is_not(proxy: Any, method: str, body: bytes) -> None:
    proxy.route(proxy.forward(retry_policy=RetryPolicy(frozenset(("connect-failure",)))))
    client, stale = await stale_connection(proxy)
    client.send(request(method, body))
    stale.hang_up()
    await proxy.settle()
    assert len(proxy.servers) == 1
    assert client.received.startswith(b"HTTP/1.1 503 ")
    assert proxy.info.response_flags == ("UC",)


async def test_a_response_of_which_a_byte_came_is_not_asked_for_again(proxy: Any) -> None:
    client, stale = await stale_connection(proxy)
    client.send(GET)
    stale.send(b"H")
    stale.hang_up()
    await proxy.settle()
    assert len(proxy.servers) == 1
    assert client.received.startswith(b"HTTP/1.1 50")


async def test_a_fresh_connection_that_is_closed_is_the_servers_answer(proxy: Any) -> None:
    client = proxy.connect()
    client.send(GET)
    (await proxy.server()).hang_up()
    await proxy.settle()
    assert len(proxy.servers) == 1
    assert proxy.info.response_flags == ("UC",)
