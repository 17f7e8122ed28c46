"""The data plane of one process: where listeners, routes, clusters and telemetry are composed.

ConfigWriter -> secrets, clusters, routes, listeners -> streams -> Telemetry -> stats, access log, spans
"""

import asyncio
import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from typing import Any

from pymesh.proxy.data_plane import DataPlaneSpec
from pymesh.proxy.downstream.context import ProxyContext
from pymesh.proxy.downstream.listener_manager import ListenerManager
from pymesh.proxy.listen_sockets import ListenSockets
from pymesh.proxy.routing.route_table import RouteTables
from pymesh.proxy.telemetry.access_log import AccessLog
from pymesh.proxy.telemetry.exporters import Post, SpanExporter
from pymesh.proxy.telemetry.proxy_metrics import ProxyMetrics
from pymesh.proxy.telemetry.stats import Stats
from pymesh.proxy.telemetry.telemetry import Telemetry
from pymesh.proxy.timers import LoopClock, Timers
from pymesh.proxy.tls.secrets import SecretStore
from pymesh.proxy.upstream.cluster_manager import ClusterManager
from pymesh.proxy.xds.config_writer import ConfigWriter, Rejections
from pymesh.proxy.xds.handlers import build_handlers
from pymesh.tasks import TaskGroup
from pymesh.xds import Address, DeltaResponse

log = logging.getLogger(__name__)

_QUIET_SECONDS = 0.05  # the kernel resets what comes in the moment in which a socket is closed
_FLUSH_SECONDS = 1.0  # what spans may take of a proxy's end
_ACCEPT_SECONDS = 5.0  # Istio's terminationDrainDuration: by then who looks at /ready sends his clients elsewhere
_IDLE_SECONDS = 0.5  # after which a connection is closed: of one that was just used, the client may just be sending


class LocalDataPlane:
    """`export` posts spans to the control plane; `secrets` may be somebody's who adds to them."""

    def __init__(self, spec: DataPlaneSpec, sockets: ListenSockets, secrets: SecretStore, export: Post) -> None:
        self.tasks = TaskGroup()
        self.access_log = AccessLog(spec.access_log) if spec.access_log else None
        self.spans = SpanExporter(spec.workload, spec.node.id, export)
        self.telemetry = Telemetry(
            spec.workload,
            principal=spec.principal,
            is_gateway=spec.is_gateway,
            access_log=self.access_log,
            spans=self.spans,
        )
        self.clusters = ClusterManager(secrets, metrics=self.telemetry.metrics)
        routes = RouteTables()
        self.listeners = ListenerManager(self._build_context(spec, routes, secrets), sockets)
        self._writer = ConfigWriter(build_handlers(secrets, self.clusters, routes, self.listeners))

    def _build_context(self, spec: DataPlaneSpec, routes: RouteTables, secrets: SecretStore) -> ProxyContext:
        loop = asyncio.get_running_loop()
        return ProxyContext(
            clusters=self.clusters,
            routes=routes,
            secrets=secrets,
            telemetry=self.telemetry,
            workload=spec.workload,
            timers=Timers(LoopClock(loop)),
            loop=loop,
            node_type=spec.node.type,
            principal=spec.principal,
        )

    @property
    def metrics(self) -> ProxyMetrics:
        return self.telemetry.metrics

    @property
    def stats(self) -> Stats:
        return self.telemetry.stats

    async def start(self) -> None:
        self.tasks.spawn("spans", self.spans.run())

    async def apply(self, responses: Sequence[DeltaResponse]) -> Rejections:
        return await self._writer.apply(responses)

    def addresses(self) -> dict[str, Address]:
        return self.listeners.addresses()

    # what it shows

    async def refresh(self) -> None:
        """Everything is read where it is counted."""

    def expose(self) -> Iterator[bytes]:
        return self.telemetry.expose()

    async def describe_listeners(self) -> list[dict[str, Any]]:
        return self.listeners.describe()

    async def describe_clusters(self) -> list[dict[str, Any]]:
        return [cluster.describe() for cluster in self.clusters]

    # the end

    async def drain_listeners(self) -> None:
        self.listeners.drain()

    async def drain(self, seconds: float, unawaited: Collection[Address] = ()) -> None:
        try:
            async with asyncio.timeout(seconds):
                with suppress(TimeoutError):
                    async with asyncio.timeout(_ACCEPT_SECONDS):
                        await self._end_connections(unawaited)
                self.listeners.stop_accepting()
                await self._end_connections(unawaited)  # of those who came at the last moment
        except TimeoutError:
            log.warning("connections were still open after %g s", seconds)
        self.listeners.stop_accepting()

    async def _end_connections(self, unawaited: Collection[Address]) -> None:
        """Clients who are active are told with a response; who has been idle for a while is closed."""
        while True:
            self.listeners.drain(_IDLE_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(_IDLE_SECONDS):
                    return await self._wait_quiet(unawaited)

    async def _wait_quiet(self, unawaited: Collection[Address]) -> None:
        """Until there are no connections, and none comes: clients whose connections have ended may just be back."""
        names = [name for name, address in self.listeners.addresses().items() if address not in unawaited]
        listeners = [listener for listener in map(self.listeners.get, names) if listener is not None]
        accepted = -1
        while (total := sum(listener.stats.downstream_cx_total for listener in listeners)) != accepted:
            accepted = total
            for listener in listeners:
                await listener.wait_drained()
            await asyncio.sleep(_QUIET_SECONDS)

    async def aclose(self) -> None:
        await self.tasks.aclose()
        await self.listeners.aclose()
        self.clusters.close()
        if self.access_log is not None:
            self.access_log.close()
        try:
            async with asyncio.timeout(_FLUSH_SECONDS):
                await self.spans.flush()
        except TimeoutError:
            log.debug("the last spans were not delivered")
