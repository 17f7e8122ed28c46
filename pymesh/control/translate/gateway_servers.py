"""Which servers a gateway runs at which port: the Gateways that select it, merged. Nothing is emitted here."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from pymesh.control.model.gateway import Gateway, Server
from pymesh.control.model.resource import Resource
from pymesh.control.snapshot.protocol import Protocol, parse_protocol
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.xds import Address, NodeMetadata

_ANY_ADDRESS = "0.0.0.0"
_PRIVILEGED = 1024
_UNPRIVILEGED_OFFSET = 8000
_PASSING = ("PASSTHROUGH", "AUTO_PASSTHROUGH")


class Family(StrEnum):
    """What can share a port: plaintext HTTP, TLS (by server name), or one TCP service."""

    HTTP = "http"
    TLS = "tls"
    TCP = "tcp"


@dataclass(frozen=True, slots=True, eq=False)
class GatewayServer:
    """One server of one Gateway. `hosts` are pairs of namespace (`*`: any) and host. `target` is the port of the
    workload, which differs from the server's where the gateway's Service says so."""

    gateway: str  # namespace/name
    namespace: str
    name: str
    server: Server
    hosts: tuple[tuple[str, str], ...]
    target: int

    @property
    def port(self) -> int:
        return self.server.port.number if self.server.port is not None else 0

    @property
    def protocol(self) -> Protocol | None:
        return parse_protocol(self.server.port.protocol) if self.server.port is not None else None

    @property
    def family(self) -> Family:
        if self.protocol in (Protocol.HTTPS, Protocol.TLS):
            return Family.TLS
        return Family.HTTP if self.protocol is not None and self.protocol.is_http else Family.TCP

    @property
    def route_name(self) -> str:
        """Plaintext servers of an address and port share one route configuration; each HTTPS server has its own."""
        if self.family is Family.HTTP:
            return f"http.{self.target}.{self.server.bind}" if self.server.bind else f"http.{self.target}"
        name = self.server.port.name if self.server.port is not None else ""
        return f"https.{self.port}.{name}.{self.name}.{self.namespace}"

    @property
    def is_passthrough(self) -> bool:
        """TLS does not end here."""
        return self.server.tls is not None and self.family is Family.TLS and self.server.tls.mode in _PASSING

    @property
    def terminates_http(self) -> bool:
        """Requests are seen, because there is no TLS or because it ends here."""
        return self.family is Family.HTTP or (self.protocol is Protocol.HTTPS and not self.is_passthrough)

    @property
    def host_names(self) -> list[str]:
        """Without the namespaces."""
        return [host for _, host in self.hosts]

    @property
    def is_https_redirect(self) -> bool:
        return self.server.tls is not None and self.server.tls.https_redirect


@dataclass(slots=True, eq=False)
class PortServers:
    """All servers of one listener."""

    address: Address
    port: int  # as the Gateways say it
    family: Family
    servers: list[GatewayServer] = field(default_factory=list)

    @property
    def listener_name(self) -> str:
        """Port 0 does not tell two listeners apart, so the Gateways' port joins it."""
        name = f"{self.address.host}_{self.address.port}"
        return name if self.address.port else f"{name}_{self.port}"

    def accepts(self, server: GatewayServer) -> bool:
        """The first server decides what a port speaks, and keeps the host names for which it has TLS."""
        if server.family is not self.family or self.family is Family.TCP:
            return False
        if self.family is Family.HTTP:
            return True
        taken = {host for known in self.servers for host in known.host_names}
        return taken.isdisjoint(server.host_names)


def merged_servers(view: ProxyView) -> list[PortServers]:
    """By port of the workload, oldest Gateway first. Istio: mergeGateways in pilot/pkg/model/gateway.go."""
    ports: dict[tuple[str, int], PortServers] = {}
    taken: set[str] = set()
    for server in _servers(view):
        key = (server.server.bind or _ANY_ADDRESS, server.target)
        found = ports.get(key)
        if found is None:
            address = Address(key[0], bound_port(view.node.metadata, server.port, server.target))
            found = PortServers(address, server.port, server.family)
            if found.listener_name in taken:
                continue  # two ports of Gateways are one on this machine: the older Gateway has it
            taken.add(found.listener_name)
            ports[key] = found
            found.servers.append(server)
        elif found.accepts(server):
            found.servers.append(server)
    return list(ports.values())


def bound_port(node: NodeMetadata, port: int, target: int) -> int:
    """Where a Gateway's port, or the workload's for which it stands, is opened: where `--port-map` says, or 8000 higher
    if only root may open it."""
    for number in (port, target):
        if number in node.port_map:
            return node.port_map[number]
    return target + _UNPRIVILEGED_OFFSET if node.unprivileged and target < _PRIVILEGED else target


def target_port(view: ProxyView, port: int) -> int:
    """The workload's port for one of its Service: of the first that declares it. Istio: resolvePorts in gateway.go."""
    declared = (item for service in view.own_services for item in service.ports if item.number == port)
    found = next(declared, None)
    return found.target if found is not None and isinstance(found.target, int) and found.target else port


def _servers(view: ProxyView) -> Iterator[GatewayServer]:
    for gateway in view.gateways:
        named: set[str] = set()
        for server in gateway.spec.servers:
            if server.port is not None and server.name not in named:
                named.update([server.name] if server.name else [])
                yield _server(gateway, server, target_port(view, server.port.number))


def _server(gateway: Resource[Gateway], server: Server, target: int) -> GatewayServer:
    hosts = tuple(_host(host, gateway.namespace) for host in server.hosts)
    return GatewayServer(f"{gateway.namespace}/{gateway.name}", gateway.namespace, gateway.name, server, hosts, target)


def _host(text: str, owner: str) -> tuple[str, str]:
    namespace, slash, host = text.rpartition("/")
    if not slash:
        return "*", text.lower()
    return (owner if namespace == "." else namespace), host.lower()
