"""The same clusters and requests through the real Envoy and through our own: who serves them."""

import asyncio
import json
import socket
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pymesh.protojson import Reader
from pymesh.proxy.matchers.path_matcher import PathMatcher
from pymesh.proxy.routing.route import ClusterAction
from pymesh.proxy.routing.route_action import decode_route_action
from pymesh.proxy.tls.secrets import SecretStore
from pymesh.proxy.upstream.cluster import Cluster
from pymesh.proxy.upstream.cluster_manager import ClusterManager
from pymesh.proxy.upstream.load_balancer import LoadBalancerContext
from pymesh.proxy.xds.cds import decode_cluster

HCM = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
KEYS = [f"session-{i}" for i in range(120)]


class Backends:
    """Servers of this process; each answers with its port."""

    def __init__(self) -> None:
        self.ports: list[int] = []
        self.statuses: dict[int, int] = {}  # by port, where it is not 200
        self.heads: set[bytes] = set()  # of health checks
        self._servers: list[asyncio.Server] = []

    async def start(self, count: int) -> None:
        for _ in range(count):
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            self._servers.append(server)
            self.ports.append(server.sockets[0].getsockname()[1])

    async def aclose(self) -> None:
        for server in self._servers:
            server.close()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = str(writer.get_extra_info("sockname")[1])
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                if b"/healthz" in head:
                    self.heads.add(head)
                status = self.statuses.get(int(port), 200)
                writer.write(f"HTTP/1.1 {status} OK\r\ncontent-length: {len(port)}\r\n\r\n{port}".encode())
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


