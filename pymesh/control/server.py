"""The control plane's composition: what there is, in which order it starts, and how it ends."""

import asyncio
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import uvloop

from pymesh.control.api.routes import api_routes
from pymesh.control.ca.authority import CertificateAuthority, open_authority
from pymesh.control.ca.join_token import TokenAuthority
from pymesh.control.ca.join_token_file import JoinTokenFile, open_token_authority
from pymesh.control.ca.routes import ca_routes
from pymesh.control.ca.server_certificate import ServerCertificate
from pymesh.control.controller import Controller
from pymesh.control.debug import debug_routes, health_routes
from pymesh.control.jwks_cache import JwksCache
from pymesh.control.listeners import HttpListener, monitoring_listener, plaintext_listener, tls_listener
from pymesh.control.mesh_config_source import MeshConfigSource
from pymesh.control.metrics import ControlMetrics
from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.model.resource import Resource
from pymesh.control.registry.registry import Registry
from pymesh.control.registry.routes import registry_routes
from pymesh.control.snapshot.jwks_source import jwks_sources
from pymesh.control.snapshot.mesh_snapshot import MeshSnapshot
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.startup_config import read_mesh_config, read_resources, upsert
from pymesh.control.status.writer import StatusWriter
from pymesh.control.store.errors import StoreError
from pymesh.control.store.memory import MemoryStore
from pymesh.control.store.sqlite import open_sqlite_store
from pymesh.control.telemetry.collector import Collector
from pymesh.control.telemetry.routes import collector_routes, monitoring_routes
from pymesh.control.translate.build import build
from pymesh.control.xds.publisher import Publisher
from pymesh.control.xds.routes import discovery_routes
from pymesh.errors import UsageError
from pymesh.protojson import parse_go_duration
from pymesh.state_dir import ControlAddresses, FileLock, StateDir, private_directory, write_private
from pymesh.tasks import TaskGroup
from pymesh.xds import POLL_SECONDS, Address, Node, ProxySettings
from pymesh.xds import Resource as XdsResource

LISTEN = Address("127.0.0.1", 15010)
TLS_LISTEN = Address("0.0.0.0", 15012)
MONITORING = Address("127.0.0.1", 15014)

_FORGET_SECONDS = 30.0


class ControlOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The flags of `pymesh control`."""

    state_dir: StateDir
    listen: Address = LISTEN
    tls_listen: Address = TLS_LISTEN
    monitoring: Address = MONITORING
    mesh_config: Path | None = None
    config: tuple[Path, ...] = ()
    poll_seconds: float = POLL_SECONDS


def run_control(options: ControlOptions, say: Callable[[str], None]) -> None:
    """Run a control plane until SIGTERM or SIGINT; `say` is given one line when it is ready. Raises UsageError."""
    uvloop.run(_run(options, say))


class ControlPlane:
    """Everything of one control plane. After `start`, also after one that raised, `aclose` ends what there is."""

    def __init__(self, options: ControlOptions) -> None:
        self.addresses = ControlAddresses()
        self._options = options
        self._lock = FileLock(options.state_dir.control_lock)
        self.tasks = TaskGroup()
        self._listeners: list[HttpListener] = []
        self._parts: _Parts | None = None

    async def start(self) -> None:
        """Raises UsageError."""
        options = self._options
        mesh = MeshConfigSource(read_mesh_config(options.mesh_config))
        resources = read_resources(options.config)
        self._take_state_dir()
        self._parts = parts = await _assemble(options.state_dir, mesh, resources)
        self._listeners = _listeners(options, parts, self.tasks)
        for listener in self._listeners:
            await listener.start()
        self._announce()
        self._start_tasks(parts)

    async def aclose(self) -> None:
        """End the polls, then the listeners, then what is behind them."""
        if self._parts is not None:
            self._parts.publisher.close()
        await asyncio.gather(*(listener.aclose() for listener in self._listeners))
        await self.tasks.aclose()
        if self._parts is not None:
            await self._parts.jwks.aclose()
            await self._parts.store.aclose()
        self._lock.release()

    def _take_state_dir(self) -> None:
        state_dir = self._options.state_dir
        private_directory(state_dir.control)
        if not self._lock.acquire():
            raise UsageError(f"another control plane runs with the state dir {state_dir.path}")

    def _announce(self) -> None:
        """Proxies and commands on this machine find us from here on."""
        self.addresses = ControlAddresses(*(listener.url for listener in self._listeners))
        write_private(self._options.state_dir.addresses, msgspec.json.encode(self.addresses))

    def _start_tasks(self, parts: "_Parts") -> None:
        jwks = parts.jwks
        controller = Controller(
            parts.store, parts.mesh, parts.publisher.publish, parts.metrics, partial(_build_snapshot, jwks)
        )
        jwks.on_change = controller.refresh
        self.tasks.spawn("controller", controller.run())
        self.tasks.spawn("lease sweep", parts.registry.sweep_forever())
        self.tasks.spawn("server certificate renewal", parts.certificate.renew_forever())
        self.tasks.spawn("join token renewal", parts.join_token_file.keep_fresh())
        self.tasks.spawn("status conditions", StatusWriter(parts.store, parts.publisher, parts.mesh).run())
        self.tasks.spawn("proxy status", _forget_forever(parts.publisher))


class _Parts(NamedTuple):
    mesh: MeshConfigSource
    metrics: ControlMetrics
    store: MemoryStore
    publisher: Publisher[MeshSnapshot]
    registry: Registry
    authority: CertificateAuthority
    tokens: TokenAuthority
    join_token_file: JoinTokenFile
    certificate: ServerCertificate
    jwks: JwksCache


async def _assemble(state_dir: StateDir, mesh: MeshConfigSource, resources: list[Resource[Any]]) -> _Parts:
    metrics = ControlMetrics()
    authority = open_authority(state_dir.ca, mesh.mesh.trust_domain)
    tokens = open_token_authority(authority, state_dir.ca)
    join_token_file = JoinTokenFile(tokens, state_dir.join_token)
    join_token_file.write()
    certificate = ServerCertificate(authority, state_dir.ca, metrics)
    store = await _open_store(state_dir, resources)
    registry = Registry(store)
    await registry.start()
    publisher = Publisher(build_resources, metrics, settings_of=build_settings)
    return _Parts(
        mesh, metrics, store, publisher, registry, authority, tokens, join_token_file, certificate, JwksCache()
    )


async def _open_store(state_dir: StateDir, resources: list[Resource[Any]]) -> MemoryStore:
    try:
        store = open_sqlite_store(state_dir.database)
        await upsert(store, resources)
    except StoreError as error:
        raise UsageError(str(error)) from error
    return store


def _listeners(options: ControlOptions, parts: _Parts, tasks: TaskGroup) -> list[HttpListener]:
    """Plaintext, TLS, monitoring."""
    collector = Collector()
    for_proxies = [
        *discovery_routes(parts.publisher, options.poll_seconds),
        *registry_routes(parts.registry, parts.publisher),
        *ca_routes(parts.authority, parts.tokens, parts.metrics, lambda: parts.mesh.mesh.trust_domain),
        *collector_routes(collector),
    ]
    for_operators = [
        *monitoring_routes(collector, parts.metrics.registry),
        *debug_routes(parts.publisher),
        *health_routes(parts.publisher, tasks),
    ]
    return [
        plaintext_listener(options.listen, [*api_routes(parts.store), *for_proxies, *for_operators]),
        tls_listener(options.tls_listen, for_proxies, parts.certificate.context),
        monitoring_listener(options.monitoring, for_operators),
    ]


def _build_snapshot(jwks: JwksCache, resources: list[Resource[Any]], mesh: MeshConfig, revision: int) -> MeshSnapshot:
    return MeshSnapshot.build(resources, mesh, revision, jwks.want(jwks_sources(resources)))


def build_resources(snapshot: MeshSnapshot, node: Node) -> dict[str, dict[str, XdsResource]]:
    return build(ProxyView(snapshot, node))


def build_settings(snapshot: MeshSnapshot) -> ProxySettings:
    told = snapshot.mesh.default_config.termination_drain_duration
    return ProxySettings(parse_go_duration(told) if told else None)


async def _forget_forever(publisher: Publisher[MeshSnapshot]) -> None:
    while True:
        await asyncio.sleep(_FORGET_SECONDS)
        publisher.forget_idle()


async def _run(options: ControlOptions, say: Callable[[str], None]) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    control = ControlPlane(options)
    try:
        await control.start()
        addresses = control.addresses
        say(
            f"pymesh control is ready: {addresses.listen} tls {addresses.tls} "
            f"monitoring {addresses.monitoring} state {options.state_dir.path}"
        )
        await stopped.wait()
    finally:
        await control.aclose()
