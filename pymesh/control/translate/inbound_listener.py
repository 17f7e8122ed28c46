"""A sidecar's inbound listeners: who may connect to the application, and how.

All of it comes in by virtualInbound, but for the ports that a Sidecar opens beside the application's. Where connections
are redirected, so do those to ports that nobody declared.
Istio: pilot/pkg/networking/core/listener_inbound.go.
"""

from collections.abc import Iterator
from typing import Any

from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.http_connection_manager import build_inbound
from pymesh.control.translate.inbound_passthrough import build_black_hole_chain, build_inbound_passthrough
from pymesh.control.translate.inbound_ports import InboundPort, inbound_ports
from pymesh.control.translate.listener import build_listener
from pymesh.control.translate.listener_filters import (
    ORIGINAL_DESTINATION,
    TLS_INSPECTION,
    build_detection_timeout,
    build_http_inspection,
)
from pymesh.control.translate.listener_telemetry import listener_telemetry
from pymesh.control.translate.routes import build_inbound_routes
from pymesh.control.translate.security_filters import build_network_security_filters, build_security_filters
from pymesh.control.translate.tcp_proxy import build_tcp_proxy
from pymesh.control.translate.tls import build_mesh_server, tls_socket
from pymesh.names import MESH_ALPN, VIRTUAL_INBOUND
from pymesh.xds import Address, Resource

Chain = dict[str, Any]
Filters = list[dict[str, Any]]

_ANY = "0.0.0.0"


def build_inbound_listeners(view: ProxyView) -> Iterator[Resource]:
    """None for a proxy without an application, and where only mTLS is allowed but the proxy has no certificate."""
    ports = list(inbound_ports(view))
    address = view.node.metadata.inbound
    captured = [port for port in ports if not port.bind]
    if address is not None:
        yield from (_redirected if view.is_redirected else _explicit)(view, address, captured)
    for port in ports:
        chains = list(_chains(view, port)) if port.bind else []
        if chains:
            yield _listener(view, f"{port.bind}_{port.number}", Address(port.bind, port.number), chains)


def _explicit(view: ProxyView, address: Address, ports: list[InboundPort]) -> Iterator[Resource]:
    """Peers connect to the listener itself, and mean the application's one port."""
    chains = [chain for port in ports for chain in _chains(view, port)]
    if chains:
        yield _listener(view, VIRTUAL_INBOUND, address, chains)


def _listener(view: ProxyView, name: str, address: Address, chains: list[Chain]) -> Resource:
    return build_listener(
        name,
        address,
        "INBOUND",
        listener_filters=[TLS_INSPECTION],
        filter_chains=chains,
        **build_detection_timeout(view.mesh),
    )


def _redirected(view: ProxyView, address: Address, ports: list[InboundPort]) -> Iterator[Resource]:
    """Connections tell by their original destination for which port they are. Peers may connect to the listener itself,
    too, and mean the application's own port."""
    own = next((port for port in ports if port.number == view.node.metadata.app_port), None)
    numbers = {port.number: port for port in ports} | ({address.port: own} if own is not None else {})
    chains = [chain for number, port in numbers.items() for chain in _redirected_chains(view, port, number)]
    if own is None:
        chains.append(build_black_hole_chain(view, address.port))
    chains += build_inbound_passthrough(view, numbers)
    yield build_listener(
        VIRTUAL_INBOUND,
        address,
        "INBOUND",
        listener_filters=[ORIGINAL_DESTINATION, TLS_INSPECTION, build_http_inspection(except_for=numbers)],
        filter_chains=chains,
        **({"continue_on_listener_filters_timeout": True} | build_detection_timeout(view.mesh)),
    )


def _redirected_chains(view: ProxyView, port: InboundPort, number: int) -> list[Chain]:
    """Never none: connections to a port without a chain of its own would find those for ports that nobody declared."""
    return list(_chains(view, port, number)) or [build_black_hole_chain(view, number)]


def _chains(view: ProxyView, port: InboundPort, destination_port: int = 0) -> Iterator[Chain]:
    """mTLS of mesh peers; plaintext; the application's own TLS, which is passed on as it is. `destination_port`: they
    are for connections to this one, if any is given."""
    mode = view.inbound_mode(port.number)
    where: dict[str, Any] = {"destination_port": destination_port} if destination_port else {}
    if mode != "DISABLE" and view.has_certificate:
        match = where | {"transport_protocol": "tls"}
        if mode != "STRICT":  # there, other TLS is none of the application's, and fails for want of a certificate
            match["application_protocols"] = list(MESH_ALPN)
        chain = _chain(port, match, _application(view, port))
        yield chain | {"transport_socket": tls_socket(build_mesh_server(view.mesh, is_tcp=not port.is_http))}
    if mode != "STRICT":
        yield _chain(port, where | {"transport_protocol": "raw_buffer"}, _application(view, port))
        yield _chain(port, where | {"transport_protocol": "tls"}, _application_bytes(view, port))


def _chain(port: InboundPort, match: dict[str, Any], filters: Filters) -> Chain:
    """As in Istio, the chains of a port have one name."""
    return {"name": f"{port.bind or _ANY}_{port.number}", "filter_chain_match": match, "filters": filters}


def _application(view: ProxyView, port: InboundPort) -> Filters:
    if not port.is_http:
        return _application_bytes(view, port)
    security = build_security_filters(view, port.number)
    routes = build_inbound_routes(view, port)
    return [
        build_inbound(view.mesh, listener_telemetry(view, "SERVER"), f"inbound_0.0.0.0_{port.number}", routes, security)
    ]


def _application_bytes(view: ProxyView, port: InboundPort) -> Filters:
    proxy = build_tcp_proxy(listener_telemetry(view, "SERVER"), port.cluster, {"cluster": port.cluster})
    return [*build_network_security_filters(view, port.number), proxy]
