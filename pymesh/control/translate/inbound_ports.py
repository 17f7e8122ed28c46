"""The ports at which a sidecar takes traffic for its application, and where each leads.

The application's own port is told by the proxy; a Sidecar's `ingress` may redirect it and add others. Where connections
are redirected and no Sidecar has a say, so may the services that lead to other ports of the workload.
"""

from collections.abc import Iterator
from typing import NamedTuple

from pymesh.control.model.destination_rule import ConnectionPoolSettings
from pymesh.control.model.sidecar import IstioIngressListener
from pymesh.control.snapshot.mesh_service import MeshService
from pymesh.control.snapshot.protocol import Protocol, parse_protocol
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.domains import portless_port
from pymesh.control.translate.traffic_policy import effective_policy
from pymesh.names import inbound_cluster

_LOOPBACK = "127.0.0.1"
_UNIX = "unix://"
_ANY = "0.0.0.0"


class InboundPort(NamedTuple):
    """`endpoint` is the application's IP address or `unix://PATH`, then with `endpoint_port` 0.

    `bind`: the address of a listener of its own; empty where the connections come in by virtualInbound.
    """

    number: int
    protocol: Protocol
    endpoint: str
    endpoint_port: int
    pool: ConnectionPoolSettings | None = None
    bind: str = ""

    @property
    def is_http(self) -> bool:
        return self.protocol.is_http

    @property
    def cluster(self) -> str:
        return inbound_cluster(self.number)


def inbound_ports(view: ProxyView) -> Iterator[InboundPort]:
    """The application's own port comes first. No two have the same number."""
    found: dict[int, InboundPort] = {}
    for port in _ports(view):
        found.setdefault(port.number, port)
    yield from found.values()


def _ports(view: ProxyView) -> Iterator[InboundPort]:
    node = view.node.metadata
    own = _own_ingress(view)
    if node.app_port:
        endpoint = _endpoint(view, own, node.app_port)
        yield InboundPort(node.app_port, _app_protocol(view, own), *endpoint, _pool(view, own))
    for ingress in _ingress(view):
        if ingress is not own and ingress.port is not None:
            yield _further_port(view, ingress, ingress.port.number)
    if view.is_redirected and not _ingress(view):
        yield from _service_ports(view)


def _service_ports(view: ProxyView) -> Iterator[InboundPort]:
    """Those whose protocol a service tells. The ports of one that nobody declared are the application's own."""
    for service in view.own_services:
        for port in service.ports if not service.is_automatic else ():
            number = port.number if port.target is None else port.target
            if isinstance(number, int) and port.protocol not in (Protocol.UDP, Protocol.AUTO):
                yield InboundPort(number, port.protocol, _LOOPBACK, number, _pool(view, None))


def _further_port(view: ProxyView, ingress: IstioIngressListener, number: int) -> InboundPort:
    assert ingress.port is not None
    protocol = parse_protocol(ingress.port.protocol) or Protocol.TCP
    is_bound = not view.is_redirected or ingress.capture_mode == "NONE"
    bind = (ingress.bind or _ANY) if is_bound else ""
    return InboundPort(number, protocol, *_endpoint(view, ingress, number), _pool(view, ingress), bind)


def _app_protocol(view: ProxyView, own: IstioIngressListener | None) -> Protocol:
    """Whether it is HTTP the sidecar knows best; which HTTP, the Sidecar or the service that leads to the port says."""
    told = parse_protocol(view.node.metadata.app_protocol) or Protocol.HTTP
    if told is not Protocol.HTTP:
        return told
    declared = parse_protocol(own.port.protocol) if own is not None and own.port is not None else None
    if declared is None and view.own_service is not None:
        declared = _service_protocol(view.own_service, view.node.metadata.app_port)
    return declared if declared is not None and declared.is_http else told


def _service_protocol(service: MeshService, target: int) -> Protocol | None:
    """All ports of a service lead to the application's one, but those that name it count first. AUTO where some say
    HTTP/2 and others HTTP/1.1: then the clients know."""
    ports = [port for port in service.ports if port.protocol.is_http]
    ports = [port for port in ports if (port.target or port.number) == target] or ports
    if len({port.protocol.is_http2 for port in ports}) > 1:
        return Protocol.AUTO
    return ports[0].protocol if ports else None


def _ingress(view: ProxyView) -> tuple[IstioIngressListener, ...]:
    return view.sidecar.spec.ingress if view.sidecar is not None else ()


def _own_ingress(view: ProxyView) -> IstioIngressListener | None:
    """What speaks of the application's port, or of a port by which its service is called."""
    by_number = {item.port.number: item for item in reversed(_ingress(view)) if item.port is not None}
    service = view.own_service
    numbers = [view.node.metadata.app_port, *(port.number for port in (service.ports if service is not None else ()))]
    return next((by_number[number] for number in numbers if number in by_number), None)


def _endpoint(view: ProxyView, ingress: IstioIngressListener | None, port: int) -> tuple[str, int]:
    told = ingress.default_endpoint if ingress is not None else ""
    if told.startswith(_UNIX):
        return told, 0
    if not told:
        return _LOOPBACK, port
    host, _, number = told.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    is_own = host in (_ANY, "::") and view.own_address
    return view.own_address if is_own else host or _LOOPBACK, int(number)


def _pool(view: ProxyView, ingress: IstioIngressListener | None) -> ConnectionPoolSettings | None:
    """The Sidecar's port, the Sidecar, the DestinationRule's port, the DestinationRule: the first that says something.

    Istio: buildInboundCluster in pilot/pkg/networking/core/cluster.go.
    """
    if ingress is not None and ingress.connection_pool is not None:
        return ingress.connection_pool
    if view.sidecar is not None and view.sidecar.spec.inbound_connection_pool is not None:
        return view.sidecar.spec.inbound_connection_pool
    return _pool_of_service(view)


def _pool_of_service(view: ProxyView) -> ConnectionPoolSettings | None:
    """One inbound port serves all ports of the service: the one that clients mean without naming one decides."""
    service = view.own_service
    rule = view.destination_rule(service) if service is not None else None
    if service is None or rule is None:
        return None
    port = portless_port(service) or service.ports[0]
    return effective_policy(rule, port.number).connection_pool
