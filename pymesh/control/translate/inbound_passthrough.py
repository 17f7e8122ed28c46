"""Redirected connections to ports of the workload that nobody declared: on to where they were going, if policies let.

Istio: buildInboundPassthroughChains in pilot/pkg/networking/core/listener_inbound.go, getFilterChainMatchOptions in
filterchain_options.go.
"""

from collections.abc import Container, Iterator
from typing import Any

from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.http_connection_manager import build_inbound
from pymesh.control.translate.listener_telemetry import listener_telemetry
from pymesh.control.translate.outbound_chain import HTTP_PROTOCOLS
from pymesh.control.translate.routes import build_inbound_passthrough_routes
from pymesh.control.translate.security_filters import build_network_security_filters, build_security_filters
from pymesh.control.translate.tcp_proxy import build_tcp_proxy
from pymesh.control.translate.tls import build_mesh_server, tls_socket
from pymesh.names import (
    BLACK_HOLE_CLUSTER,
    INBOUND_PASSTHROUGH_CLUSTER,
    MESH_ALPN,
    MESH_HTTP_ALPN,
    VIRTUAL_INBOUND,
)

Chain = dict[str, Any]
Filters = list[dict[str, Any]]

HTTP_CHAIN = f"{VIRTUAL_INBOUND}-catchall-http"
TCP_CHAIN = VIRTUAL_INBOUND


def build_inbound_passthrough(view: ProxyView, declared: Container[int]) -> Iterator[Chain]:
    """For all ports that have no chain; and for those of them that a PeerAuthentication names."""
    yield from _chains(view, None)
    for port in view.mtls_ports:
        if port not in declared:
            # Without a chain of its own, such a port would be taken for one that nobody names.
            yield from list(_chains(view, port)) or [build_black_hole_chain(view, port)]


def build_black_hole_chain(view: ProxyView, port: int) -> Chain:
    """For a port that may not be reached: the listener's own, by which connections would come back for ever, and one
    of strict mTLS where the proxy has no certificate."""
    proxy = build_tcp_proxy(listener_telemetry(view, "SERVER"), BLACK_HOLE_CLUSTER, {"cluster": BLACK_HOLE_CLUSTER})
    return {
        "name": f"{VIRTUAL_INBOUND}-blackhole",
        "filter_chain_match": {"destination_port": port},
        "filters": [proxy],
    }


def _chains(view: ProxyView, port: int | None) -> Iterator[Chain]:
    """HTTP is known by its first bytes, or, inside of mTLS, by what the peer's proxy says."""
    mode = view.inbound_mode(port or 0)
    where: dict[str, Any] = {"destination_port": port} if port else {}
    if mode != "DISABLE" and view.has_certificate:
        tls = where | {"transport_protocol": "tls"}
        http = _http(view, port, tls | {"application_protocols": list(MESH_HTTP_ALPN)})
        yield http | {"transport_socket": tls_socket(build_mesh_server(view.mesh, is_tcp=False))}
        tcp = _tcp(view, port, tls if mode == "STRICT" else tls | {"application_protocols": list(MESH_ALPN)})
        yield tcp | {"transport_socket": tls_socket(build_mesh_server(view.mesh, is_tcp=True))}
    if mode != "STRICT":
        plaintext = where | {"transport_protocol": "raw_buffer"}
        yield _http(view, port, plaintext | {"application_protocols": list(HTTP_PROTOCOLS)})
        yield _tcp(view, port, plaintext)
        yield _tcp(view, port, where | {"transport_protocol": "tls"})


def _http(view: ProxyView, port: int | None, match: dict[str, Any]) -> Chain:
    security = build_security_filters(view, port)
    telemetry, routes = listener_telemetry(view, "SERVER"), build_inbound_passthrough_routes()
    filters: Filters = [build_inbound(view.mesh, telemetry, INBOUND_PASSTHROUGH_CLUSTER, routes, security)]
    return {"name": HTTP_CHAIN, "filter_chain_match": match, "filters": filters}


def _tcp(view: ProxyView, port: int | None, match: dict[str, Any]) -> Chain:
    target = {"cluster": INBOUND_PASSTHROUGH_CLUSTER}
    proxy = build_tcp_proxy(listener_telemetry(view, "SERVER"), INBOUND_PASSTHROUGH_CLUSTER, target)
    filters: Filters = [*build_network_security_filters(view, port), proxy]
    return {"name": TCP_CHAIN, "filter_chain_match": match, "filters": filters}
