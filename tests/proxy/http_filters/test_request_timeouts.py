"""Every timeout of a request and of a try, by a clock that the test moves. Answers and flags are those of Envoy."""

from typing import Any

import pytest

from pymesh.proxy.routing.retry_policy import RetryPolicy

GET = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 3\r\n\r\nabc"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy"
UPSTREAM_TIMEOUT = b"upstream request timeout"


def body_of(message: bytes) -> bytes:
    return message.partition(b"\r\n\r\n")[2]


def expected_timeout(message: bytes) -> int:
    return int(message.partition(b"x-envoy-expected-rq-timeout-ms: ")[2].partition(b"\r\n")[0])


def outcome(proxy: Any) -> tuple[int, tuple[str, ...], str]:
    return proxy.info.response_code, proxy.info.response_flags, proxy.info.response_code_details


async def test_the_per_try_timeout_is_told_to_the_server_as_the_one_to_expect(proxy: Any) -> None:
    policy = RetryPolicy(frozenset(("5xx",)), per_try_timeout=0.5)
    proxy.route(proxy.forward(timeout=2.0, retry_policy=policy))
    client = proxy.connect()
    client.send(GET)
    assert expected_timeout((await proxy.server()).received) == 500


async def test_a_later_try_is_told_how_much_is_left(proxy: Any) -> None:
    policy = RetryPolicy(frozenset(("5xx",)), num_retries=2, per_try_timeout=1.5)
    proxy.route(proxy.forward(timeout=2.0, retry_policy=policy))
    client = proxy.connect()
    client.send(GET)
    server = await proxy.server()
    server.take()
    proxy.clock.advance(1.0)
    server.send(BUSY)
    proxy.clock.advance(0.25)
    assert expected_timeout((await proxy.server()).take()) == 987  # 2 s - 1 s - half of 25 ms


async def test_the_timeout_of_the_whole_goes_on_over_all_tries(proxy: Any) -> None:
    policy = RetryPolicy(frozenset(("reset",)), num_retries=9, per_try_timeout=0.9)
    proxy.route(proxy.forward(timeout=2.0, retry_policy=policy))
    client = proxy.connect()
    client.send(GET)
    for _ in range(20):
        await proxy.settle()
        proxy.clock.advance(0.1)
    assert outcome(proxy) == (504, ("UT",), "response_timeout")
    assert proxy.info.attempt_count == 3
    assert body_of(client.received) == UPSTREAM_TIMEOUT


async def test_the_timeout_of_the_whole_ends_a_back_off(proxy: Any) -> None:
    policy = RetryPolicy(frozenset(("5xx",)), base_interval=10.0, max_interval=10.0)
    proxy.route(proxy.forward(timeout=1.0, retry_policy=policy))
    client = proxy.connect()
    client.send(GET)
    (await proxy.server()).send(BUSY)
    proxy.clock.advance(1.0)
    assert outcome(proxy) == (504, ("UT",), "response_timeout")
    proxy.clock.advance(60.0)
    assert len(proxy.requests) == 1


async def test_the_per_try_timeout_does_not_run_while_the_connection_is_opened(proxy: Any) -> None:
    policy = RetryPolicy(frozenset(("reset",)), num_retries=0, per_try_timeout=1.0)
    proxy.route(proxy.forward(retry_policy=policy))
    proxy.is_connecting = False
    client = proxy.connect()
    client.send(GET)
    await proxy.settle()
    proxy.clock.advance(30.0)
    assert client.received == b""


async def test_the_per_try_timeout_waits_for_the_whole_request(proxy: Any) -> None:
    policy = RetryPolicy(frozenset(("reset",)), num_retries=0, per_try_timeout=1.0)
    proxy.route(proxy.forward(retry_policy=policy))
    client = proxy.connect()
    client.send(POST[:-1])
    await proxy.server()
    proxy.clock.advance(30.0)
    assert client.received == b""
    client.send(POST[-1:])
    proxy.clock.advance(1.0)
    assert outcome(proxy) == (504, ("URX", "UT"), "upstream_per_try_timeout")


