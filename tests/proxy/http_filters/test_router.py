"""From a route to an endpoint and back, over fake connections."""

from typing import Any

import pytest

from pymesh.proxy.http_filters import router
from pymesh.proxy.http_filters.live_router import Router
from pymesh.proxy.matchers.path_matcher import PathMatcher
from pymesh.proxy.routing.hash_policy import HashPolicy
from pymesh.proxy.routing.header_mutations import HeaderChange, HeaderMutations, HeaderValueOption
from pymesh.proxy.routing.path_rewrite import PrefixRewrite
from pymesh.proxy.routing.redirect import RedirectAction
from pymesh.proxy.routing.retry_policy import RetryPolicy
from pymesh.proxy.routing.route import Mirror, Route, RouteMatcher
from pymesh.proxy.upstream.circuit_breaker import CircuitBreakerThresholds
from pymesh.proxy.upstream.transport import ConnectError

GET = b"GET /a?b HTTP/1.1\r\nHost: shop\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 3\r\n\r\nabc"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy"
REFUSED = ConnectError("remote connection failure", "delayed_connect_error:_Connection_refused")
ON_5XX = RetryPolicy(frozenset(("5xx",)), num_retries=2)
ISTIO = RetryPolicy(frozenset(("connect-failure", "refused-stream")), num_retries=2, avoid_previous_hosts=True)


def body_of(message: bytes) -> bytes:
    return message.partition(b"\r\n\r\n")[2]


def fields_of(message: bytes) -> dict[bytes, bytes]:
    lines = message.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    return dict(line.split(b": ", 1) for line in lines)  # type: ignore[misc]


# failures


async def test_an_unknown_cluster_is_503_nc(proxy: Any) -> None:
    proxy.route(proxy.forward(cluster="nope"))
    client = proxy.connect()
    client.send(GET)
    assert client.received.startswith(b"HTTP/1.1 503 ")
    assert body_of(client.received) == b""
    assert (proxy.info.response_flags, proxy.info.response_code_details) == (("NC",), "cluster_not_found")


async def test_a_cluster_without_endpoints_is_503_uh(proxy: Any) -> None:
    proxy.add_cluster("empty")
    proxy.route(proxy.forward(cluster="empty"))
    client = proxy.connect()
    client.send(GET)
    assert body_of(client.received) == b"no healthy upstream"
    assert (proxy.info.response_flags, proxy.info.upstream_cluster) == (("UH",), "empty")


async def test_a_refused_connection_is_503_uf_with_the_reason(proxy: Any) -> None:
    proxy.refusals = [REFUSED]
    client = proxy.connect()
    client.send(GET)
    await proxy.settle()
    assert body_of(client.received) == (
        b"upstream connect error or disconnect/reset before headers. reset reason: remote connection failure"
    )
    info = proxy.info
    assert info.response_flags == ("UF",)
    assert info.response_code_details == (
        "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}"
    )
    assert info.upstream_transport_failure_reason == "delayed_connect_error:_Connection_refused"
    assert info.upstream_host.address == "10.0.0.2:80"
    assert client.is_open


async def test_a_server_that_closes_before_it_answers_is_503_uc(proxy: Any) -> None:
    client = proxy.connect()
    client.send(GET)
    (await proxy.server()).hang_up()
    assert body_of(client.received).endswith(b"reset reason: connection termination")
    assert proxy.info.response_flags == ("UC",)


async def test_nonsense_from_the_server_is_502(proxy: Any) -> None:
    client = proxy.connect()
    client.send(GET)
    server = await proxy.server()
    server.send(b"nonsense\r\n\r\n")
    assert client.received.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert body_of(client.received).endswith(b"reset reason: protocol error")
    assert proxy.info.response_flags == ("UPE",)
    assert not server.is_open


async def test_half_a_response_ends_in_a_close(proxy: Any) -> None:
    client = proxy.connect()
    client.send(GET)
    server = await proxy.server()
    server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
    server.hang_up()
    assert body_of(client.received) == b"abc"
    assert not client.is_open
    info = proxy.info
    assert (info.response_code, info.response_flags) == (200, ("UPE",))
    assert info.response_code_details == "upstream_reset_after_response_started{protocol_error}"


