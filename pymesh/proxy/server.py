"""What every proxy is made of, sidecar or gateway: this is where the whole of it is composed.

    control plane <- ControlClient <- XdsClient -> Runtime -> DataPlane: listeners, routes, clusters, telemetry
                          ^                 Instance: the directory that it starts from while control is away
                          |-- WorkloadIdentity: the certificate -> secrets
                          '-- spans and MetricsExporter <- DataPlane

A sidecar (pymesh.proxy.sidecar) adds its ports and its lease, a gateway (pymesh.ingress.gateway) its rules of an edge.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial

from pymesh.errors import PymeshError, UsageError
from pymesh.names import OWN_CERTIFICATE
from pymesh.proxy.admin.server import AdminServer
from pymesh.proxy.control_client import ControlClient, ControlRefusedError, decode_join_token
from pymesh.proxy.control_metrics import register_control_metrics
from pymesh.proxy.data_plane import DataPlane, DataPlaneSpec
from pymesh.proxy.instance import Instance
from pymesh.proxy.listen_sockets import OwnSockets
from pymesh.proxy.options import DRAIN_SECONDS, ProxyOptions
from pymesh.proxy.telemetry.exporters import MetricsExporter
from pymesh.proxy.tls.secrets import SecretStore
from pymesh.proxy.tls.workload_certificate import WorkloadIdentity
from pymesh.proxy.xds.client import FIRST_ANSWER_SECONDS, XdsClient
from pymesh.proxy.xds.disk_cache import DiskCache
from pymesh.proxy.xds.listener_retry import ListenerRetry
from pymesh.proxy.xds.runtime import Runtime
from pymesh.spiffe import SpiffeId
from pymesh.state_dir import find_control_tls
from pymesh.tasks import TaskGroup
from pymesh.xds import SIDECAR, Address, Node

log = logging.getLogger(__name__)

# Envoy's states, at /server_info
PRE_INITIALIZING = "PRE_INITIALIZING"
LIVE = "LIVE"
DRAINING = "DRAINING"

_FLUSH_SECONDS = 1.0  # what the last metrics may take of a proxy's end


class ProxyServer:
    """The data plane, the control plane's client that feeds it, and the admin port that shows it.

    `configured` is set once the proxy obeys a configuration, the control plane's or the one on its disk; `quit` when
    somebody asks at the admin port that it ends; `app_answers` is a sidecar's word on its application, and
    `has_failed_health` an operator's on the whole.
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
        on_health_failed: Callable[[], None] = lambda: None,
        before_listening: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`before_listening` is awaited between the first certificate and the first configuration."""
        self.node = node
        self.app_answers = True
        self.is_draining = False
        self.has_failed_health = False
        self._drain_deadline = 0.0
        self.started_at = time.monotonic()
        self.tasks = TaskGroup()
        self.configured = asyncio.Event()
        self.quit = asyncio.Event()
        self._options = options
        self._instance = instance
        self._own_ports = own_ports
        self._on_configured = on_configured
        self._on_health_failed = on_health_failed
        self._before_listening = before_listening
        self._build_identity()
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
        self.identity.prepare()  # beside the import of the data plane

    def _build_data_plane(self, sockets: Mapping[Address, socket.socket]) -> None:
        options = self._options
        spec = DataPlaneSpec(self.node, self.identity.spiffe_id, options.access_log, options.concurrency)
        self.data_plane = self._choose_data_plane(spec, sockets)
        self.metrics = MetricsExporter(
            self.data_plane.stats, self.node.id, self.control.export, refresh=self.data_plane.refresh
        )

    def _choose_data_plane(self, spec: DataPlaneSpec, sockets: Mapping[Address, socket.socket]) -> DataPlane:
        """Each imports what the other does not need."""
        if spec.workers == 1:
            from pymesh.proxy.local_data_plane import LocalDataPlane

            return LocalDataPlane(spec, OwnSockets(sockets), self.secrets, self.control.export)
        from pymesh.proxy.workers.pool import WorkerPool

        return WorkerPool(spec, sockets, self.secrets, self.control.export, lambda: self.runtime.snapshot())

    def _build_xds(self) -> None:
        self.disk_cache = DiskCache(self._instance.config_file)
        self.runtime = Runtime(self.data_plane.apply, self.disk_cache)
        self.xds = XdsClient(self.node, self.control, self.runtime, self._set_configured)
        register_control_metrics(self.data_plane.metrics, self.runtime, self.xds, self.identity, self.metrics)

    @property
    def state(self) -> str:
        """Envoy's word for it."""
        if self.is_draining or self.has_failed_health:
            return DRAINING
        is_live = self.configured.is_set() and self.identity.ready.is_set() and self.app_answers
        return LIVE if is_live else PRE_INITIALIZING

    # life

    async def start(self) -> None:
        """Begin to ask for a certificate and a configuration; returns at once."""
        await self.admin.start()
        self.identity.load()
        await self.data_plane.start()
        self.tasks.spawn("certificate", self.identity.run())
        self.tasks.spawn("xds", self._run_xds())
        self.tasks.spawn("listener retry", ListenerRetry(self.runtime, self._on_listener_recovered).run())
        self.tasks.spawn("metrics", self.metrics.run())

    async def wait_serving(self) -> None:
        """Until there is a configuration and a certificate: requests of the application may come."""
        await self.configured.wait()
        await self.identity.ready.wait()

    @property
    def drain_time(self) -> float:
        """The flag's, or else what MeshConfig says."""
        told = self._options.drain_time
        if told is None:
            told = self.xds.settings.termination_drain
        return DRAIN_SECONDS if told is None else told

    async def fail_health(self, is_failed: bool) -> None:
        """Send clients elsewhere, or no longer: not ready, and each response to them is the last on its connection."""
        self.has_failed_health = is_failed
        self._on_health_failed()
        if is_failed:
            await self.data_plane.announce_drain(inbound_only=self.node.type == SIDECAR)
        else:
            await self.data_plane.revoke_drain()

    async def drain(self, inbound_only: bool = False, unawaited: Collection[Address] = ()) -> None:
        """See DataPlane.drain. The drain time begins with the first call, and is for all of them."""
        now = time.monotonic()
        if not self.is_draining:
            self.is_draining = True
            self._drain_deadline = now + self.drain_time
        await self.data_plane.drain(max(0.0, self._drain_deadline - now), inbound_only, unawaited)

    async def aclose(self) -> None:
        """The end: close what is open, save what is not saved, send the last telemetry."""
        await self.tasks.aclose()
        self.disk_cache.flush()
        await self.data_plane.aclose()
        await self._flush_metrics()
        await self.admin.aclose()
        self.control.close()
        self._instance.release()

    def describe_ports(self) -> dict[str, object]:
        """For the admin page /ports: the port of each listener by name, and what sidecar and gateway add."""
        listeners = {name: address.port for name, address in self.data_plane.addresses().items()}
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
        if self._before_listening is not None:
            await self._before_listening()
        await self.xds.run()

    def _set_configured(self) -> None:
        self.configured.set()
        self._on_configured()

    def _on_listener_recovered(self) -> None:
        self.xds.tell_held()
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

    async def _flush_metrics(self) -> None:
        try:
            async with asyncio.timeout(_FLUSH_SECONDS):
                await self.metrics.flush()
        except TimeoutError:
            log.debug("the last metrics were not delivered")


def _check_token(token: str | None) -> None:
    if token is None:
        return
    try:
        decode_join_token(token)
    except ControlRefusedError as error:
        raise UsageError(f"{error}; `pymesh control token` prints one") from error