async def test_a_response_that_has_begun_is_beyond_the_per_try_timeout(proxy: Any) -> None:
    policy = RetryPolicy(frozenset(("reset",)), per_try_timeout=1.0)
    proxy.route(proxy.forward(retry_policy=policy))
    client = proxy.connect()
    client.send(GET)
    server = await proxy.server()
    server.send(OK[:-1])
    proxy.clock.advance(60.0)
    server.send(OK[-1:])
    assert body_of(client.received) == b"hi"


@pytest.mark.parametrize("retry_on", ["connect-failure", "reset-before-request", "retriable-4xx"])
async def test_conditions_that_mean_no_reset_do_not_retry_a_slow_try(proxy: Any, retry_on: str) -> None:
    policy = RetryPolicy(frozenset((retry_on,)), per_try_timeout=1.0)
    proxy.route(proxy.forward(retry_policy=policy))
    client = proxy.connect()
    client.send(GET)
    await proxy.server()
    proxy.clock.advance(1.0)
    assert outcome(proxy) == (504, ("UT",), "upstream_per_try_timeout")


async def test_a_try_without_a_byte_for_too_long_is_made_again(proxy: Any) -> None:
    policy = RetryPolicy(frozenset(("reset",)), per_try_idle_timeout=1.0)
    proxy.route(proxy.forward(retry_policy=policy))
    client = proxy.connect()
    client.send(GET)
    slow = await proxy.server()
    slow.take()
    proxy.clock.advance(1.25)
    server = await proxy.server()
    assert server is not slow
    server.send(OK)
    assert body_of(client.received) == b"hi"


async def test_a_response_that_flows_is_not_idle_and_one_that_stops_is_cut(proxy: Any) -> None:
    policy = RetryPolicy(frozenset(("reset",)), per_try_idle_timeout=1.0)
    proxy.route(proxy.forward(retry_policy=policy))
    client = proxy.connect()
    client.send(GET)
    server = await proxy.server()
    server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
    for _ in range(5):
        proxy.clock.advance(0.9)
        server.send(b"x")
    assert proxy.requests == []
    proxy.clock.advance(1.0)
    assert outcome(proxy) == (200, ("UT",), "upstream_per_try_idle_timeout")
    assert not client.is_open


async def test_a_routes_longest_stream_is_504(proxy: Any) -> None:
    proxy.route(proxy.forward(max_stream_duration=2.0))
    client = proxy.connect()
    client.send(GET)
    await proxy.server()
    proxy.clock.advance(2.0)
    assert outcome(proxy) == (504, (), "max_duration_timeout")
    assert body_of(client.received) == b"downstream duration timeout"


async def test_the_longest_stream_cuts_a_response_that_still_flows(proxy: Any) -> None:
    proxy.route(proxy.forward(), max_stream_duration=2.0)
    client = proxy.connect()
    client.send(GET)
    server = await proxy.server()
    server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
    for _ in range(4):
        server.send(b"x")
        proxy.clock.advance(0.5)
    assert outcome(proxy) == (200, (), "max_duration_timeout")
    assert not client.is_open


async def test_a_route_may_lift_the_longest_stream(proxy: Any) -> None:
    proxy.route(proxy.forward(max_stream_duration=0.0), max_stream_duration=2.0)
    client = proxy.connect()
    client.send(GET)
    server = await proxy.server()
    proxy.clock.advance(60.0)
    server.send(OK)
    assert body_of(client.received) == b"hi"


async def test_streams_that_ended_leave_no_timer_of_any_kind(proxy: Any) -> None:
    policy = RetryPolicy(frozenset(("reset",)), per_try_timeout=1.0, per_try_idle_timeout=1.0)
    route = proxy.forward(timeout=3.0, retry_policy=policy, idle_timeout=4.0, upstream_stream_duration=6.0)
    proxy.route(route, max_stream_duration=5.0, request_timeout=7.0)
    client = proxy.connect()
    client.send(POST)
    (await proxy.server()).send(OK)
    assert body_of(client.received) == b"hi"
    proxy.clock.advance(100.0)
    assert len(proxy.requests) == 1
    assert client.is_open


