"""The data plane of one process: where listeners, routes, clusters and telemetry are composed.

ConfigWriter -> secrets, clusters, routes, listeners -> streams -> Telemetry -> stats, access log, spans
"""

import asyncio
import logging
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from pymesh.names import OWN_CERTIFICATE
from pymesh.proxy.data_plane import DataPlaneSpec
from pymesh.proxy.downstream.connection_limit import ConnectionLimit, connections_within
from pymesh.proxy.downstream.context import ProxyContext
from pymesh.proxy.downstream.drain import IDLE_SECONDS, NEVER, Drain, stop_accepting
from pymesh.proxy.downstream.listener import Listener
from pymesh.proxy.downstream.listener_manager import ListenerManager
from pymesh.proxy.listen_sockets import ListenSockets
from pymesh.proxy.open_files import raise_file_limit
from pymesh.proxy.routing.route_table import RouteTables
from pymesh.proxy.span_reports import SpanReports
from pymesh.proxy.telemetry.access_log import AccessLog
from pymesh.proxy.telemetry.access_logs import AccessLogs
from pymesh.proxy.telemetry.exporters import Post, SpanExporter, SpanQueue
from pymesh.proxy.telemetry.metric_names import ACCESS_LOG_DROPPED, SPANS_DROPPED
from pymesh.proxy.telemetry.proxy_metrics import ProxyMetrics
from pymesh.proxy.telemetry.span_providers import SpanProviders
from pymesh.proxy.telemetry.stats import Stats
from pymesh.proxy.telemetry.telemetry import Telemetry
from pymesh.proxy.timers import LoopClock, Timers
from pymesh.proxy.tls.secrets import SecretStore
from pymesh.proxy.upstream.circuit_breaker import BuildBreakers, build_own_breakers
from pymesh.proxy.upstream.cluster_manager import ClusterManager
from pymesh.proxy.xds.config_writer import ConfigWriter, Rejections
from pymesh.proxy.xds.handlers import build_handlers
from pymesh.tasks import TaskGroup
from pymesh.xds import Address, DeltaResponse

log = logging.getLogger(__name__)

_FLUSH_SECONDS = 1.0  # what spans may take of a proxy's end


class LocalDataPlane:
    """`export` posts spans to the control plane; `secrets` may be somebody's who adds to them."""

    def __init__(
        self,
        spec: DataPlaneSpec,
        sockets: ListenSockets,
        secrets: SecretStore,
        export: Post,
        build_breakers: BuildBreakers = build_own_breakers,
    ) -> None:
        self.tasks = TaskGroup()
        self._is_gateway = spec.is_gateway
        self.access_log = AccessLog(spec.access_log, is_shared=spec.workers > 1) if spec.access_log else None
        self.access_logs = AccessLogs(is_shared=spec.workers > 1)
        self.spans = SpanExporter(spec.workload, spec.node.id, export)
        self.telemetry = Telemetry(
            spec.workload,
            principal=spec.principal,
            is_gateway=spec.is_gateway,
            access_log=self.access_log,
            spans=self.spans,
        )
        self.metrics.read(ACCESS_LOG_DROPPED, self._dropped_lines)
        self.clusters = ClusterManager(secrets, metrics=self.telemetry.metrics, build_breakers=build_breakers)
        routes = RouteTables()
        self._context = self._build_context(spec, routes, secrets)
        deliver = SpanReports(self._context).deliver
        self.span_providers = SpanProviders(spec.workload, spec.node.id, self.spans, deliver, self._run_queue)
        self._context.spans_of = self.span_providers.spans_of
        self.metrics.read(SPANS_DROPPED, lambda: self.span_providers.dropped)
        self.listeners = ListenerManager(self._context, sockets)
        self._writer = ConfigWriter(build_handlers(secrets, self.clusters, routes, self.listeners))
        secrets.subscribe(self._on_secret)
        self._on_secret(OWN_CERTIFICATE)

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
            access_logs=self.access_logs,
            connections=ConnectionLimit(connections_within(raise_file_limit())),
        )

    def _on_secret(self, name: str) -> None:
        """The workload is who its certificate says."""
        secret = self._context.secrets.get(name) if name == OWN_CERTIFICATE else None
        if secret is not None and secret.tls_certificate is not None and secret.tls_certificate.principal:
            self._context.principal = principal = secret.tls_certificate.principal
            self.stats.local = self.stats.local._replace(principal=principal)

    def _run_queue(self, queue: SpanQueue) -> None:
        self.tasks.spawn("spans of a provider", queue.run())

    @property
    def metrics(self) -> ProxyMetrics:
        return self.telemetry.metrics

    @property
    def stats(self) -> Stats:
        return self.telemetry.stats

    def _dropped_lines(self) -> int:
        own = self.access_log.dropped if self.access_log is not None else 0
        return own + self.access_logs.dropped

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

    async def describe_workers(self) -> None:
        return None

    # the end

    async def announce_drain(self, inbound_only: bool = False) -> None:
        self.listeners.announce_drain(inbound_only)

    async def revoke_drain(self) -> None:
        self.listeners.revoke_drain()

    async def stop_accepting(self, inbound_only: bool = False) -> None:
        await stop_accepting(self.listeners.find(inbound_only))

    async def drain(self, seconds: float, inbound_only: bool = False, unawaited: Collection[Address] = ()) -> None:
        # A sidecar's outbound clients are its application's, and near.
        idle_seconds = NEVER if inbound_only or self._is_gateway else IDLE_SECONDS

        def find() -> list[Listener]:
            return [found for found in self.listeners.find(inbound_only) if found.config.address not in unawaited]

        self.listeners.announce_drain(inbound_only)
        try:
            async with asyncio.timeout(seconds):
                await Drain(find, idle_seconds).run()
        except TimeoutError:
            log.warning("connections were still open after %g s", seconds)
        await self.stop_accepting(inbound_only)

    async def aclose(self) -> None:
        await self.tasks.aclose()
        await self.listeners.aclose()
        await self._flush_spans()
        self.clusters.close()
        if self.access_log is not None:
            self.access_log.close()
        self.access_logs.close()

    async def _flush_spans(self) -> None:
        try:
            async with asyncio.timeout(_FLUSH_SECONDS):
                await self.span_providers.flush()
        except TimeoutError:
            log.debug("the last spans were not delivered")
