"""EgressScope: what a sidecar sees on one port, or on all ports that have no scope of their own."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from pymesh.control.model.sidecar import IstioEgressListener
from pymesh.control.snapshot.host_index import HostIndex, covering_hosts, is_subset
from pymesh.control.snapshot.imports import Imports
from pymesh.control.snapshot.mesh_service import MeshPort, MeshService
from pymesh.control.snapshot.protocol import Protocol, parse_protocol
from pymesh.control.snapshot.virtual_services import VirtualServiceRule, index_by_host

HTTP_PROXY_PROTOCOL = "HTTP_PROXY"


@dataclass(frozen=True, slots=True, eq=False)
class EgressScope:
    """`port` None: every port of every service. `bind` is an IP address, `unix://PATH`, or empty.

    `is_captured`: traffic arrives by redirection, where the proxy has any. `is_http_proxy`: the port takes requests to
    all ports of the services. `rules` are VirtualServices by precedence.
    """

    services: dict[str, MeshService]
    rules: tuple[VirtualServiceRule, ...]
    port: MeshPort | None = None
    bind: str = ""
    is_captured: bool = True
    is_http_proxy: bool = False
    rules_by_host: HostIndex[VirtualServiceRule] = field(init=False)
    _l4_rules: dict[str, list[tuple[int, VirtualServiceRule]]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rules_by_host", index_by_host(self.rules))
        object.__setattr__(self, "_l4_rules", _l4_rules_by_host(self.rules))

    def l4_rules(self, host: str) -> list[VirtualServiceRule]:
        """Those with routes for TCP or TLS whose hosts have to do with a service's: all of them count, in their order.

        Istio: getConfigsForHost in pilot/pkg/networking/core/tls.go.
        """
        if host.startswith("*"):
            hosts = [one for one in self._l4_rules if is_subset(one, host) or is_subset(host, one)]
        else:
            hosts = list(covering_hosts(host))
        found = {order: rule for one in hosts for order, rule in self._l4_rules.get(one, ())}
        return [found[order] for order in sorted(found)]


def build_egress_scope(
    listener: IstioEgressListener,
    owner: str,
    services: Iterable[MeshService],
    rules: Iterable[VirtualServiceRule],
) -> EgressScope:
    """`services` and `rules` are all that is visible, best candidates of a host first; `owner` is the Sidecar's
    namespace. Istio: convertIstioListenerToWrapper in pilot/pkg/model/sidecar.go."""
    imports = Imports(listener.hosts, owner)
    port = _port(listener)
    is_http_proxy = listener.port is not None and listener.port.protocol.upper() == HTTP_PROXY_PROTOCOL
    wanted = port.number if port is not None and not is_http_proxy else 0
    found = (service for service in services if imports.include_service(service.namespace, service.host))
    return EgressScope(
        services=_one_of_each_host(_at_port(found, wanted), owner),
        rules=tuple(rule for rule in rules if imports.include_rule(rule.namespace, rule.hosts)),
        port=port,
        bind=listener.bind,
        is_captured=listener.capture_mode != "NONE" and not listener.bind.startswith("unix://"),
        is_http_proxy=is_http_proxy,
    )


def services_behind(scope: EgressScope, visible: Mapping[str, MeshService], owner: str) -> dict[str, MeshService]:
    """Those that the VirtualServices of a scope lead to, with the ports that may be asked for.

    Istio: serviceMatchingPort in pilot/pkg/model/sidecar.go.
    """
    listened = scope.port.number if scope.port is not None and not scope.is_http_proxy else 0
    found: dict[str, MeshService] = {}
    for rule in scope.rules:
        for host, numbers in rule.destinations(owner).items():
            service = visible.get(host)
            wanted = {listened} if listened else numbers
            if service is not None and (service := _with_ports(service, wanted)).ports:
                found[host] = join_ports(found[host], service) if host in found else service
    return found


def join_ports(before: MeshService, more: MeshService) -> MeshService:
    """What several listeners import of one service is joined; another service of the host adds nothing."""
    if before.order != more.order:
        return before
    known = {port.number for port in before.ports}
    added = tuple(port for port in more.ports if port.number not in known)
    return replace(before, ports=before.ports + added) if added else before


def _with_ports(service: MeshService, numbers: set[int]) -> MeshService:
    """0: all of them."""
    if 0 in numbers or all(port.number in numbers for port in service.ports):
        return service
    return replace(service, ports=tuple(port for port in service.ports if port.number in numbers))


def _l4_rules_by_host(rules: Iterable[VirtualServiceRule]) -> dict[str, list[tuple[int, VirtualServiceRule]]]:
    found: dict[str, list[tuple[int, VirtualServiceRule]]] = {}
    for order, rule in enumerate(rules):
        if rule.spec.tcp or rule.spec.tls:
            for host in rule.hosts:
                found.setdefault(host, []).append((order, rule))
    return found


def _port(listener: IstioEgressListener) -> MeshPort | None:
    told = listener.port
    if told is None:
        return None
    protocol = Protocol.HTTP if told.protocol.upper() == HTTP_PROXY_PROTOCOL else parse_protocol(told.protocol)
    return MeshPort(told.name, told.number, protocol or Protocol.AUTO)


def _at_port(services: Iterable[MeshService], number: int) -> Iterator[MeshService]:
    """A listener for one port imports the services that have it, and of those this port only."""
    for service in services:
        if not number:
            yield service
        elif (port := service.port(number)) is not None:
            yield replace(service, ports=(port,))


def _one_of_each_host(services: Iterable[MeshService], owner: str) -> dict[str, MeshService]:
    """The one of the owner's namespace, else the first."""
    found: dict[str, MeshService] = {}
    for service in services:
        if service.host not in found or service.namespace == owner != found[service.host].namespace:
            found[service.host] = service
    return found
