"""A sidecar's inbound listeners: who may connect to the application, and how.

All of it comes in by virtualInbound, but for the ports that a Sidecar opens beside the application's.
Istio: pilot/pkg/networking/core/listener_inbound.go.
"""

from collections.abc import Iterator
from typing import Any

from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.http_connection_manager import build_inbound
from pymesh.control.translate.inbound_ports import InboundPort, inbound_ports
from pymesh.control.translate.listener import build_listener
from pymesh.control.translate.listener_filters import ORIGINAL_DESTINATION, TLS_INSPECTION
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
    chains = [chain for port in captured for chain in _chains(view, port, port is not captured[0])]
    if address is not None and chains:
        yield _listener(VIRTUAL_INBOUND, address, chains)
    for port in ports:
        chains = list(_chains(view, port, asks_for_port=False)) if port.bind else []
        if chains:
            yield _listener(f"{port.bind}_{port.number}", Address(port.bind, port.number), chains)


def _listener(name: str, address: Address, chains: list[Chain]) -> Resource:
    """By their original destination, redirected connections tell for which port they are."""
    asks_for_port = any("destination_port" in chain["filter_chain_match"] for chain in chains)
    filters = [ORIGINAL_DESTINATION, TLS_INSPECTION] if asks_for_port else [TLS_INSPECTION]
    return build_listener(name, address, "INBOUND", listener_filters=filters, filter_chains=chains)


def _chains(view: ProxyView, port: InboundPort, asks_for_port: bool) -> Iterator[Chain]:
    """mTLS of mesh peers; plaintext; the application's own TLS, which is passed on as it is."""
    mode = view.inbound_mode(port.number)
    if mode != "DISABLE" and view.has_certificate:
        match: dict[str, Any] = {"transport_protocol": "tls"}
        if mode != "STRICT":  # there, other TLS is none of the application's, and fails for want of a certificate
            match["application_protocols"] = list(MESH_ALPN)
        chain = _chain(port, asks_for_port, match, _application(view, port))
        yield chain | {"transport_socket": tls_socket(build_mesh_server())}
    if mode != "STRICT":
        yield _chain(port, asks_for_port, {"transport_protocol": "raw_buffer"}, _application(view, port))
        yield _chain(port, asks_for_port, {"transport_protocol": "tls"}, _application_bytes(view, port))


def _chain(port: InboundPort, asks_for_port: bool, match: dict[str, Any], filters: Filters) -> Chain:
    """As in Istio, the chains of a port have one name."""
    where = {"destination_port": port.number} if asks_for_port else {}
    return {"name": f"{port.bind or _ANY}_{port.number}", "filter_chain_match": where | match, "filters": filters}


def _application(view: ProxyView, port: InboundPort) -> Filters:
    if not port.is_http:
        return _application_bytes(view, port)
    security = build_security_filters(view, port.number)
    routes = build_inbound_routes(view, port)
    return [build_inbound(listener_telemetry(view, "SERVER"), f"inbound_0.0.0.0_{port.number}", routes, security)]


def _application_bytes(view: ProxyView, port: InboundPort) -> Filters:
    proxy = build_tcp_proxy(listener_telemetry(view, "SERVER"), port.cluster, {"cluster": port.cluster})
    return [*build_network_security_filters(view, port.number), proxy]
