"""The tcp_proxy network filter: a downstream connection becomes a tunnel to an endpoint of a cluster.

https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/network_filters/tcp_proxy_filter
"""

import asyncio
import time

from pymesh.proxy.downstream.connection_info import ConnectionInfo
from pymesh.proxy.downstream.context import ProxyContext
from pymesh.proxy.downstream.tcp_proxy_config import TcpProxyConfig
from pymesh.proxy.downstream.tunnel import Tunnel
from pymesh.proxy.net import unix_address
from pymesh.proxy.telemetry.direction import INBOUND, OUTBOUND
from pymesh.proxy.telemetry.stream_info import StreamInfo
from pymesh.proxy.upstream.cluster import Cluster
from pymesh.proxy.upstream.endpoint import Endpoint
from pymesh.proxy.upstream.load_balancer import LoadBalancerContext
from pymesh.proxy.upstream.transport import ConnectError, connect


class TcpProxy:
    """What all connections of a filter chain share. `is_inbound`: the listener's traffic direction."""

    active_requests = 0  # a connection is none

    def __init__(self, config: TcpProxyConfig, context: ProxyContext, is_inbound: bool) -> None:
        self.config = config
        self.context = context
        self.direction = INBOUND if is_inbound else OUTBOUND
        self.connections: set[TcpConnection] = set()
        self.set_telemetry(config)
        self._is_empty = asyncio.Event()
        self._is_empty.set()

    def set_telemetry(self, config: TcpProxyConfig) -> None:
        """To that of `config`, for what ends from now on. Raises UsageError where a file cannot be opened."""
        self._access_logs = tuple(map(self.context.access_logs.get, config.access_logs))
        self._counts = self.context.telemetry.build_counts(config.stats)

    def on_refused(self, info: StreamInfo) -> None:
        self.on_close(info)

    def on_open(self, info: StreamInfo) -> None:
        """A connection has its upstream."""
        self.context.telemetry.on_tcp_open(info, self.direction, self._counts)

    def on_close(self, info: StreamInfo) -> None:
        """A connection is over."""
        self.context.telemetry.on_tcp_close(info, self.direction, self._counts)
        for log in self._access_logs:
            log.log(info)

    def new_connection(self, info: ConnectionInfo) -> asyncio.Protocol:
        connection = TcpConnection(self, info)
        self.connections.add(connection)
        self._is_empty.clear()
        return connection

    def retire(self) -> None:
        """TCP has no moment between two requests: connections stay until an end closes, or `close`."""

    def revive(self) -> None:
        """As `retire`."""

    def drain(self, idle_seconds: float = 0.0) -> None:
        """As `retire`."""

    async def wait_drained(self) -> None:
        await self._is_empty.wait()

    def close(self) -> None:
        for connection in tuple(self.connections):
            connection.tunnel.abort()

    def on_done(self, connection: "TcpConnection") -> None:
        self.connections.discard(connection)
        if not self.connections:
            self._is_empty.set()


