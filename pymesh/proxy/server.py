"""What every proxy is made of, sidecar or gateway: this is where the whole of it is composed.

    control plane <- ControlClient <- XdsClient -> Runtime -> listeners, routes, clusters, secrets: the data plane
                          ^                 Instance: the directory that it starts from while control is away
                          |-- WorkloadIdentity: the certificate -> secrets
                          '-- SpanExporter, MetricsExporter <- Telemetry <- the data plane

A sidecar (pymesh.proxy.sidecar) adds its ports and its lease, a gateway (pymesh.ingress.gateway) its rules of an edge.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import partial

from pymesh.errors import PymeshError, UsageError
from pymesh.names import CANONICAL_NAME_LABEL, CANONICAL_REVISION_LABEL, OWN_CERTIFICATE
from pymesh.proxy.admin.server import AdminServer
from pymesh.proxy.control_client import ControlClient, ControlRefusedError, decode_join_token
from pymesh.proxy.control_metrics import register_control_metrics
from pymesh.proxy.downstream.context import ProxyContext
from pymesh.proxy.downstream.listener_manager import ListenerManager
from pymesh.proxy.instance import Instance
from pymesh.proxy.options import ProxyOptions
from pymesh.proxy.routing.route_table import RouteTables
from pymesh.proxy.telemetry.access_log import AccessLog
from pymesh.proxy.telemetry.exporters import MetricsExporter, SpanExporter
from pymesh.proxy.telemetry.telemetry import Telemetry
from pymesh.proxy.telemetry.workload import Workload
from pymesh.proxy.timers import LoopClock, Timers
from pymesh.proxy.tls.secrets import SecretStore
from pymesh.proxy.tls.workload_certificate import WorkloadIdentity
from pymesh.proxy.upstream.cluster_manager import ClusterManager
from pymesh.proxy.xds.client import FIRST_ANSWER_SECONDS, XdsClient
from pymesh.proxy.xds.disk_cache import DiskCache
from pymesh.proxy.xds.handlers import build_handlers
from pymesh.proxy.xds.runtime import Runtime
from pymesh.spiffe import SpiffeId
from pymesh.state_dir import find_control_tls
from pymesh.tasks import TaskGroup
from pymesh.xds import ROUTER, Address, Node

log = logging.getLogger(__name__)

# Envoy's states, at /server_info
PRE_INITIALIZING = "PRE_INITIALIZING"
LIVE = "LIVE"
DRAINING = "DRAINING"

_QUIET_SECONDS = 0.05  # the kernel resets what comes in the moment in which a socket is closed
_FLUSH_SECONDS = 1.0  # what telemetry may take of a proxy's end
_ACCEPT_SECONDS = 5.0  # Istio's terminationDrainDuration: by then who looks at /ready sends his clients elsewhere
_IDLE_SECONDS = 0.5  # after which a connection is closed: of one that was just used, the client may just be sending


class ProxyServer:
    """The data plane, the control plane's client that feeds it, and the admin port that shows it.

    `configured` is set once the proxy obeys a configuration, the control plane's or the one on its disk; `quit` when
    somebody asks at the admin port that it ends; `app_answers` is a sidecar's word on its application.
    """

    def __init__(
        self,
        options: ProxyOptions,
        node: Node,
        instance: Instance,
        admin_socket: socket.socket,
        sockets: Mapping[Address, socket.socket],
        *,
        own_ports: Callable[[], dict[str, object]] = dict,
        on_configured: Callable[[], None] = lambda: None,
    ) -> None:
        self.node = node
        self.app_answers = True
        self.is_draining = False
        self.started_at = time.monotonic()
        self.tasks = TaskGroup()
        self.configured = asyncio.Event()
        self.quit = asyncio.Event()
        self._options = options
        self._instance = instance
        self._own_ports = own_ports
        self._on_configured = on_configured
        self._build_identity()
        self._build_telemetry()
        self._build_data_plane(sockets)
        self._build_xds()
        self.admin = AdminServer(self, admin_socket)

    def _build_identity(self) -> None:
        options, directory, metadata = self._options, self._instance.directory, self.node.metadata
        # What is wrong with the flags is an error now, not at the first poll.
        find_control_tls(options.control, options.state_dir)
        _check_token(options.token)
        self.control = ControlClient(
            lambda: find_control_tls(options.control, options.state_dir),
            lambda: options.token or options.state_dir.read_join_token(),
            directory / "control-root.pem",
            self._on_new_root,
        )
        self.secrets = SecretStore()
        self.secrets.subscribe(self._on_secret)
        spiffe_id = SpiffeId(metadata.namespace, metadata.service_account)
        sign = partial(self.control.sign, validity=options.secret_ttl)
        self.identity = WorkloadIdentity(directory, str(spiffe_id), sign, self.secrets)

    def _build_telemetry(self) -> None:
        self.workload = workload_of(self.node)
        self.spans = SpanExporter(self.workload, self.node.id, self.control.export)
        self.access_log = AccessLog(self._options.access_log) if self._options.access_log else None
        self.telemetry = Telemetry(
            self.workload,
            principal=self.identity.spiffe_id,
            is_gateway=self.node.type == ROUTER,
            access_log=self.access_log,
            spans=self.spans,
        )
        self.metrics = MetricsExporter(self.telemetry.stats, self.node.id, self.control.export)

    def _build_data_plane(self, sockets: Mapping[Address, socket.socket]) -> None:
        loop = asyncio.get_running_loop()
        self.clusters = ClusterManager(self.secrets, metrics=self.telemetry.metrics)
        self.routes = RouteTables()
        self.context = ProxyContext(
            clusters=self.clusters,
            routes=self.routes,
            secrets=self.secrets,
            telemetry=self.telemetry,
            workload=self.workload,
            timers=Timers(LoopClock(loop)),
            loop=loop,
            node_type=self.node.type,
            principal=self.identity.spiffe_id,
        )
        self.listeners = ListenerManager(self.context, sockets)

    def _build_xds(self) -> None:
        self.disk_cache = DiskCache(self._instance.config_file)
        handlers = build_handlers(self.secrets, self.clusters, self.routes, self.listeners)
        self.runtime = Runtime(handlers, self.disk_cache)
        self.xds = XdsClient(self.node, self.control, self.runtime, self._set_configured)
        register_control_metrics(self.telemetry.metrics, self.runtime, self.xds, self.identity, self.metrics)

    @property
    def state(self) -> str:
        """Envoy's word for it."""
        if self.is_draining:
            return DRAINING
        is_live = self.configured.is_set() and self.identity.ready.is_set() and self.app_answers
        return LIVE if is_live else PRE_INITIALIZING

    # life

    async def start(self) -> None:
        """Begin to ask for a certificate and a configuration; returns at once."""
        await self.admin.start()
        self.identity.load()
        self.tasks.spawn("certificate", self.identity.run())
        self.tasks.spawn("xds", self._run_xds())
        self.tasks.spawn("spans", self.spans.run())
        self.tasks.spawn("metrics", self.metrics.run())

    async def wait_serving(self) -> None:
        """Until there is a configuration and a certificate: requests of the application may come."""
        await self.configured.wait()
        await self.identity.ready.wait()

    async def drain(self, unawaited: Collection[Address] = ()) -> None:
        """End all connections, each with its request in flight; returns when all are gone, or after the drain time.

        New ones are taken at first. Nobody waits for the connections of the listeners at `unawaited`.
        """
        self.is_draining = True
        try:
            async with asyncio.timeout(self._options.drain_time):
                with suppress(TimeoutError):
                    async with asyncio.timeout(_ACCEPT_SECONDS):
                        await self._end_connections(unawaited)
                self.listeners.stop_accepting()
                await self._end_connections(unawaited)  # of those who came at the last moment
        except TimeoutError:
            log.warning("connections were still open after %g s", self._options.drain_time)
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
        """The end: close what is open, save what is not saved, send the last telemetry."""
        await self.tasks.aclose()
        await self.listeners.aclose()
        self.clusters.close()
        self.disk_cache.flush()
        await self._flush_telemetry()
        await self.admin.aclose()
        await self.control.aclose()
        self._instance.release()

    def describe_ports(self) -> dict[str, object]:
        """For the admin page /ports: the port of each listener by name, and what sidecar and gateway add."""
        listeners = {name: address.port for name, address in self.listeners.addresses().items()}
        return {"name": self._instance.name, "listeners": listeners} | self._own_ports()

    # what happens meanwhile

    async def _run_xds(self) -> None:
        """The control plane answers only to who has a certificate; without one, what is on disk has to do."""
        try:
            async with asyncio.timeout(FIRST_ANSWER_SECONDS):
                await self.identity.ready.wait()
        except TimeoutError:
            if await self.runtime.load():
                self._set_configured()
            await self.identity.ready.wait()
        await self.xds.run()

    def _set_configured(self) -> None:
        self.configured.set()
        self._on_configured()

    def _on_secret(self, name: str) -> None:
        if name == OWN_CERTIFICATE:
            self.control.use_certificate(self.identity.certificate_file, self.identity.not_after or 0.0)

    def _on_new_root(self) -> None:
        self.tasks.spawn("certificate of the new mesh", self._renew_certificate())

    async def _renew_certificate(self) -> None:
        try:
            await self.identity.renew()
        except PymeshError as error:
            log.warning("no certificate of the new mesh: %s", error)

    async def _flush_telemetry(self) -> None:
        if self.access_log is not None:
            self.access_log.close()
        try:
            async with asyncio.timeout(_FLUSH_SECONDS):
                await self.spans.flush()
                await self.metrics.flush()
        except TimeoutError:
            log.debug("the last telemetry was not delivered")


def _check_token(token: str | None) -> None:
    if token is None:
        return
    try:
        decode_join_token(token)
    except ControlRefusedError as error:
        raise UsageError(f"{error}; `pymesh control token` prints one") from error


def workload_of(node: Node) -> Workload:
    """Who a proxy stands for, in the words of Istio's metrics."""
    metadata = node.metadata
    labels = metadata.labels
    return Workload(
        name=metadata.workload_name,
        namespace=metadata.namespace,
        service=labels.get(CANONICAL_NAME_LABEL, metadata.workload_name),
        revision=labels.get(CANONICAL_REVISION_LABEL, "latest"),
        cluster=metadata.cluster_id,
    )
