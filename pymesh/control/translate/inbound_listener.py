"""A sidecar's inbound listener: who may connect to the application, and how.

Istio: pilot/pkg/networking/core/listener_inbound.go.
"""

from collections.abc import Iterator
from typing import Any

from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.http_connection_manager import build_inbound
from pymesh.control.translate.listener import build_listener
from pymesh.control.translate.listener_filters import TLS_INSPECTION
from pymesh.control.translate.rbac import build_http_rbac, build_network_rbac
from pymesh.control.translate.routes import build_inbound_routes
from pymesh.control.translate.tcp_proxy import build_tcp_proxy
from pymesh.control.translate.tls import build_mesh_server, tls_socket
from pymesh.names import MESH_ALPN, VIRTUAL_INBOUND, inbound_cluster
from pymesh.xds import Resource

Filters = list[dict[str, Any]]


def build_inbound_listener(view: ProxyView) -> Resource | None:
    """None for a proxy without an application, and where only mTLS is allowed but the proxy has no certificate."""
    address = view.node.metadata.inbound
    chains = list(_chains(view)) if address is not None and view.node.metadata.app_port else []
    if address is None or not chains:
        return None
    return build_listener(VIRTUAL_INBOUND, address, "INBOUND", listener_filters=[TLS_INSPECTION], filter_chains=chains)


def _chains(view: ProxyView) -> Iterator[dict[str, Any]]:
    """mTLS of mesh peers; plaintext; the application's own TLS, which is passed on as it is."""
    mode = view.inbound_mode
    if mode != "DISABLE" and view.has_certificate:
        match = {"transport_protocol": "tls", "application_protocols": list(MESH_ALPN)}
        chain = {"name": f"{VIRTUAL_INBOUND}-mtls", "filter_chain_match": match, "filters": _application(view)}
        yield chain | {"transport_socket": tls_socket(build_mesh_server())}
    if mode != "STRICT":
        yield _plain_chain("plaintext", "raw_buffer", _application(view))
        yield _plain_chain("tls", "tls", _application_bytes(view))


def _plain_chain(name: str, transport: str, filters: Filters) -> dict[str, Any]:
    match = {"transport_protocol": transport}
    return {"name": f"{VIRTUAL_INBOUND}-{name}", "filter_chain_match": match, "filters": filters}


def _application(view: ProxyView) -> Filters:
    node = view.node.metadata
    if node.app_protocol == "tcp":
        return _application_bytes(view)
    security = build_http_rbac(view, node.app_port)
    return [build_inbound(view.mesh, f"inbound_0.0.0.0_{node.app_port}", build_inbound_routes(view), security)]


def _application_bytes(view: ProxyView) -> Filters:
    port = view.node.metadata.app_port
    cluster = inbound_cluster(port)
    return [*build_network_rbac(view, port), build_tcp_proxy(cluster, {"cluster": cluster})]
