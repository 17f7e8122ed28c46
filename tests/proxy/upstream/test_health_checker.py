"""Checks over fake connections and a fake clock: what is asked, and what the cluster makes of the answers."""

import asyncio
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from pymesh.proxy.matchers.string_matcher import StringMatcher
from pymesh.proxy.routing.header_mutations import HeaderChange, HeaderMutations, HeaderValueOption
from pymesh.proxy.tls.secrets import SecretStore
from pymesh.proxy.upstream.cluster_config import ClusterConfig
from pymesh.proxy.upstream.cluster_manager import ClusterManager
from pymesh.proxy.upstream.endpoint import ClusterLoadAssignment, Endpoint, EndpointConfig, HealthCheckAddress
from pymesh.proxy.upstream.health_check import HealthCheckConfig, HttpCheck, TcpCheck
from pymesh.proxy.upstream.health_checker import check_target
from pymesh.proxy.upstream.load_balancer import NO_CONTEXT
from pymesh.proxy.upstream.outlier_detection import OutlierDetectionConfig
from pymesh.proxy.upstream.transport import ConnectError

A, B = EndpointConfig("10.0.0.1", 80), EndpointConfig("10.0.0.2", 80)
HTTP = HealthCheckConfig(
    HttpCheck("/healthz"),
    timeout=2,
    interval=10,
    unhealthy_threshold=2,
    healthy_threshold=2,
    unhealthy_interval=10,
    unhealthy_edge_interval=10,
    healthy_edge_interval=10,
    no_traffic_interval=10,
    no_traffic_healthy_interval=10,
)
TCP = replace(HTTP, check=TcpCheck())
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
SICK = b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n"


class Wire:
    """The server's end of a connection."""

    def __init__(self, protocol: Any, address: str) -> None:
        self.protocol = protocol
        self.address = address
        self.received = b""
        self.is_open = True

    def get_extra_info(self, name: str) -> Any:
        return ("127.0.0.1", 40000) if name == "sockname" else None

    def write(self, data: bytes) -> None:
        self.received += data

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            self.protocol.connection_lost(None)

    abort = close

    def answer(self, data: bytes) -> None:
        self.received = b""
        self.protocol.data_received(data)


class World:
    """A cluster `shop` whose checks go over wires; `refuses` are the addresses that nobody listens at."""

    def __init__(self, clock: Any, tasks: Any = None) -> None:
        self.clock = clock
        self.wires: list[Wire] = []
        self.refuses: set[str] = set()
        self.hangs = False
        self.chance = 0.0
        self.manager = ClusterManager(
            SecretStore(), clock=clock, connector=self._connect, random_value=lambda: self.chance
        )

    async def _connect(self, cluster: Any, endpoint: Any, factory: Any) -> Any:
        if endpoint.address in self.refuses:
            raise ConnectError("remote connection failure")
        if self.hangs:
            await asyncio.Event().wait()
        wire = Wire(factory(), endpoint.address)
        wire.protocol.connection_made(wire)
        self.wires.append(wire)
        return wire

    def apply(self, check: HealthCheckConfig | None = HTTP, *members: EndpointConfig, **fields: Any) -> Any:
        assignment = ClusterLoadAssignment("shop", members or (A, B))
        config = ClusterConfig(
            "shop", type="STATIC", load_assignment=assignment, health_check=check, panic_threshold=0, **fields
        )
        self.manager.apply_cluster(config)
        return self.cluster

    @property
    def cluster(self) -> Any:
        return self.manager.get("shop")

    def hosts(self) -> set[str | None]:
        found = (self.cluster.choose_endpoint(NO_CONTEXT) for _ in range(20))
        return {endpoint and endpoint.host for endpoint in found}

    def wire(self, config: EndpointConfig) -> Wire:
        return next(w for w in reversed(self.wires) if w.address == f"{config.host}:{config.port}")

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    async def answer(self, config: EndpointConfig, data: bytes) -> None:
        await self.settle()
        self.wire(config).answer(data)

    async def tick(self, seconds: float = 10.0) -> None:
        self.clock.advance(seconds)
        await self.settle()

    @property
    def stats(self) -> dict[str, int]:
        return self.cluster.describe()["health_check"]


@pytest.fixture
async def world(clock):
    world = World(clock)
    yield world
    world.manager.close()
    await world.settle()
    assert clock.pending == 0


async def test_an_endpoint_serves_once_it_has_passed(world):
    world.apply()
    assert world.hosts() == {None}
    await world.answer(A, OK)
    assert world.hosts() == {A.host}
    await world.answer(B, SICK)
    assert world.hosts() == {A.host}
    assert world.stats == {
        "attempt": 2,
        "success": 1,
        "failure": 1,
        "network_failure": 0,
        "healthy": 1,
        "degraded": 0,
    }


async def test_the_request_is_envoys(world):
    headers = HeaderMutations((HeaderChange((b"user-agent",), (HeaderValueOption(b"x-check", "1"),)),))
    world.apply(replace(HTTP, check=replace(HTTP.check, host="check.example.com", request_headers=headers)), A)
    await world.settle()
    assert world.wire(A).received == b"GET /healthz HTTP/1.1\r\nhost: check.example.com\r\nx-check: 1\r\n\r\n"