async def test_half_a_head_is_502(proxy: Any) -> None:
    client = proxy.connect()
    client.send(GET)
    server = await proxy.server()
    server.send(b"HTTP/1.1 200 OK\r\nContent-Le")
    server.hang_up()
    assert client.received.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert proxy.info.response_flags == ("UPE",)
    assert client.is_open


async def test_bytes_behind_a_response_never_become_another_ones(proxy: Any) -> None:
    client = proxy.connect()
    client.send(GET)
    server = await proxy.server()
    server.send(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    assert body_of(client.take()) == b"hi"
    assert not server.is_open
    client.send(GET)
    other = await proxy.server()
    assert other is not server
    other.send(OK)
    assert body_of(client.received) == b"hi"


async def test_bytes_on_an_idle_connection_close_it(proxy: Any) -> None:
    client = proxy.connect()
    client.send(GET)
    server = await proxy.server()
    server.send(OK)
    server.send(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    assert not server.is_open


# timeouts


async def test_the_routes_timeout_is_504_ut(proxy: Any) -> None:
    proxy.route(proxy.forward(timeout=2.0))
    client = proxy.connect()
    client.send(GET)
    server = await proxy.server()
    assert fields_of(server.received)[b"x-envoy-expected-rq-timeout-ms"] == b"2000"
    proxy.clock.advance(2.0)
    assert client.received.startswith(b"HTTP/1.1 504 Gateway Timeout\r\n")
    assert body_of(client.received) == b"upstream request timeout"
    assert (proxy.info.response_flags, proxy.info.response_code_details) == (("UT",), "response_timeout")
    await proxy.settle()
    assert not server.is_open
    assert client.is_open


async def test_the_timeout_begins_when_the_request_is_complete(proxy: Any) -> None:
    proxy.route(proxy.forward(timeout=2.0))
    client = proxy.connect()
    client.send(POST[:-1])
    await proxy.server()
    proxy.clock.advance(10.0)
    assert client.received == b""
    client.send(b"c")
    proxy.clock.advance(2.0)
    assert client.received.startswith(b"HTTP/1.1 504 ")


async def test_a_timeout_within_a_response_cuts_it(proxy: Any) -> None:
    proxy.route(proxy.forward(timeout=2.0))
    client = proxy.connect()
    client.send(GET)
    (await proxy.server()).send(OK[:-1])
    proxy.clock.advance(2.0)
    assert not client.is_open
    assert proxy.info.response_flags == ("UT",)


async def test_a_finished_request_leaves_no_timer(proxy: Any) -> None:
    proxy.route(proxy.forward(timeout=2.0))
    client = proxy.connect()
    client.send(GET)
    (await proxy.server()).send(OK)
    proxy.clock.advance(60.0)
    assert len(proxy.requests) == 1
    assert client.is_open


# retries


async def test_a_failed_connect_is_tried_at_another_endpoint(proxy: Any) -> None:
    proxy.add_cluster("shop", "10.0.0.2:80", "10.0.0.3:80")
    proxy.route(proxy.forward(retry_policy=ISTIO))
    proxy.refusals = [REFUSED]
    client = proxy.connect()
    client.send(GET)
    await proxy.settle()
    assert client.received == b""
    proxy.clock.advance(0.025)
    server = await proxy.server()
    assert fields_of(server.received)[b"x-envoy-attempt-count"] == b"2"
    server.send(OK)
    assert body_of(client.received) == b"hi"
    assert (proxy.info.attempt_count, proxy.info.response_flags) == (2, ())
    assert proxy.info.upstream_host.address == server.address


async def test_retries_end_with_urx_and_the_last_failure(proxy: Any) -> None:
    proxy.route(proxy.forward(retry_policy=ISTIO))
    proxy.refusals = [REFUSED] * 3
    client = proxy.connect()
    client.send(GET)
    for _ in range(4):
        await proxy.settle()
        proxy.clock.advance(0.25)
    assert b"retried and the latest reset reason: remote connection failure" in client.received
    assert proxy.info.attempt_count == 3
    assert set(proxy.info.response_flags) == {"UF", "URX"}
    assert proxy.refusals == []


async def test_a_plain_503_is_not_retried_by_istios_default(proxy: Any) -> None:
    proxy.route(proxy.forward(retry_policy=ISTIO))
    client = proxy.connect()
    client.send(GET)
    (await proxy.server()).send(BUSY)
    assert body_of(client.received) == b"busy"
    assert proxy.info.attempt_count == 1


async def test_a_5xx_is_retried_with_the_whole_body_on_the_same_connection(proxy: Any) -> None:
    proxy.route(proxy.forward(retry_policy=ON_5XX))
    client = proxy.connect()
    client.send(POST)
    server = await proxy.server()
    server.take()
    server.send(BUSY)
    proxy.clock.advance(0.25)
    assert body_of(server.received) == b"abc"
    assert len(proxy.servers) == 1
    server.send(OK)
    assert body_of(client.received) == b"hi"


async def test_the_last_5xx_is_the_answer_and_is_flagged_urx(proxy: Any) -> None:
    proxy.route(proxy.forward(retry_policy=ON_5XX))
    client = proxy.connect()
    client.send(GET)
    for _ in range(3):
        (await proxy.server()).send(BUSY)
        proxy.clock.advance(0.25)
    assert body_of(client.received) == b"busy"
    assert (proxy.info.attempt_count, proxy.info.response_flags) == (3, ("URX",))
    assert proxy.info.response_code_details == "via_upstream"


async def test_a_client_that_a_slow_try_held_up_is_read_again_for_the_next_one(proxy: Any) -> None:
    proxy.route(proxy.forward(retry_policy=ON_5XX))
    client = proxy.connect()
    client.send(POST[:-1])
    slow = await proxy.server()
    slow.protocol.pause_writing()
    assert not client.is_reading
    slow.hang_up()
    proxy.clock.advance(0.25)
    server = await proxy.server()
    assert client.is_reading
    client.send(POST[-1:])
    assert body_of(server.received) == b"abc"


async def test_a_body_longer_than_the_buffer_is_sent_once(proxy: Any) -> None:
    proxy.route(proxy.forward(retry_policy=ON_5XX))
    client = proxy.connect()
    client.send(b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 2000000\r\n\r\n")
    server = await proxy.server()
    client.send(b"x" * 2_000_000)
    server.send(BUSY)
    assert body_of(client.received) == b"busy"


async def test_retries_are_limited_by_the_cluster(proxy: Any) -> None:
    proxy.add_cluster("shop", "10.0.0.2:80", circuit_breakers=CircuitBreakerThresholds(max_retries=0))
    proxy.route(proxy.forward(retry_policy=ON_5XX))
    client = proxy.connect()
    client.send(GET)
    (await proxy.server()).send(BUSY)
    assert body_of(client.received) == b"busy"
    assert proxy.info.response_flags == ("UO",)


async def test_a_try_that_takes_too_long_is_made_again(proxy: Any) -> None:
    policy = RetryPolicy(frozenset(("5xx",)), num_retries=1, per_try_timeout=1.0)
    proxy.route(proxy.forward(retry_policy=policy))
    client = proxy.connect()
    client.send(GET)
    slow = await proxy.server()
    slow.take()
    proxy.clock.advance(1.25)
    server = await proxy.server()
    assert server is not slow
    assert not slow.is_open
    server.send(OK)
    assert body_of(client.received) == b"hi"
    proxy.clock.advance(5.0)
    assert len(proxy.requests) == 1


async def test_the_last_try_that_takes_too_long_is_504_ut(proxy: Any) -> None:
    policy = RetryPolicy(frozenset(("reset",)), num_retries=0, per_try_timeout=1.0)
    proxy.route(proxy.forward(retry_policy=policy))
    client = proxy.connect()
    client.send(GET)
    await proxy.server()
    proxy.clock.advance(1.0)
    assert client.received.startswith(b"HTTP/1.1 504 ")
    assert set(proxy.info.response_flags) == {"UT", "URX"}


async def test_a_client_that_leaves_during_the_back_off_ends_the_retries(proxy: Any) -> None:
    proxy.route(proxy.forward(retry_policy=ON_5XX))
    client = proxy.connect()
    client.send(GET)
    server = await proxy.server()
    server.take()
    server.send(BUSY)
    client.hang_up()
    proxy.clock.advance(1.0)
    assert server.received == b""
    assert proxy.clusters.get("shop").circuit_breakers.retries.active == 0


# a kept-alive connection that the server closed meanwhile


async def test_a_get_on_a_stale_connection_is_sent_again_on_a_fresh_one(proxy: Any) -> None:
    client = proxy.connect()
    client.send(GET)
    stale = await proxy.server()
    stale.send(OK)
    stale.take()
    client.take()
    client.send(GET)
    stale.take()
    stale.hang_up()
    server = await proxy.server()
    assert server is not stale
    server.send(OK)
    assert body_of(client.received) == b"hi"
    assert proxy.info.attempt_count == 1


async def test_a_post_on_a_stale_connection_is_not_repeated(proxy: Any) -> None:
    client = proxy.connect()
    client.send(POST)
    stale = await proxy.server()
    stale.send(OK)
    client.take()
    client.send(POST)
    stale.hang_up()
    await proxy.settle()
    assert client.received.startswith(b"HTTP/1.1 503 ")
    assert proxy.info.response_flags == ("UC",)


async def test_a_get_is_sent_again_only_once(proxy: Any) -> None:
    client = proxy.connect()
    client.send(GET)
    stale = await proxy.server()
    stale.send(OK)
    stale.take()
    client.take()
    client.send(GET)
    stale.take()
    stale.hang_up()
    (await proxy.server()).hang_up()
    assert client.received.startswith(b"HTTP/1.1 503 ")


# limits


async def test_too_many_requests_are_503_uo(proxy: Any) -> None:
    proxy.add_cluster("shop", "10.0.0.2:80", circuit_breakers=CircuitBreakerThresholds(max_requests=1))
    first, second = proxy.connect(), proxy.connect()
    first.send(GET)
    await proxy.server()
    second.send(GET)
    assert fields_of(second.received)[b"x-envoy-overloaded"] == b"true"
    assert body_of(second.received).endswith(b"reset reason: overflow")
    assert proxy.info.response_flags == ("UO",)


async def test_everything_that_was_taken_is_given_back(proxy: Any) -> None:
    proxy.route(proxy.forward(retry_policy=ON_5XX, timeout=5.0))
    client = proxy.connect()
    for response in (BUSY, OK, b"nonsense", BUSY, BUSY, BUSY):
        client.send(GET)
        for _ in range(4):
            server = await proxy.server()
            if server.is_open and server.received:
                server.take()
                server.send(response)
            proxy.clock.advance(0.25)
    client.hang_up()
    await proxy.settle()
    cluster = proxy.clusters.get("shop")
    breakers = cluster.circuit_breakers
    assert [r.active for r in (breakers.requests, breakers.pending_requests, breakers.retries)] == [0, 0, 0]
    assert breakers.connections.active == sum(server.is_open for server in proxy.servers)
    assert proxy.info.upstream_host.active_requests == 0


# what a route does to a head


async def test_a_prefix_rewrite_keeps_the_query_and_tells_the_original(proxy: Any) -> None:
    proxy.route(proxy.forward(prefix="/a", path_rewrite=PrefixRewrite(2, b"/z")))
    client = proxy.connect()
    client.send(GET)
    server = await proxy.server()
    assert server.received.startswith(b"GET /z?b HTTP/1.1\r\n")
    assert fields_of(server.received)[b"x-envoy-original-path"] == b"/a?b"
    server.send(OK)
    assert proxy.info.path == b"/a?b"


async def test_a_host_rewrite_reaches_the_server(proxy: Any) -> None:
    proxy.route(proxy.forward(host_rewrite=b"other"))
    client = proxy.connect()
    client.send(GET)
    assert fields_of((await proxy.server()).received)[b"host"] == b"other"


async def test_header_mutations_apply_both_ways(proxy: Any) -> None:
    request = HeaderMutations((HeaderChange((b"accept",), (HeaderValueOption(b"x-a", "1"),)),))
    response = HeaderMutations((HeaderChange((b"x-secret",), (HeaderValueOption(b"x-b", "%RESPONSE_CODE%"),)),))
    route = proxy.forward()
    changed = Route("changed", route.match, route.action, request_headers=request, response_headers=response)
    proxy.route(changed)
    client = proxy.connect()
    client.send(b"GET / HTTP/1.1\r\nHost: shop\r\nAccept: x\r\n\r\n")
    server = await proxy.server()
    assert fields_of(server.received)[b"x-a"] == b"1"
    assert b"accept" not in fields_of(server.received)
    server.send(b"HTTP/1.1 200 OK\r\nX-Secret: 1\r\nContent-Length: 0\r\n\r\n")
    assert b"x-b" in fields_of(client.received)
    assert b"x-secret" not in fields_of(client.received)


async def test_a_post_without_a_body_says_so(proxy: Any) -> None:
    client = proxy.connect()
    client.send(b"POST / HTTP/1.1\r\nHost: shop\r\n\r\n")
    assert fields_of((await proxy.server()).received)[b"content-length"] == b"0"


async def test_a_redirect_answers_with_a_location(proxy: Any) -> None:
    action = RedirectAction(code=302, path=b"/x")
    proxy.route(Route("moved", RouteMatcher(PathMatcher("prefix", "/")), action))
    client = proxy.connect()
    client.send(GET)
    assert client.received.startswith(b"HTTP/1.1 302 Found\r\nlocation: http://shop/x?b\r\n")


async def test_the_time_that_the_server_took_is_told(proxy: Any) -> None:
    client = proxy.connect()
    client.send(GET)
    (await proxy.server()).send(OK)
    assert fields_of(client.received)[b"x-envoy-upstream-service-time"].isdigit()


async def test_a_client_without_the_cookie_gets_one(proxy: Any) -> None:
    policy = HashPolicy("cookie", b"user", ttl=60.0)
    proxy.route(proxy.forward(hash_policies=(policy,)))
    client = proxy.connect()
    client.send(GET)
    (await proxy.server()).send(OK)
    assert fields_of(client.received)[b"set-cookie"].startswith(b'user="')
    client.take()
    client.send(GET[:-2] + b"Cookie: user=1\r\n\r\n")
    (await proxy.server()).send(OK)
    assert b"set-cookie" not in client.received


async def test_envoys_headers_can_be_left_out(proxy: Any) -> None:
    proxy.route(proxy.forward(timeout=2.0))
    proxy.use_filters(Router(router.RouterConfig(suppress_envoy_headers=True), proxy.context))
    client = proxy.connect()
    client.send(GET)
    server = await proxy.server()
    server.send(OK)
    assert b"x-envoy-expected" not in server.received
    assert b"x-envoy" not in client.received


# mirrors


async def test_a_mirror_gets_a_copy_and_its_answer_is_dropped(proxy: Any) -> None:
    proxy.add_cluster("shadow", "10.0.0.9:80")
    proxy.route(proxy.forward(mirrors=(Mirror("shadow"),)))
    client = proxy.connect()
    client.send(POST)
    await proxy.settle()
    mirror, server = sorted(proxy.servers, key=lambda item: item.address, reverse=True)
    assert fields_of(mirror.received)[b"host"] == b"shop-shadow"
    assert body_of(mirror.received) == b"abc"
    assert fields_of(server.received)[b"host"] == b"shop"
    mirror.send(b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n")
    server.send(OK)
    assert body_of(client.received) == b"hi"
    assert len(proxy.requests) == 1
    assert proxy.clusters.get("shadow").circuit_breakers.requests.active == 0
    assert mirror.is_open


@pytest.mark.parametrize(("chance", "copies"), [(0.2, 1), (0.3, 0)])
async def test_a_mirror_gets_its_share(proxy: Any, chance: float, copies: int) -> None:
    proxy.chance = chance
    proxy.route(proxy.forward(mirrors=(Mirror("shop", 25.0, append_shadow_suffix=False),)))
    client = proxy.connect()
    client.send(GET)
    await proxy.settle()
    assert sum(b"GET" in server.received for server in proxy.servers) == 1 + copies


async def test_a_mirror_that_cannot_be_reached_harms_nobody(proxy: Any) -> None:
    proxy.add_cluster("empty")
    proxy.route(proxy.forward(mirrors=(Mirror("empty"), Mirror("nope"))))
    client = proxy.connect()
    client.send(GET)
    (await proxy.server()).send(OK)
    assert body_of(client.received) == b"hi"


# upgrades

WEBSOCKET = b"GET /ws HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


async def test_a_websocket_becomes_a_tunnel(proxy: Any) -> None:
    proxy.route(proxy.forward(upgrades=frozenset(("websocket",))))
    client = proxy.connect()
    client.send(WEBSOCKET)
    server = await proxy.server()
    assert fields_of(server.take())[b"connection"] == b"Upgrade"
    server.send(SWITCHING)
    await proxy.settle()
    assert client.take().startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    client.send(b"ping")
    server.send(b"pong")
    assert (server.received, client.received) == (b"ping", b"pong")
    server.hang_up()
    assert not client.is_open
    info = proxy.info
    assert (info.response_code, info.bytes_received, info.bytes_sent) == (101, 4, 4)
    assert info.response_flags == ("UC",)
    assert len(proxy.requests) == 1


@pytest.mark.parametrize("leave", ["end", "hang_up"])
async def test_a_client_that_ends_a_websocket_has_left(proxy: Any, leave: str) -> None:
    proxy.route(proxy.forward(upgrades=frozenset(("websocket",))))
    client = proxy.connect()
    client.send(WEBSOCKET)
    server = await proxy.server()
    server.send(SWITCHING)
    await proxy.settle()
    getattr(client, leave)()
    await proxy.settle()
    assert not server.is_open
    assert (proxy.info.response_code, proxy.info.response_flags) == (101, ("DC",))


async def test_an_upgrade_may_take_longer_than_its_route_allows_requests(proxy: Any) -> None:
    policy = RetryPolicy(frozenset(("5xx",)), per_try_timeout=1.0)
    proxy.route(proxy.forward(upgrades=frozenset(("websocket",)), timeout=2.0, retry_policy=policy))
    client = proxy.connect()
    client.send(WEBSOCKET)
    server = await proxy.server()
    proxy.clock.advance(60.0)
    server.send(SWITCHING)
    await proxy.settle()
    proxy.clock.advance(60.0)
    assert client.received.startswith(b"HTTP/1.1 101 ")
    assert b"x-envoy-upstream-service-time" not in client.received
    assert client.is_open


@pytest.mark.parametrize(("stream_idle_timeout", "lasts"), [(300.0, False), (0.0, True)])
async def test_an_hours_silence_ends_a_websocket_where_streams_may_not_be_idle(
    proxy: Any, stream_idle_timeout: float, lasts: bool
) -> None:
    proxy.route(proxy.forward(upgrades=frozenset(("websocket",))), stream_idle_timeout=stream_idle_timeout)
    client = proxy.connect()
    client.send(WEBSOCKET)
    server = await proxy.server()
    server.send(SWITCHING)
    await proxy.settle()
    for _ in range(3):
        proxy.clock.advance(299.0)
        client.send(b"still here")
    proxy.clock.advance(3600.0)
    assert client.is_open == lasts
    if lasts:
        server.take()
        client.send(b"ping")
        assert server.received == b"ping"
    else:
        assert (proxy.info.response_flags, proxy.info.response_code_details) == (("SI",), "stream_idle_timeout")


async def test_a_slow_end_of_a_websocket_stops_the_other(proxy: Any) -> None:
    proxy.route(proxy.forward(upgrades=frozenset(("websocket",))))
    client = proxy.connect()
    client.send(WEBSOCKET)
    server = await proxy.server()
    server.send(SWITCHING)
    await proxy.settle()
    client.protocol.pause_writing()
    assert not server.is_reading
    client.protocol.resume_writing()
    assert server.is_reading
    server.protocol.pause_writing()
    assert not client.is_reading
    server.protocol.resume_writing()
    assert client.is_reading


async def test_a_route_may_refuse_what_the_listener_lets_through(proxy: Any) -> None:
    route = proxy.forward(refused_upgrades=frozenset(("websocket",)))
    proxy.route(route, upgrades=frozenset(("websocket",)))
    client = proxy.connect()
    client.send(WEBSOCKET)
    assert client.received.startswith(b"HTTP/1.1 403 Forbidden\r\n")


async def test_bytes_behind_an_upgrade_request_wait_for_the_answer(proxy: Any) -> None:
    proxy.route(proxy.forward(upgrades=frozenset(("websocket",))))
    client = proxy.connect()
    client.send(WEBSOCKET + b"early")
    server = await proxy.server()
    assert not client.is_reading
    assert b"early" not in server.take()
    server.send(SWITCHING + b"hello")
    await proxy.settle()
    assert server.received == b"early"
    assert client.received.endswith(b"hello")
    assert client.is_reading


async def test_a_refused_upgrade_is_an_ordinary_response_and_the_last(proxy: Any) -> None:
    proxy.route(proxy.forward(upgrades=frozenset(("websocket",))))
    client = proxy.connect()
    client.send(WEBSOCKET + b"smuggled")
    server = await proxy.server()
    server.send(OK)
    await proxy.settle()
    assert body_of(client.received) == b"hi"
    assert b"smuggled" not in server.received
    assert not client.is_open or client.has_ended
    assert not server.is_open


async def test_an_upgrade_that_no_route_allows_is_403(proxy: Any) -> None:
    client = proxy.connect()
    client.send(WEBSOCKET)
    assert client.received.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert proxy.info.response_code_details == "upgrade_failed"


CONNECT = b"CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n"


@pytest.fixture
def connecting(proxy: Any) -> Any:
    action = proxy.forward(is_connect=True).action
    proxy.route(Route("tunnel", RouteMatcher(PathMatcher("connect_matcher", "")), action))
    return proxy


async def test_connect_opens_a_tcp_tunnel(connecting: Any) -> None:
    client = connecting.connect()
    client.send(CONNECT)
    server = await connecting.server()
    assert client.take().startswith(b"HTTP/1.1 200 OK\r\n")
    client.send(b"\x00ping")
    server.send(b"\x01pong")
    assert (server.received, client.received) == (b"\x00ping", b"\x01pong")
    client.hang_up()
    await connecting.settle()
    assert not server.is_open
    assert (connecting.info.response_code, connecting.info.bytes_sent) == (200, 5)


async def test_connect_to_nobody_is_503(connecting: Any) -> None:
    connecting.refusals = [REFUSED]
    client = connecting.connect()
    client.send(CONNECT)
    await connecting.settle()
    assert client.received.startswith(b"HTTP/1.1 503 ")
    assert connecting.info.response_flags == ("UF",)
    assert connecting.clusters.get("shop").circuit_breakers.connections.active == 0


async def test_a_connect_client_that_has_said_all_hears_the_rest(connecting: Any) -> None:
    client = connecting.connect()
    client.send(CONNECT)
    server = await connecting.server()
    client.take()
    client.send(b"ping")
    client.end()
    assert server.has_ended
    server.send(b"pong")
    assert client.received == b"pong"
    server.end()
    await connecting.settle()
    assert not client.is_open
    assert not server.is_open
    info = connecting.info
    assert (info.bytes_received, info.bytes_sent, info.response_flags) == (4, 4, ())
    assert len(connecting.requests) == 1


async def test_a_connect_server_that_has_said_all_hears_the_rest(connecting: Any) -> None:
    client = connecting.connect()
    client.send(CONNECT)
    server = await connecting.server()
    server.send(b"bye")
    server.end()
    assert client.has_ended
    client.send(b"more")
    assert server.received == b"more"
    client.end()
    await connecting.settle()
    assert not client.is_open
    assert not server.is_open
    assert connecting.clusters.get("shop").circuit_breakers.connections.active == 0


async def test_a_slow_end_of_a_connect_tunnel_stops_the_other(connecting: Any) -> None:
    client = connecting.connect()
    client.send(CONNECT)
    server = await connecting.server()
    client.protocol.pause_writing()
    assert not server.is_reading
    client.protocol.resume_writing()
    assert server.is_reading
    server.protocol.pause_writing()
    assert not client.is_reading
    server.protocol.resume_writing()
    assert client.is_reading
