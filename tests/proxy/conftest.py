"""A request as matchers see it, and an HTTP proxy whose connections, time and chance are fakes."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.downstream.connection_info import ConnectionInfo
from pymesh.proxy.downstream.context import ProxyContext
from pymesh.proxy.downstream.hcm_config import HttpConnectionManagerConfig, HttpFilterConfig
from pymesh.proxy.downstream.http_connection_manager import HttpConnectionManager
from pymesh.proxy.http_filters import router
from pymesh.proxy.matchers.path_matcher import PathMatcher
from pymesh.proxy.routing.route import (
    ClusterAction,
    Route,
    RouteConfiguration,
    RouteMatcher,
    VirtualHost,
    WeightedCluster,
)
from pymesh.proxy.routing.route_table import RouteTables
from pymesh.proxy.telemetry.metric_names import STREAM_CRASHES
from pymesh.proxy.telemetry.telemetry import Telemetry
from pymesh.proxy.telemetry.workload import Workload
from pymesh.proxy.timers import Timers
from pymesh.proxy.tls.secrets import SecretStore
from pymesh.proxy.upstream.cluster_config import ClusterConfig
from pymesh.proxy.upstream.cluster_manager import ClusterManager
from pymesh.proxy.upstream.endpoint import ClusterLoadAssignment, EndpointConfig
from pymesh.proxy.upstream.lb_policy import LoadBalancerConfig
from pymesh.proxy.upstream.transport import ConnectError


@pytest.fixture
def make_request() -> Any:
    def make(path: bytes = b"/", headers: dict[str, str] | None = None, **fields: Any) -> Any:
        pairs = ((name.encode(), value.encode()) for name, value in (headers or {}).items())
        defaults = {
            "authority": b"shop",
            "path": path,
            "method": b"GET",
            "scheme": b"http",
            "headers": HeaderMap(pairs),
            "is_tls": False,
            "remote_address": "10.0.0.1:1234",
            "local_address": "10.0.0.2:80",
        }
        return SimpleNamespace(**defaults | fields)

    return make


class FakeTransport:
    """One end of a connection: `received` is what the proxy has written to it."""

    def __init__(self, protocol: Any, address: str = "") -> None:
        self.protocol = protocol
        self.address = address
        self.received = b""
        self.writes = 0
        self.is_reading = True
        self.is_open = True
        self.has_ended = False  # the proxy's FIN
        self.is_aborted = False
        self.stays_open = False  # `close` does not end it: what was written has not gone out
        self._is_lost = False

    # what the proxy calls

    def write(self, data: bytes) -> None:
        if self.is_open:
            self.received += data
            self.writes += 1

    def writelines(self, pieces: Any) -> None:
        self.write(b"".join(pieces))

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def get_extra_info(self, name: str) -> Any:
        return ("127.0.0.1", 40000) if name == "sockname" else None

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.has_ended = True

    def is_closing(self) -> bool:
        return not self.is_open

    def close(self) -> None:
        if self.is_open and not self.stays_open:
            self.is_open = False
            asyncio.get_running_loop().call_soon(self._lose)

    def abort(self) -> None:
        self.is_aborted = True
        self.stays_open = False
        self.close()

    # what the test does at the other end

    def send(self, data: bytes) -> None:
        self.protocol.data_received(data)

    def send_slowly(self, data: bytes) -> None:
        for i in range(len(data)):
            self.protocol.data_received(data[i : i + 1])

    def end(self) -> None:
        """Say that nothing more comes, and go on reading if the proxy goes on."""
        if not self.protocol.eof_received():
            self.close()

    def hang_up(self) -> None:
        self.protocol.eof_received()
        self.is_open = False
        self._lose()

    def reset(self) -> None:
        self.is_open = False
        self._lose()

    def take(self) -> bytes:
        """What came since the last time."""
        received, self.received = self.received, b""
        return received

    def _lose(self) -> None:
        if not self._is_lost:
            self._is_lost = True
            self.protocol.connection_lost(None)


class FakeClock:
    """A loop's clock that stands still until `advance`."""

    def __init__(self) -> None:
        self.now = 0.0
        self._calls: list[list[Any]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Any) -> Any:
        call = [when, callback]
        self._calls.append(call)
        return SimpleNamespace(cancel=lambda: call in self._calls and self._calls.remove(call))

    def call_soon(self, callback: Any) -> None:
        asyncio.get_running_loop().call_soon(callback)

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [call for call in self._calls if call[0] <= end]:
            call = min(due, key=lambda call: call[0])  # the first of those that are due at once
            self._calls.remove(call)
            self.now = max(self.now, call[0])
            call[1]()
        self.now = end