async def test_without_a_host_it_asks_for_the_cluster_and_a_body_has_a_length(world):
    world.apply(replace(HTTP, check=HttpCheck("/", method="POST", send=b"ping")), A)
    await world.settle()
    assert world.wire(A).received == (
        b"POST / HTTP/1.1\r\nhost: shop\r\nuser-agent: Envoy/HC\r\ncontent-length: 4\r\n\r\nping"
    )


async def test_checks_go_where_the_endpoint_says(world):
    elsewhere = replace(A, health_check=HealthCheckAddress(port=8081, hostname="a.example.com"))
    world.apply(HTTP, elsewhere)
    await world.settle()
    assert [wire.address for wire in world.wires] == ["10.0.0.1:8081"]
    assert b"host: a.example.com\r\n" in world.wires[0].received


def test_checks_go_over_the_tls_of_the_endpoint():
    tls = SimpleNamespace(config=SimpleNamespace(common=SimpleNamespace(is_mesh=True)))
    assert check_target(Endpoint(replace(A, health_check=HealthCheckAddress(port=8081)), tls)).tls is tls


async def test_an_endpoint_that_is_not_to_be_checked_serves_at_once(world):
    world.apply(HTTP, replace(A, health_check=HealthCheckAddress(is_disabled=True)), B)
    await world.settle()
    assert world.hosts() == {A.host}
    assert [wire.address for wire in world.wires] == ["10.0.0.2:80"]


async def test_the_connection_is_kept_for_the_next_check(world):
    world.apply(HTTP, A)
    await world.answer(A, OK)
    await world.tick()
    assert len(world.wires) == 1
    assert world.wire(A).received.startswith(b"GET /healthz ")


