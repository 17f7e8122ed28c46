"""Who gets which connection. Over fake connections, through the router."""

from typing import Any

from pymesh.proxy.upstream.circuit_breaker import CircuitBreakerThresholds
from pymesh.proxy.upstream.outlier_detection import OutlierDetectionConfig
from pymesh.proxy.upstream.transport import ConnectError

GET = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


async def use(proxy: Any, clients: int) -> list[Any]:
    """So many requests at once, each of them answered; the server connections that there are then."""
    busy = [proxy.connect() for _ in range(clients)]
    for client in busy:
        client.send(GET)
    await proxy.settle()
    for server in [server for server in proxy.servers if server.received]:
        server.take()
        server.send(OK)
    return list(proxy.servers)


async def test_the_connection_that_was_used_last_is_taken_first(proxy: Any) -> None:
    _, last = await use(proxy, 2)
    for _ in range(3):
        client = proxy.connect()
        client.send(GET)
        assert last.take() != b""
        last.send(OK)


async def test_a_connection_that_nobody_needs_is_closed_after_the_idle_timeout(proxy: Any) -> None:
    proxy.add_cluster("shop", "10.0.0.2:80", idle_timeout=10.0)
    first, second = await use(proxy, 2)
    proxy.clock.advance(6.0)
    proxy.connect().send(GET)
    second.send(OK)
    proxy.clock.advance(6.0)
    assert (first.is_open, second.is_open) == (False, True)


async def test_a_connection_in_use_has_no_idle_timeout(proxy: Any) -> None:
    proxy.add_cluster("shop", "10.0.0.2:80", idle_timeout=10.0)
    (server,) = await use(proxy, 1)
    proxy.connect().send(GET)
    proxy.clock.advance(60.0)
    assert server.is_open


async def test_a_connection_carries_so_many_requests_and_no_more(proxy: Any) -> None:
    proxy.add_cluster("shop", "10.0.0.2:80", max_requests_per_connection=2)
    await use(proxy, 1)
    (server,) = await use(proxy, 1)
    assert not server.is_open
    assert len(await use(proxy, 1)) == 2


async def test_a_connection_lives_so_long_and_no_longer(proxy: Any) -> None:
    proxy.add_cluster("shop", "10.0.0.2:80", max_connection_duration=10.0)
    (server,) = await use(proxy, 1)
    assert server.is_open
    proxy.clock.advance(10.0)
    assert not server.is_open


async def test_a_connection_whose_time_is_over_ends_with_its_response(proxy: Any) -> None:
    proxy.add_cluster("shop", "10.0.0.2:80", max_connection_duration=10.0)
    client = proxy.connect()
    client.send(GET)
    server = await proxy.server()
    proxy.clock.advance(10.0)
    assert server.is_open
    server.send(OK)
    assert client.received.startswith(b"HTTP/1.1 200")
    assert not server.is_open


async def test_who_finds_no_connection_waits_for_one_to_become_free(proxy: Any) -> None:
    proxy.add_cluster("shop", "10.0.0.2:80", circuit_breakers=CircuitBreakerThresholds(max_connections=1))
    first, second = proxy.connect(), proxy.connect()
    first.send(GET)
    second.send(GET)
    server = await proxy.server()
    assert len(proxy.servers) == 1
    server.send(OK)
    assert (first.received != b"", second.received != b"") == (True, False)
    server.send(OK)
    assert second.received != b""


async def test_a_queue_that_is_full_is_an_overflow(proxy: Any) -> None:
    thresholds = CircuitBreakerThresholds(max_connections=1, max_pending_requests=1)
    proxy.add_cluster("shop", "10.0.0.2:80", circuit_breakers=thresholds)
    clients = [proxy.connect() for _ in range(3)]
    clients[0].send(GET)
    await proxy.settle()
    clients[1].send(GET)
    clients[2].send(GET)
    assert clients[2].received.startswith(b"HTTP/1.1 503 ")
    assert proxy.info.response_flags == ("UO",)


async def test_an_endpoint_may_open_its_first_connection_though_others_have_used_up_the_limit(proxy: Any) -> None:
    thresholds = CircuitBreakerThresholds(max_connections=1)
    proxy.add_cluster("shop", "10.0.0.2:80", "10.0.0.3:80", circuit_breakers=thresholds)
    assert len(await use(proxy, 2)) == 2


