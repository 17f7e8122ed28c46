"""The sidecar: a proxy beside one application. Its ports, its place in the registry, its end.

It binds its ports before it has any configuration, because the control plane is told where it listens; it registers
as soon as it can serve, healthy only while the application answers; it leaves the registry before it drains.
"""

import asyncio

from pymesh.names import (
    APP_LABEL,
    CANONICAL_NAME_LABEL,
    CANONICAL_REVISION_LABEL,
    DEFAULT_DOMAIN,
    TLS_MODE_LABEL,
    VERSION_LABEL,
)
from pymesh.proxy.instance import claim_instance
from pymesh.proxy.options import SidecarOptions
from pymesh.proxy.probe import AppProbe
from pymesh.proxy.registration import Lease
from pymesh.proxy.server import ProxyServer
from pymesh.proxy.sidecar_ports import APP_HOST, SidecarPorts
from pymesh.proxy.sockets import advertised_host
from pymesh.xds import SIDECAR, Address, Node, NodeMetadata, Registration, parse_node_locality


class Sidecar:
    """One sidecar, from the first bound port to the last closed connection."""

    def __init__(self, options: SidecarOptions) -> None:
        self._options = options
        self._instance = claim_instance(options.proxy.state_dir, options.namespace, options.key, options.workload_name)
        self.ports = SidecarPorts(options, self._instance)
        self._advertised = options.advertise or advertised_host(options.inbound_listen.host)
        self.server = ProxyServer(
            options.proxy,
            self._build_node(),
            self._instance,
            self.ports.admin_socket,
            self.ports.sockets,
            own_ports=self.ports.describe,
            on_health_failed=self._on_health,
            before_listening=self._end_predecessor,
        )
        self.probe = AppProbe(self.ports.app_port, self._on_health, APP_HOST, waits=bool(options.workload_group))
        self.lease = Lease(
            self.server.control,
            options.namespace,
            self._instance.name,
            self._build_registration(),
            self._instance.note_registered,
            self.probe.use,
        )
        self._on_health()
        self._lease_task: asyncio.Task[None] | None = None

    @property
    def addresses(self) -> str:
        """One line: who it is and where it listens."""
        ports = self.ports
        places = [f"inbound {ports.inbound}"] if ports.inbound else []
        places += [f"outbound {ports.outbound}"]
        places += [f"{u.service}:{u.port} at {APP_HOST}:{u.local_port}" for u in ports.upstreams]
        return f"pymesh proxy {self._instance.name}: {', '.join([*places, f'admin {ports.admin}'])}"

    # life

    async def start(self) -> None:
        await self.server.start()
        self.server.tasks.spawn("app probe", self.probe.run())
        self.server.tasks.spawn("registration", self._register())

    async def wait_serving(self) -> None:
        """Until the application's own requests can be served."""
        await self.server.wait_serving()

    async def wait_ready(self) -> None:
        """Until it serves, the application answers, and the registry knows: whoever waits for this before it stops
        another instance leaves no moment without an endpoint."""
        await self.server.wait_serving()
        if self.ports.app_port:
            await self.lease.announced.wait()

    async def wait_quit(self) -> None:
        await self.server.quit.wait()

    async def leave(self) -> None:
        """Leave the registry; returns when the peers know, so that they send nothing more."""
        if self._lease_task is None:
            return
        self._lease_task.cancel()
        self._lease_task = None
        await self.lease.leave()

    async def drain_inbound(self) -> None:
        """Leave, and finish what others have asked. The application may call others until the end."""
        await self.leave()
        await self.server.drain(inbound_only=True)

    async def drain(self) -> None:
        """The connections that the application holds to its TCP upstreams are its own to close."""
        await self.drain_inbound()
        unawaited = [Address(APP_HOST, upstream.local_port) for upstream in self.ports.upstreams]
        await self.server.drain(unawaited=unawaited)

    async def aclose(self) -> None:
        await self.server.aclose()

    async def _end_predecessor(self) -> None:
        """One that was killed, on the same port, is healthy for its peers until its lease ends: what they send now
        would find a proxy whose application has not started."""
        if self._instance.is_registered:
            await self.lease.leave()

    async def _register(self) -> None:
        await self.server.wait_serving()
        if self.ports.app_port:
            self._lease_task = self.server.tasks.spawn("lease", self.lease.keep())

    def _on_health(self) -> None:
        self.server.app_answers = self.probe.is_healthy
        self.lease.set_healthy(self.probe.is_healthy and not self.server.has_failed_health)

    # who it is

    def _build_node(self) -> Node:
        options, ports = self._options, self.ports
        metadata = NodeMetadata(
            name=self._instance.name,
            namespace=options.namespace,
            workload_name=options.workload_name,
            labels=self._labels(),
            service_account=options.service_account,
            service=options.service,
            app_port=ports.app_port,
            app_protocol=options.app_protocol,
            inbound=ports.inbound,
            outbound=ports.outbound,
            upstreams=ports.upstreams,
            interception_mode=options.interception_mode,
        )
        domain = f"{options.namespace}.svc.{DEFAULT_DOMAIN}"
        node_id = f"{SIDECAR}~{self._advertised}~{self._instance.name}.{options.namespace}~{domain}"
        locality = parse_node_locality(options.proxy.locality)
        return Node(node_id, f"{options.service}.{options.namespace}", metadata, locality)

    def _build_registration(self) -> Registration:
        options = self._options
        return Registration(
            service=options.service,
            workload_name=options.workload_name,
            address=self._advertised,
            port=self.ports.inbound.port if self.ports.inbound else 0,
            app_port=self.ports.app_port,
            app_protocol=options.app_protocol,
            service_account=options.service_account,
            labels=self._labels(),
            healthy=False,
            locality=options.proxy.locality,
            group=options.workload_group,
        )

    def _labels(self) -> dict[str, str]:
        options = self._options
        own = {TLS_MODE_LABEL: "istio"}
        if options.version:
            own |= {VERSION_LABEL: options.version, CANONICAL_REVISION_LABEL: options.version}
        if not options.workload_group:  # which may know better
            own |= {APP_LABEL: options.service, CANONICAL_NAME_LABEL: options.service}
        return own | options.labels