async def test_the_timeout_begins_with_the_requests_end_even_where_the_response_has_begun(proxy: Any) -> None:
    proxy.route(proxy.forward(timeout=2.0))
    client = proxy.connect()
    client.send(POST[:-1])
    server = await proxy.server()
    server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
    proxy.clock.advance(60.0)
    client.send(POST[-1:])
    proxy.clock.advance(1.9)
    assert proxy.requests == []
    proxy.clock.advance(0.1)
    assert outcome(proxy) == (200, ("UT",), "response_timeout")


async def test_a_slow_server_is_told_of_in_the_response(proxy: Any) -> None:
    client = proxy.connect()
    client.send(POST[:-1])
    server = await proxy.server()
    proxy.clock.advance(5.0)
    client.send(POST[-1:])
    proxy.clock.advance(0.5)
    server.send(OK)
    assert b"x-envoy-upstream-service-time: 500\r\n" in client.received


async def test_a_response_before_the_end_of_the_request_tells_no_time_and_is_the_last(proxy: Any) -> None:
    client = proxy.connect()
    client.send(POST[:-1])
    server = await proxy.server()
    server.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    assert b"x-envoy-upstream-service-time" not in client.received
    assert b"connection: close\r\n" in client.received
    client.send(POST[-1:])
    assert server.received.endswith(b"abc")
    server.send(b"2\r\nde\r\n0\r\n\r\n")
    assert client.received.endswith(b"2\r\nde\r\n0\r\n\r\n")
    await proxy.settle()
    assert not client.is_open


# what an internal request says of them

INTERNAL: dict[str, Any] = {"use_remote_address": True, "internal_networks": ("10.0.0.0/8",)}


def get(*fields: bytes) -> bytes:
    return GET[:-2] + b"".join(field + b"\r\n" for field in fields) + b"\r\n"


@pytest.fixture
def internal(proxy: Any) -> Any:
    proxy.route(proxy.forward(timeout=15.0), obeys_requests=True, **INTERNAL)
    return proxy


async def test_an_internal_request_says_how_long_it_waits(internal: Any) -> None:
    client = internal.connect()
    client.send(get(b"X-Envoy-Upstream-Rq-Timeout-Ms: 200"))
    server = await internal.server()
    assert expected_timeout(server.received) == 200
    assert b"x-envoy-upstream-rq-timeout-ms" not in server.received
    internal.clock.advance(0.2)
    assert outcome(internal) == (504, ("UT",), "response_timeout")


async def test_an_internal_request_may_want_204_for_a_timeout(internal: Any) -> None:
    client = internal.connect()
    client.send(get(b"x-envoy-upstream-rq-timeout-ms: 200", b"x-envoy-upstream-rq-timeout-alt-response: 1"))
    await internal.server()
    internal.clock.advance(0.2)
    assert outcome(internal) == (204, ("UT",), "response_timeout")
    assert client.received.startswith(b"HTTP/1.1 204 No Content\r\n")
    assert body_of(client.received) == b""


async def test_an_internal_request_may_limit_the_time_of_its_stream(internal: Any) -> None:
    client = internal.connect()
    client.send(get(b"x-envoy-upstream-stream-duration-ms: 300"))
    await internal.server()
    internal.clock.advance(0.3)
    assert outcome(internal) == (504, ("UMSDR",), "upstream_max_stream_duration_reached")
    assert body_of(client.received) == b"upstream max stream duration reached"


async def test_an_internal_request_says_what_is_retried_and_how_often(internal: Any) -> None:
    client = internal.connect()
    client.send(get(b"x-envoy-retry-on: 5xx", b"x-envoy-max-retries: 2"))
    for _ in range(3):
        (await internal.server()).send(BUSY)
        internal.clock.advance(0.25)
    assert (internal.info.attempt_count, internal.info.response_flags) == (3, ("URX",))


async def test_an_external_requests_wishes_go_unheard(internal: Any) -> None:
    client = internal.connect(remote_address="8.8.8.8:1")
    client.send(get(b"x-envoy-retry-on: 5xx", b"x-envoy-upstream-rq-timeout-ms: 200"))
    server = await internal.server()
    assert expected_timeout(server.received) == 15000
    server.send(BUSY)
    assert internal.info.attempt_count == 1