class Envoy:
    """A real one with the clusters `c0`, `c1`, ...; the route of `/<n>/` is the action that cluster `n` came with."""

    def __init__(self, process: asyncio.subprocess.Process, admin: str) -> None:
        self.process = process
        self._admin = admin
        self._port = 0
        self._streams: Any = None

    async def wait_ready(self) -> None:
        async with asyncio.timeout(20):
            while (await self._ask_admin("/ready"))[0] != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        _, body = await self._ask_admin("/listeners?format=json")
        self._port = json.loads(body)["listener_statuses"][0]["local_address"]["socket_address"]["port_value"]

    async def _ask_admin(self, path: str) -> tuple[int, str]:
        host, port = self._admin.rsplit(":", 1)
        return await request(*await asyncio.open_connection(host, int(port)), path)

    async def ask(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
        """Status and body: the port of who answered."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        return await request(*self._streams, path, headers or {}, close=False)

    async def ejections(self, index: int) -> dict[str, int]:
        """What outlier detection has counted of cluster `c<index>`, without the deprecated names."""
        prefix = f"cluster.c{index}.outlier_detection.ejections_"
        _, body = await self._ask_admin(f"/stats?filter={prefix}")
        found = (line.removeprefix(prefix).split(": ") for line in body.splitlines())
        kept = ("detected_", "enforced_", "overflow", "active")
        return {name: int(count) for name, count in found if name.startswith(kept) and int(count)}

    async def detect_outliers(self) -> None:
        """Wait for the thread of the admin page, which is the one that ejects: until it has, a count goes on."""
        await self._ask_admin("/ready")

    async def aclose(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
        self.process.terminate()
        await self.process.wait()


async def request(reader: Any, writer: Any, path: str, headers: Any = {}, close: bool = True) -> tuple[int, str]:  # noqa: B006
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"GET {path} HTTP/1.1\r\nhost: shop\r\n{lines}\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    if "content-length: " in head:
        body = await reader.readexactly(int(head.split("content-length: ")[1].split("\r\n")[0]))
    else:
        body = b""
        while (size := int(await reader.readline(), 16)) or await reader.readline() != b"\r\n":
            body += (await reader.readexactly(size + 2))[:size]
    if close:
        writer.close()
    return int(head.split(" ")[1]), body.decode()


def bootstrap(clusters: list[dict], actions: list[dict]) -> dict[str, Any]:
    routes = [
        {"match": {"prefix": f"/{i}/"}, "route": {"cluster": f"c{i}", **action}} for i, action in enumerate(actions)
    ]
    manager = {
        "@type": HCM,
        "stat_prefix": "test",
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER}}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    address = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
    return {
        "admin": {"address": address},
        "static_resources": {
            "listeners": [{"name": "in", "address": address, "filter_chains": [chain]}],
            "clusters": [{"name": f"c{i}", **cluster} for i, cluster in enumerate(clusters)],
        },
    }


@pytest.fixture
async def backends() -> AsyncIterator[Backends]:
    backends = Backends()
    await backends.start(4)
    yield backends
    await backends.aclose()


@pytest.fixture
async def start_envoy(envoy: str, tmp_path: Any) -> AsyncIterator[Any]:
    running: list[Envoy] = []

    async def start(clusters: list[dict], actions: list[dict]) -> Envoy:
        admin = tmp_path / "admin"
        command = [envoy, "--config-yaml", json.dumps(bootstrap(clusters, actions)), "--admin-address-path", str(admin)]
        command += ["--concurrency", "1", "--disable-hot-restart", "--log-path", str(tmp_path / "log")]
        process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL)
        async with asyncio.timeout(20):
            while not (admin.exists() and (address := admin.read_text())):
                assert process.returncode is None, (tmp_path / "log").read_text()
                await asyncio.sleep(0.02)
        running.append(Envoy(process, address))
        await running[-1].wait_ready()
        return running[-1]

    yield start
    for one in running:
        await one.aclose()


def cluster(groups: list[tuple[dict, list[tuple[int, dict]]]], **fields: Any) -> dict[str, Any]:
    """`groups` are localities: their own fields, and the port and fields of each endpoint."""
    endpoints = [
        {
            **group,
            "lb_endpoints": [
                {
                    "endpoint": {
                        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
                        "hostname": f"endpoint-{number}",
                    },
                    **endpoint,
                }
                for number, (port, endpoint) in enumerate(members)
            ],
        }
        for group, members in groups
    ]
    assignment = {"cluster_name": "c", "endpoints": endpoints}
    return {"type": "STATIC", "connect_timeout": "1s", "load_assignment": assignment, **fields}


def weighted(ports: list[int], *weights: int) -> list[tuple[dict, list[tuple[int, dict]]]]:
    return [
        ({}, [(port, {"load_balancing_weight": weight}) for port, weight in zip(ports, weights, strict=False)]),
    ]


def named(ports: list[int]) -> list[tuple[dict, list[tuple[int, dict]]]]:
    """Endpoints with names; one has a key for hashing of its own, and one a key that is none."""
    keys: list[Any] = [None, "a key", 7]
    return [({}, [(port, metadata("hash_key", key)) for port, key in zip(ports, keys, strict=False)])]


def metadata(key: str, value: Any) -> dict[str, Any]:
    return {} if value is None else {"metadata": {"filter_metadata": {"envoy.lb": {key: value}}}}


def our_cluster(config: dict, clock: Any = None) -> Cluster:
    reader = Reader({"name": "c", **config})
    decoded = decode_cluster(reader)
    reader.reject_unread()
    return Cluster(decoded, SecretStore(), clock=clock or asyncio.get_running_loop())


def our_action(action: dict) -> ClusterAction:
    reader = Reader({"route": {"cluster": "c", **action}})
    decoded = decode_route_action(reader, PathMatcher("prefix", "/"), None, 0)
    reader.reject_unread()
    assert isinstance(decoded, ClusterAction)
    return decoded


class Context(LoadBalancerContext):
    def __init__(self, action: ClusterAction, request: Any) -> None:
        super().__init__(action.hash(request))
        self._match = action.clusters[0].metadata_match

    def metadata_match(self) -> Any:
        return self._match


BY_HOSTNAME = {"consistent_hashing_lb_config": {"use_hostname_for_hashing": True}}
BY_HEADER = {"hash_policy": [{"header": {"header_name": "x-session"}}]}
BY_BOTH = {"hash_policy": [{"query_parameter": {"name": "user"}}, {"header": {"header_name": ":path"}}]}
BY_COOKIE = {"hash_policy": [{"cookie": {"name": "id"}, "terminal": True}, {"header": {"header_name": "x-session"}}]}
EAST, WEST = (
    {"locality": {"zone": zone}, "load_balancing_weight": weight} for zone, weight in (("east", 1), ("west", 3))
)


async def test_hashes_choose_the_endpoint_that_envoy_chooses(backends, start_envoy, make_request):
    ports = backends.ports
    localities = [(EAST, [(ports[0], {}), (ports[1], {"load_balancing_weight": 2})]), (WEST, [(ports[2], {})])]
    ring = {"lb_policy": "RING_HASH"}
    clusters = [
        cluster(weighted(ports, 1, 2, 4), **ring),
        cluster(weighted(ports, 3, 7, 11, 1), **ring, ring_hash_lb_config={"minimum_ring_size": 100}),
        cluster(weighted(ports, 1, 1, 1), **ring, ring_hash_lb_config={"hash_function": "MURMUR_HASH_2"}),
        cluster(localities, **ring, common_lb_config={"locality_weighted_lb_config": {}}),
        cluster(weighted(ports, 1, 2, 4), lb_policy="MAGLEV"),
        cluster(weighted(ports, 3, 7, 11, 1), lb_policy="MAGLEV", maglev_lb_config={"table_size": 1009}),
        cluster(localities, lb_policy="MAGLEV", common_lb_config={"locality_weighted_lb_config": {}}),
        cluster(weighted(ports, 1, 1, 1), **ring),
        cluster(weighted(ports, 1, 1, 1), lb_policy="MAGLEV"),
        cluster(named(ports), **ring, common_lb_config=BY_HOSTNAME, type="STRICT_DNS"),
        cluster(named(ports), lb_policy="MAGLEV"),
    ]
    actions = [*[BY_HEADER] * 7, BY_BOTH, BY_COOKIE, BY_HEADER, BY_HEADER]
    envoy = await start_envoy(clusters, actions)
    for index, (config, action) in enumerate(zip(clusters, map(our_action, actions), strict=True)):
        ours = our_cluster(config)
        for number, key in enumerate(KEYS):
            path = f"/{index}/?user=a%20{number}&x"
            headers = {"x-session": key} | ({"cookie": f'a=b; id="{key}"; c=d'} if number % 2 else {})
            status, port = await envoy.ask(path, headers)
            request = make_request(path=path.encode(), headers=headers)
            chosen = ours.choose_endpoint(Context(action, request))
            assert (status, int(port)) == (200, chosen.port), (index, key)


async def test_traffic_is_shared_as_envoy_shares_it(backends, start_envoy, make_request):
    ports = backends.ports
    degraded, sick = {"health_status": "DEGRADED"}, {"health_status": "UNHEALTHY"}
    half = [(ports[0], {}), (ports[1], sick)]
    clusters = [
        cluster(weighted(ports, 1, 2, 4)),
        cluster(weighted(ports, 1, 2, 4), lb_policy="LEAST_REQUEST"),
        cluster(
            [(EAST, [(ports[0], {}), (ports[1], {})]), (WEST, [(ports[2], {})])],
            common_lb_config={"locality_weighted_lb_config": {}},
        ),
        cluster(
            [(EAST, half), (WEST, [(ports[2], {})])],
            common_lb_config={"locality_weighted_lb_config": {}},
        ),
        cluster([({}, half), ({"priority": 1}, [(ports[2], {})])]),
        cluster([({}, [(ports[0], {}), (ports[1], degraded)])]),
        cluster([({}, [(ports[0], {}), (ports[1], sick), (ports[2], sick)])]),
        cluster(
            [({}, [(ports[0], {}), (ports[1], sick), (ports[2], sick)])],
            common_lb_config={"zone_aware_lb_config": {"fail_traffic_on_panic": True}},
        ),
        cluster(
            [({}, half), ({"priority": 1}, [(ports[2], {}), (ports[3], sick)])],
            common_lb_config={"healthy_panic_threshold": {"value": 0}},
        ),
    ]
    envoy = await start_envoy(clusters, [{}] * len(clusters))
    for index, config in enumerate(clusters):
        theirs = Counter([(await envoy.ask(f"/{index}/"))[1] for _ in range(280)])
        ours = our_cluster(config)
        chosen = [ours.choose_endpoint(Context(our_action({}), make_request())) for _ in range(280)]
        counts = Counter("no healthy upstream" if endpoint is None else str(endpoint.port) for endpoint in chosen)
        assert set(theirs) == set(counts), index
        for port, count in theirs.items():
            assert counts[port] == pytest.approx(count, abs=55), (index, theirs, counts)


async def test_subsets_are_those_of_envoy(backends, start_envoy, make_request):
    def labelled(*metadata: dict[str, Any]) -> list[tuple[dict, list[tuple[int, dict]]]]:
        members = zip(backends.ports, metadata, strict=False)
        return [({}, [(port, {"metadata": {"filter_metadata": {"envoy.lb": found}}}) for port, found in members])]

    def asking(**metadata: Any) -> dict[str, Any]:
        return {"metadata_match": {"filter_metadata": {"envoy.lb": metadata}}} if metadata else {}

    selectors = [
        {"keys": ["version"], "fallback_policy": "DEFAULT_SUBSET"},
        {"keys": ["stage", "version"], "fallback_policy": "KEYS_SUBSET", "fallback_keys_subset": ["stage"]},
        {"keys": ["stage"]},
    ]
    config = cluster(
        labelled(
            {"version": "v1", "stage": "prod"}, {"version": "v2", "stage": "prod"}, {"version": 2, "stage": "dev"}, {}
        ),
        lb_subset_config={
            "fallback_policy": "ANY_ENDPOINT",
            "default_subset": {"version": "v2"},
            "subset_selectors": selectors,
        },
    )
    none = {**config, "lb_subset_config": {"subset_selectors": selectors[2:]}}
    asked = [
        asking(version="v1"),
        asking(version="v9"),
        asking(version=2),
        asking(version="v1", stage="prod"),
        asking(version="v9", stage="prod"),
        asking(version="v9", stage="test"),
        asking(stage="dev"),
        asking(),
        asking(other="x"),
    ]
    clusters = [*[config] * len(asked), *[none] * len(asked)]
    actions = [*asked, *asked]
    envoy = await start_envoy(clusters, actions)
    for index, (found, action) in enumerate(zip(clusters, map(our_action, actions), strict=True)):
        theirs = {(await envoy.ask(f"/{index}/"))[1] for _ in range(16)}
        ours = our_cluster(found)
        chosen = [ours.choose_endpoint(Context(action, make_request())) for _ in range(16)]
        assert theirs == {"no healthy upstream" if e is None else str(e.port) for e in chosen}, (index, actions[index])


async def test_health_checks_are_envoys(backends, start_envoy):
    """What a server sees of a check is the same, and who fails it does not serve."""
    healthy, sick = backends.ports[:2]
    backends.statuses[sick] = 500
    check = {
        "timeout": "1s",
        "interval": "0.05s",
        "no_traffic_interval": "0.05s",
        "unhealthy_threshold": 2,
        "healthy_threshold": 2,
        "http_health_check": {"path": "/healthz"},
    }
    config = cluster(weighted([healthy, sick], 1, 1), health_checks=[check])
    envoy = await start_envoy([config], [{}])
    assert {(await envoy.ask("/0/"))[1] for _ in range(10)} == {str(healthy)}
    seen = backends.heads.pop()
    backends.heads.clear()
    reader = Reader({"name": "c0", **config})
    manager = ClusterManager(SecretStore())
    manager.apply_cluster(decode_cluster(reader))
    reader.reject_unread()
    ours = manager.get("c0")
    async with asyncio.timeout(10):
        while ours.describe()["health_check"]["failure"] < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    chosen = [ours.choose_endpoint(LoadBalancerContext()) for _ in range(10)]
    assert {endpoint.port for endpoint in chosen} == {healthy}
    assert seen in backends.heads
    manager.close()


RATES = {
    "consecutive_5xx": 0,
    "success_rate_minimum_hosts": 3,
    "success_rate_request_volume": 10,
    "success_rate_stdev_factor": 1000,
    "failure_percentage_minimum_hosts": 3,
    "failure_percentage_request_volume": 10,
    "max_ejection_percent": 100,
}
GATEWAY = {
    "consecutive_gateway_failure": 3,
    "enforcing_consecutive_gateway_failure": 100,
    "max_ejection_percent": 100,
}
SPLIT = {"split_external_local_origin_errors": True, "max_ejection_percent": 100}
DETECTIONS = [
    (500, {"max_ejection_percent": 100}),
    (500, {"enforcing_consecutive_5xx": 0, "max_ejection_percent": 100}),
    (500, {"max_ejection_percent": 10}),
    (500, {"max_ejection_percent": 10, "always_eject_one_host": True}),
    (500, {"max_ejection_percent": 24}),
    (500, {"max_ejection_percent": 25}),
    (
        503,
        {"consecutive_gateway_failure": 3, "enforcing_consecutive_gateway_failure": 100, "max_ejection_percent": 100},
    ),
    (
        500,
        {"consecutive_gateway_failure": 3, "enforcing_consecutive_gateway_failure": 100, "max_ejection_percent": 100},
    ),
    (500, {"consecutive_gateway_failure": 3, "split_external_local_origin_errors": True, "max_ejection_percent": 100}),
    (
        0,
        {
            "consecutive_local_origin_failure": 3,
            "split_external_local_origin_errors": True,
            "max_ejection_percent": 100,
        },
    ),
    (0, {"max_ejection_percent": 100}),
    (500, RATES),
    (500, {**RATES, "enforcing_success_rate": 0, "enforcing_failure_percentage": 100}),
    (404, RATES),
]


class StandingClock:
    """Until it is moved on, when it calls all who wait."""

    def __init__(self) -> None:
        self.now = 0.0
        self._calls: list[Any] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Any) -> Any:
        self._calls.append(callback)
        return asyncio.get_running_loop().call_later(3600, lambda: None)

    def advance(self, seconds: float) -> None:
        self.now += seconds
        calls, self._calls = self._calls, []
        for call in calls:
            call()


def our_ejections(cluster: Cluster) -> dict[str, int]:
    shown = cluster.describe()
    found = {f"enforced_{cause}": count for cause, count in shown["ejections"].items()}
    found |= {f"detected_{cause}": count for cause, count in shown["ejections_detected"].items()}
    found |= {"enforced_total": sum(shown["ejections"].values())}
    found |= {"overflow": shown["ejections_overflow"], "active": shown["ejections_active"]}
    return {name: count for name, count in found.items() if count}


async def test_outliers_are_those_of_envoy(backends, start_envoy):
    """One of four endpoints answers with a status, or refuses connections (0); what both proxies count of it."""
    sick_ports = {}
    for status in (404, 500, 503):
        await backends.start(1)
        sick_ports[status] = backends.ports[-1]
        backends.statuses[sick_ports[status]] = status
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sick_ports[0] = sock.getsockname()[1]
    clusters = [
        cluster(
            weighted([*backends.ports[:3], sick_ports[status]], 1, 1, 1, 1),
            outlier_detection={**fields, "interval": "1s"},
        )
        for status, fields in DETECTIONS
    ]
    envoy = await start_envoy(clusters, [{}] * len(clusters))
    for index, (config, (status, _)) in enumerate(zip(clusters, DETECTIONS, strict=True)):
        sick, clock = sick_ports[status], StandingClock()
        ours = our_cluster(config, clock)
        for _ in range(60):
            code_seen, _ = await envoy.ask(f"/{index}/")
            if code_seen != 200:
                await envoy.detect_outliers()
            endpoint = ours.choose_endpoint(LoadBalancerContext())
            is_refused = endpoint.port == sick and not status
            code = status if endpoint.port == sick else 200
            ours.on_result(endpoint, None if is_refused else code, "connect failure" if is_refused else None)
        if config["outlier_detection"].get("success_rate_minimum_hosts"):
            clock.advance(1.0)
            await end_interval(envoy, index, our_ejections(ours))
        assert our_ejections(ours) == await envoy.ejections(index), DETECTIONS[index]


async def end_interval(envoy: Envoy, index: int, expected: dict[str, int]) -> None:
    """Of Envoy's own clock. It may have ended amid the requests, with too few in both halves: then once more."""
    for _ in range(3):
        for _ in range(40):
            if await envoy.ejections(index) == expected:
                return
            await asyncio.sleep(0.03)
        for _ in range(60):
            await envoy.ask(f"/{index}/")