@pytest.mark.parametrize(
    ("answer", "reuse"), [(OK, False), (b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", True)]
)
async def test_a_connection_that_is_not_to_be_kept_is_closed(world, answer, reuse):
    world.apply(replace(HTTP, reuse_connection=reuse), A)
    await world.answer(A, answer)
    assert not world.wires[0].is_open
    await world.tick()
    assert len(world.wires) == 2


async def test_a_connection_that_the_server_has_closed_between_checks_is_no_failure(world):
    world.apply(HTTP, A)
    await world.answer(A, OK)
    world.wires[0].close()
    await world.tick()
    await world.answer(A, OK)
    assert world.stats["failure"] == 0
    assert len(world.wires) == 2


async def test_a_refused_connection_counts_to_the_threshold(world):
    world.apply(replace(HTTP, reuse_connection=False), A)
    await world.answer(A, OK)
    world.refuses.add("10.0.0.1:80")
    await world.tick()
    assert world.hosts() == {A.host}
    await world.tick()
    assert world.hosts() == {None}
    assert world.stats["network_failure"] == 2
    world.refuses.clear()
    for _ in range(2):
        assert world.hosts() == {None}
        await world.tick()
        await world.answer(A, OK)
    assert world.hosts() == {A.host}


async def test_a_check_that_takes_too_long_has_failed(world):
    world.apply(replace(HTTP, unhealthy_threshold=1), A)
    await world.answer(A, OK)
    await world.tick()
    await world.tick(2)
    assert world.hosts() == {None}
    assert not world.wires[0].is_open
    assert world.cluster.endpoints[0].check_status == "NETWORK_TIMEOUT"


async def test_a_connect_that_takes_too_long_has_failed_and_is_given_up(world):
    world.hangs = True
    world.apply(HTTP, A)
    await world.settle()
    await world.tick(2)
    assert world.stats["network_failure"] == 1
    world.hangs = False
    await world.tick()
    await world.answer(A, OK)
    assert world.stats["success"] == 1
    assert len(world.wires) == 1


async def test_a_reset_in_the_middle_of_an_answer_is_a_network_failure(world):
    world.apply(HTTP, A)
    await world.answer(A, OK[:20])
    world.wires[0].close()
    assert world.stats["network_failure"] == 1


@pytest.mark.parametrize(
    ("check", "answer", "has_passed"),
    [
        (
            HttpCheck("/", expected_statuses=((200, 204), (301, 302))),
            b"HTTP/1.1 301 M\r\ncontent-length: 0\r\n\r\n",
            True,
        ),
        (HttpCheck("/", receive=(b"o", b"k")), OK, True),
        (HttpCheck("/", receive=(b"fine",)), OK, False),
        (HttpCheck("/", service_name=StringMatcher("prefix", "shop")), OK, False),
        (
            HttpCheck("/", service_name=StringMatcher("prefix", "shop")),
            OK.replace(b"\r\n", b"\r\nx-envoy-upstream-healthchecked-cluster: shop-1\r\n", 1),
            True,
        ),
        (HttpCheck("/"), b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", True),
        (HttpCheck("/"), b"HTTP/1.1 103 E\r\n\r\n" + OK, True),
        (HttpCheck("/", method="HEAD"), b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", True),
        (HttpCheck("/"), b"garbage\r\n\r\n", False),
    ],
)
async def test_what_passes_is_what_the_check_expects(world, check, answer, has_passed):
    world.apply(replace(HTTP, check=check), A)
    await world.answer(A, answer)
    assert world.hosts() == ({A.host} if has_passed else {None})


async def test_a_retriable_status_counts_to_the_threshold(world):
    world.apply(replace(HTTP, check=HttpCheck("/", retriable_statuses=((500, 504),))), A)
    await world.answer(A, OK)
    await world.tick()
    await world.answer(A, SICK)
    assert world.hosts() == {A.host}
    await world.tick()
    await world.answer(A, SICK)
    assert world.hosts() == {None}


async def test_a_degraded_endpoint_serves_only_for_want_of_better_ones(world):
    world.apply()
    await world.answer(A, OK.replace(b"\r\n", b"\r\nx-envoy-degraded: 1\r\n", 1))
    assert world.hosts() == {A.host}
    assert world.cluster.endpoints[0].health_flags == "/degraded_active_hc"
    assert world.stats["degraded"] == 1


async def test_a_tcp_check_only_connects(world):
    world.apply(TCP, A)
    await world.settle()
    assert world.hosts() == {A.host}
    assert not world.wires[0].is_open


async def test_a_tcp_check_may_send_and_expect_something(world):
    world.apply(replace(TCP, check=TcpCheck(b"PING", (b"PO", b"NG"))), A)
    await world.settle()
    assert world.wire(A).received == b"PING"
    world.wire(A).protocol.data_received(b"+PO")
    assert world.hosts() == {None}
    world.wire(A).protocol.data_received(b"--NG\r\n")
    assert world.hosts() == {A.host}
    await world.tick()
    assert len(world.wires) == 1
    assert world.wire(A).received == b"PINGPING"
    world.wire(A).close()
    assert world.stats["network_failure"] == 1


async def test_a_passed_check_lets_an_ejected_endpoint_in(world):
    detection = OutlierDetectionConfig(consecutive_5xx=1, max_ejection_percent=100)
    cluster = world.apply(HTTP, A, outlier_detection=detection)
    await world.answer(A, OK)
    cluster.on_result(cluster.endpoints[0], 500, None)
    assert world.hosts() == {None}
    await world.tick()
    await world.answer(A, OK)
    assert world.hosts() == {A.host}


async def test_the_interval_is_that_of_a_cluster_without_traffic_until_there_is_some(world):
    world.apply(replace(HTTP, no_traffic_interval=60, no_traffic_healthy_interval=60), A)
    await world.answer(A, OK)
    await world.tick(59)
    assert world.stats["attempt"] == 1
    await world.tick(1)
    assert world.stats["attempt"] == 2
    world.cluster.stats.upstream_cx_total += 1
    await world.answer(A, OK)
    await world.tick(10)
    assert world.stats["attempt"] == 3


async def test_the_first_check_may_wait_a_random_time(world):
    world.chance = 0.5
    world.apply(replace(HTTP, initial_jitter=8), A)
    await world.tick(3)
    assert world.stats["attempt"] == 0
    await world.tick(1)
    assert world.stats["attempt"] == 1


async def test_an_endpoint_that_leaves_the_list_stays_while_it_is_healthy(world):
    world.apply()
    await world.answer(A, OK)
    await world.answer(B, OK)
    world.apply(HTTP, A)
    assert world.hosts() == {A.host, B.host}
    await world.tick()
    await world.answer(B, SICK)
    assert [endpoint.host for endpoint in world.cluster.endpoints] == [A.host]
    assert not world.wire(B).is_open


async def test_an_endpoint_that_leaves_the_list_goes_at_once_where_the_cluster_says_so(world):
    world.apply(ignore_health_on_host_removal=True)
    await world.answer(A, OK)
    await world.answer(B, OK)
    world.apply(HTTP, A, ignore_health_on_host_removal=True)
    assert world.hosts() == {A.host}


async def test_checks_that_are_switched_off_let_everybody_in(world):
    world.apply()
    await world.settle()
    world.apply(None)
    assert world.hosts() == {A.host, B.host}
    assert world.clock.pending == 0


async def test_another_check_begins_anew_and_keeps_who_is_healthy(world):
    world.apply(HTTP, A)
    await world.answer(A, OK)
    world.apply(replace(HTTP, interval=5), A)
    assert world.hosts() == {A.host}
    await world.answer(A, SICK)
    assert world.hosts() == {None}


async def test_changes_are_written_as_envoy_writes_them(world, tmp_path):
    log = tmp_path / "events"
    world.apply(replace(HTTP, event_log_path=str(log)), A)
    await world.answer(A, OK)
    await world.tick()
    await world.answer(A, SICK)
    added, ejected = (json.loads(line) for line in log.read_text().splitlines())
    assert added["add_healthy_event"] == {"first_check": True}
    assert added["host"]["socket_address"]["port_value"] == 80
    assert ejected["eject_unhealthy_event"] == {"failure_type": "ACTIVE"}
    assert (ejected["cluster_name"], ejected["health_checker_type"]) == ("shop", "HTTP")