async def test_an_endpoint_has_no_more_connections_than_one_may_have(proxy: Any) -> None:
    proxy.add_cluster("shop", "10.0.0.2:80", circuit_breakers=CircuitBreakerThresholds(max_connections_per_host=1))
    first, second = proxy.connect(), proxy.connect()
    first.send(GET)
    second.send(GET)
    server = await proxy.server()
    assert len(proxy.servers) == 1
    assert proxy.clusters.get("shop").circuit_breakers.connections.overflow > 0
    server.send(OK)
    server.send(OK)
    assert second.received != b""


async def test_routes_of_high_priority_have_breakers_and_connections_of_their_own(proxy: Any) -> None:
    none = CircuitBreakerThresholds(max_requests=0)
    proxy.add_cluster("shop", "10.0.0.2:80", circuit_breakers=none)
    proxy.route(proxy.forward("/high", is_high_priority=True), proxy.forward())
    ordinary, high = proxy.connect(), proxy.connect()
    ordinary.send(GET)
    assert ordinary.received.startswith(b"HTTP/1.1 503 ")
    high.send(GET.replace(b" / ", b" /high "))
    (await proxy.server()).send(OK)
    assert high.received.startswith(b"HTTP/1.1 200 ")
    cluster = proxy.clusters.get("shop")
    breakers = cluster.high_priority_breakers
    assert (breakers.connections.active, breakers.requests.active, breakers.pending_requests.active) == (1, 0, 0)
    assert cluster.circuit_breakers.connections.active == 0
    (described,) = cluster.describe()["endpoints"]
    assert (described["cx_active"], described["rq_total"]) == (1, 1)
    cluster.close()
    await proxy.settle()
    assert breakers.connections.active == 0


async def test_a_server_that_closes_its_idle_connection_is_forgotten(proxy: Any) -> None:
    (server,) = await use(proxy, 1)
    server.hang_up()
    assert proxy.clusters.get("shop").circuit_breakers.connections.active == 0
    assert len(await use(proxy, 1)) == 2


async def test_when_one_of_many_connects_fails_all_who_wait_hear_of_it(proxy: Any) -> None:
    proxy.refusals = [ConnectError("remote connection failure")]
    clients = [proxy.connect(), proxy.connect()]
    for client in clients:
        client.send(GET)
    await proxy.settle()
    assert [client.received[:12] for client in clients] == [b"HTTP/1.1 503"] * 2


async def test_an_endpoint_that_leaves_closes_what_is_idle_and_lets_the_rest_finish(proxy: Any) -> None:
    idle, busy = await use(proxy, 2)
    client = proxy.connect()
    client.send(GET)
    assert busy.take() != b""
    proxy.add_cluster("shop", "10.0.0.5:80")
    await proxy.settle()
    assert (idle.is_open, busy.is_open) == (False, True)
    busy.send(OK)
    assert client.received.startswith(b"HTTP/1.1 200 ")
    await proxy.settle()
    assert not busy.is_open


async def test_an_endpoint_that_is_ejected_is_spoken_to_over_new_connections_afterwards(proxy: Any) -> None:
    detection = OutlierDetectionConfig(consecutive_5xx=1, max_ejection_percent=100)
    cluster = proxy.add_cluster("shop", "10.0.0.2:80", outlier_detection=detection)
    idle, in_use, failing = await use(proxy, 3)
    slow, client = proxy.connect(), proxy.connect()
    slow.send(GET)
    client.send(GET)
    assert (idle.received, in_use.take() != b"", failing.take() != b"") == (b"", True, True)
    in_use, failing = failing, in_use  # last in, first out
    failing.send(OK.replace(b"200 OK", b"500 No"))
    await proxy.settle()
    assert client.received.startswith(b"HTTP/1.1 500 ")
    assert [server for server in proxy.servers if server.is_open] == [in_use]
    in_use.send(OK)
    await proxy.settle()
    assert slow.received.startswith(b"HTTP/1.1 200 ")
    assert not in_use.is_open
    assert cluster.circuit_breakers.connections.active == 0
    assert cluster.describe()["endpoints"][0]["rq_total"] == 5
