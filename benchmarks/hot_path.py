"""A proxy in one process without sockets: fake transports, and a server that has its answer ready."""

import asyncio
from collections.abc import Iterable
from typing import Any

from pymesh.proxy.downstream.connection_info import ConnectionInfo
from pymesh.proxy.downstream.context import ProxyContext
from pymesh.proxy.downstream.hcm_config import HttpConnectionManagerConfig, HttpFilterConfig
from pymesh.proxy.downstream.http_connection_manager import HttpConnectionManager
from pymesh.proxy.http_filters import dynamic_forward_proxy, fault, router
from pymesh.proxy.matchers.path_matcher import PathMatcher
from pymesh.proxy.routing.retry_policy import RetryPolicy
from pymesh.proxy.routing.route import (
    ClusterAction,
    Route,
    RouteConfiguration,
    RouteMatcher,
    VirtualHost,
    WeightedCluster,
)
from pymesh.proxy.routing.route_table import RouteTables
from pymesh.proxy.telemetry.telemetry import Telemetry
from pymesh.proxy.telemetry.workload import Workload
from pymesh.proxy.timers import Timers
from pymesh.proxy.tls.secrets import SecretStore
from pymesh.proxy.upstream.cluster_config import ClusterConfig, Service
from pymesh.proxy.upstream.cluster_manager import ClusterManager
from pymesh.proxy.upstream.connection_pool import ConnectionPool
from pymesh.proxy.upstream.endpoint import ClusterLoadAssignment, EndpointConfig
from pymesh.proxy.upstream.http_connection import HttpConnection
from pymesh.proxy.upstream.load_balancer import NO_CONTEXT
from pymesh.tasks import TaskGroup

SERVICE = Service("payment", "default", "payment.default.svc.cluster.local")
CLUSTER = "outbound|80||payment.default.svc.cluster.local"


class FakeTransport:
    """Keeps the last write; `peer`, if any, answers each write at once, as far as the proxy can tell."""

    def __init__(self) -> None:
        self.last = b""
        self.peer: Any = None

    def write(self, data: bytes) -> None:
        self.last = data
        if self.peer is not None:
            self.peer()

    def writelines(self, pieces: Iterable[bytes]) -> None:
        self.write(b"".join(pieces))

    def get_extra_info(self, name: str) -> Any:
        return ("127.0.0.1", 40000) if name == "sockname" else None

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...


class HotPath:
    """One client connection through the whole proxy to one server connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop, response: bytes) -> None:
        timers = Timers(loop)
        clusters = _clusters(loop)
        context = ProxyContext(
            clusters=clusters,
            routes=RouteTables(),
            secrets=SecretStore(),
            telemetry=Telemetry(Workload("web-1", "default", "web", "v1", "pymesh")),
            workload=Workload("web-1", "default", "web", "v1", "pymesh"),
            timers=timers,
            loop=loop,
        )
        self.manager = HttpConnectionManager(_config(), context, is_inbound=False)
        self.client: Any = FakeTransport()
        info = ConnectionInfo("http_proxy", "127.0.0.1:15001", "127.0.0.1:50000", loop.time())
        self.connection: Any = self.manager.new_connection(info)
        self.connection.connection_made(self.client)  # type: ignore[arg-type]
        self.server: Any = FakeTransport()
        self._connect(clusters, timers)
        self._response = response
        self._pending = False
        self.server.peer = self._on_request

    def _connect(self, clusters: ClusterManager, timers: Timers) -> None:
        cluster = clusters.get(CLUSTER)
        assert cluster is not None
        endpoint = cluster.choose_endpoint(NO_CONTEXT)
        assert endpoint is not None
        pool = ConnectionPool(cluster, endpoint, timers, TaskGroup())
        endpoint.pool = pool
        self.upstream: Any = HttpConnection(endpoint, pool)
        self.upstream.connection_made(self.server)
        pool._on_open(self.upstream)

    def _on_request(self) -> None:
        self._pending = True

    def exchange(self, request: bytes) -> None:
        """Bytes of a request in; when this returns, the bytes of the response are in `client.last`."""
        self.connection.data_received(request)
        if self._pending:
            self._pending = False
            self.upstream.data_received(self._response)


def _clusters(loop: asyncio.AbstractEventLoop) -> ClusterManager:
    clusters = ClusterManager(SecretStore(), clock=loop)
    endpoints = (
        EndpointConfig("127.0.0.1", 9000, workload=Workload("payment-1", "default", "payment", "v1", "pymesh")),
    )
    clusters.apply_cluster(
        ClusterConfig(
            name=CLUSTER, type="STATIC", service=SERVICE, load_assignment=ClusterLoadAssignment(CLUSTER, endpoints)
        )
    )
    return clusters


def _config() -> HttpConnectionManagerConfig:
    retries = RetryPolicy(
        frozenset(("connect-failure", "refused-stream")), num_retries=2, avoid_previous_hosts=True, per_try_timeout=5.0
    )
    action = ClusterAction((WeightedCluster(CLUSTER),), timeout=15.0, retry_policy=retries)
    route = Route("default", RouteMatcher(PathMatcher("prefix", "/")), action)
    host = VirtualHost("payment", ("payment", "payment:80", "payment.default.svc.cluster.local"), (route,))
    filters = (
        HttpFilterConfig(fault.NAME, fault.FACTORY, fault.FaultConfig()),
        HttpFilterConfig(dynamic_forward_proxy.NAME, dynamic_forward_proxy.FACTORY, None),
        HttpFilterConfig("router", router.FACTORY, router.RouterConfig()),
    )
    return HttpConnectionManagerConfig(
        route_config=RouteConfiguration("http_proxy", (host,)), http_filters=filters, normalize_path=True
    )