class RequestLog(Telemetry):
    def __init__(self, requests: list[Any]) -> None:
        super().__init__()
        self._requests = requests

    def on_request(self, info: Any, direction: Any) -> None:
        self._requests.append(info)


class FakeProxy:
    """A connection manager with fake connections on both sides, and time and chance as the test says."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.chance = 0.5
        self.requests: list[Any] = []  # the StreamInfo of each that is complete
        self.refusals: list[ConnectError] = []  # what the next connects fail with
        self.servers: list[FakeTransport] = []
        self.expected_crashes = 0
        self.is_connecting = True  # False: connects hang
        secrets = SecretStore()
        self.clusters = ClusterManager(secrets, clock=self.clock)
        self.context = ProxyContext(
            clusters=self.clusters,
            routes=RouteTables(),
            secrets=secrets,
            telemetry=RequestLog(self.requests),
            build_tracer=lambda percent: SimpleNamespace(start=lambda info, headers: None),
            workload=Workload("web-1", "default", "web", "v1", "pymesh"),
            timers=Timers(self.clock),
            loop=self.clock,  # type: ignore[arg-type]
            random=lambda: self.chance,
            split=lambda: self.chance,
            connect=self._connect,
        )
        self.manager: Any = None

    def add_cluster(self, name: str, *endpoints: str, **fields: Any) -> Any:
        """`endpoints` are `host:port`."""
        configs = tuple(EndpointConfig(host, int(port)) for host, port in (item.split(":") for item in endpoints))
        assignment = ClusterLoadAssignment(name, configs)
        fields = {"load_balancer": LoadBalancerConfig("ROUND_ROBIN"), **fields}
        self.clusters.apply_cluster(ClusterConfig(name=name, type="STATIC", load_assignment=assignment, **fields))
        return self.clusters.get(name)

    def route(
        self,
        *routes: Route,
        filters: Any = (),
        is_inbound: bool = False,
        obeys_requests: bool = False,
        host: dict[str, Any] | None = None,
        **fields: Any,
    ) -> None:
        """`fields` are of the connection manager, `host` of the virtual host."""
        virtual_host = VirtualHost("shop", ("*",), routes, **{"include_request_attempt_count": True, **(host or {})})
        router_config = router.RouterConfig(obeys_requests=obeys_requests)
        chain = (*filters, HttpFilterConfig("router", router.FACTORY, router_config))
        config = HttpConnectionManagerConfig(
            route_config=RouteConfiguration("test", (virtual_host,)), http_filters=chain, accept_http_10=True, **fields
        )
        self.manager = HttpConnectionManager(config, self.context, is_inbound)

    def forward(self, prefix: str = "/", cluster: str = "shop", **fields: Any) -> Route:
        fields = {"timeout": None, **fields}
        action = ClusterAction((WeightedCluster(cluster),), **fields)
        return Route("forward", RouteMatcher(PathMatcher("prefix", prefix)), action)

    def use_filters(self, *filters: Any) -> None:
        """On every route from now on."""
        self.manager.filters_on.clear()
        self.manager.route_filters = SimpleNamespace(choose=lambda match: filters)

    def connect(self, **fields: Any) -> FakeTransport:
        """A new client."""
        info = ConnectionInfo("listener", "10.0.0.1:80", "10.0.0.9:5000", self.clock.now)
        for name, value in fields.items():
            setattr(info, name, value)
        client = FakeTransport(self.manager.new_connection(info))
        client.protocol.connection_made(client)
        return client

    async def settle(self) -> None:
        """Let everything happen that needs no further input."""
        for _ in range(10):
            await asyncio.sleep(0)

    async def server(self) -> FakeTransport:
        """The connection by which something came to a server that was not taken yet, or else the newest one."""
        await self.settle()
        return next((server for server in reversed(self.servers) if server.received), self.servers[-1])

    @property
    def crashes(self) -> float:
        return self.context.telemetry.metrics.counter(STREAM_CRASHES).value

    @property
    def info(self) -> Any:
        return self.requests[-1]

    async def _connect(self, cluster: Any, endpoint: Any, factory: Any, is_http2: bool = False) -> Any:
        if self.refusals:
            raise self.refusals.pop(0)
        if not self.is_connecting:
            await asyncio.Event().wait()
        transport = FakeTransport(factory(), endpoint.address)
        transport.protocol.connection_made(transport)
        self.servers.append(transport)
        return transport


@pytest.fixture
async def proxy() -> AsyncIterator[FakeProxy]:
    """Forwards everything to the cluster `shop`, whose one endpoint is 10.0.0.2:80."""
    proxy = FakeProxy()
    proxy.add_cluster("shop", "10.0.0.2:80")
    proxy.route(proxy.forward())
    yield proxy
    assert proxy.crashes == proxy.expected_crashes
    await proxy.context.tasks.aclose()