class TcpConnection(asyncio.Protocol):
    """One downstream connection on its way to, and through, an upstream connection.

    It is the transport's protocol only until there is a transport; then the tunnel's downstream end is.
    """

    __slots__ = ("_breaker", "_connect", "_endpoint", "_info", "_proxy", "stream_info", "tunnel")

    def __init__(self, proxy: TcpProxy, info: ConnectionInfo) -> None:
        self._proxy = proxy
        self._info = info
        self._connect: asyncio.Task[None] | None = None
        self._breaker: Cluster | None = None  # whose connection counter we hold
        self._endpoint: Endpoint | None = None
        self.stream_info = _stream_info(info, is_inbound=proxy.direction is INBOUND)
        self.tunnel = Tunnel(self._on_done, proxy.context.timers, proxy.config.idle_timeout)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Choose the cluster, and connect in the background; what the client says meanwhile is kept."""
        transport.set_protocol(self.tunnel.downstream)
        self.tunnel.downstream.attach(transport)
        name = self._proxy.config.choose_cluster(self._proxy.context.split())
        self.stream_info.upstream_cluster = name
        cluster = self._proxy.context.clusters.get(name)
        if cluster is None:
            self._fail("NC", "cluster_not_found")
            return
        self.stream_info.service = cluster.service
        if not cluster.circuit_breakers.connections.try_acquire():
            self._fail("UO", "upstream_connection_overflow")
            return
        self._breaker = cluster
        self._connect = self._proxy.context.tasks.spawn("tcp_proxy connect", self._connect_upstream(cluster))

    async def _connect_upstream(self, cluster: Cluster) -> None:
        tried: list[Endpoint] = []
        context = _Context(self._proxy.config.hash(self._info.remote_address), tried)
        context.destination = self._info.local_address if self._info.is_redirected else ""
        for _ in range(self._proxy.config.max_connect_attempts):
            endpoint = cluster.choose_endpoint(context)
            if endpoint is None:
                self._fail("UH", "no_healthy_upstream")
                return
            if await self._try_endpoint(cluster, endpoint):
                return
            tried.append(endpoint)
        self.stream_info.add_flag("UF")
        self._fail("URX", "upstream_connection_failure")

    async def _try_endpoint(self, cluster: Cluster, endpoint: Endpoint) -> bool:
        info = self.stream_info
        info.attempt_count += 1
        info.upstream_host = endpoint
        try:
            transport = await connect(cluster, endpoint, lambda: self.tunnel.upstream)
        except ConnectError as error:
            info.upstream_transport_failure_reason = error.transport_failure
            cluster.on_result(endpoint, None, error.reason)
            return False
        cluster.on_result(endpoint, None, None)
        self._on_connected(endpoint, transport)
        return True

    def _on_connected(self, endpoint: Endpoint, transport: asyncio.Transport) -> None:
        info = self.stream_info
        info.upstream_transport_failure_reason = ""
        info.upstream_local_address = format_address(transport.get_extra_info("sockname"))
        if endpoint.tls is not None:
            identity = endpoint.tls.peer_identity(transport.get_extra_info("ssl_object"))
            info.upstream_principal = identity.principal if identity else ""
        if self._proxy.direction is OUTBOUND:
            info.is_mtls = endpoint.is_mtls
        endpoint.active_requests += 1
        endpoint.rq_total += 1
        self._endpoint = endpoint
        self._proxy.on_open(info)
        self.tunnel.upstream.attach(transport)

    def _fail(self, flag: str, details: str) -> None:
        self.stream_info.add_flag(flag)
        self.stream_info.connection_termination_details = details
        self.tunnel.abort()

    def _on_done(self, tunnel: Tunnel) -> None:
        """Both ends are gone, or the downstream one before there was another."""
        info = self.stream_info
        info.bytes_received, info.bytes_sent = tunnel.bytes_received, tunnel.bytes_sent
        info.end = time.monotonic()
        if tunnel.is_idle:
            info.connection_termination_details = "idle_timeout"
        if self._endpoint is None and not info.response_flags:
            info.add_flag("DC")
            if self._connect is not None:
                self._connect.cancel()
        self._release()
        self._proxy.on_close(info)
        self._proxy.on_done(self)
        self._info.on_close()

    def _release(self) -> None:
        if self._breaker is not None:
            self._breaker.circuit_breakers.connections.release()
        if self._endpoint is not None:
            self._endpoint.active_requests -= 1


class _Context(LoadBalancerContext):
    __slots__ = ("destination",)

    def __init__(self, hash: int | None, tried: list[Endpoint]) -> None:
        super().__init__(hash, tried)
        self.destination = ""

    def original_destination(self) -> str:
        return self.destination


def _stream_info(info: ConnectionInfo, is_inbound: bool) -> StreamInfo:
    stream_info = StreamInfo(info.start, time.time())
    stream_info.downstream_local_address = info.local_address
    stream_info.downstream_remote_address = info.remote_address
    stream_info.requested_server_name = info.sni
    if info.peer is not None:
        stream_info.downstream_principal = info.peer.principal
        stream_info.is_mtls = is_inbound
    return stream_info


def format_address(name: str | bytes | tuple[str, int] | tuple[str, int, int, int]) -> str:
    """A socket's name as `host:port`, IPv6 in brackets; a Unix socket's as `unix://PATH`."""
    if not isinstance(name, tuple):
        return unix_address(name)
    return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"
