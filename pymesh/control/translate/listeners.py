"""A sidecar's listeners: the outbound HTTP proxy, or those of captured traffic; TCP upstreams; the inbound one."""

from collections.abc import Iterator
from typing import Any

from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.config_source import socket_address
from pymesh.control.translate.http_connection_manager import build_inbound, build_outbound, rds
from pymesh.control.translate.listener_filters import TLS_INSPECTION
from pymesh.control.translate.outbound_listeners import build_outbound_listeners
from pymesh.control.translate.passthrough import build_virtual_outbound
from pymesh.control.translate.routes import build_inbound_routes
from pymesh.control.translate.tcp_proxy import build_service_proxy, build_tcp_proxy
from pymesh.control.translate.tcp_routes import build_tcp_target
from pymesh.control.translate.tls import build_mesh_server, tls_socket
from pymesh.names import HTTP_PROXY, MESH_ALPN, VIRTUAL_INBOUND, inbound_cluster, outbound_cluster, resolve_host
from pymesh.xds import LISTENER, Address, Resource, Upstream

LOOPBACK = "127.0.0.1"
DEFAULT_OUTBOUND = Address(LOOPBACK, 15001)
DEFAULT_CAPTURE = Address("0.0.0.0", 15001)


def build_sidecar_listeners(view: ProxyView) -> Iterator[Resource]:
    key = ("outbound-listeners", view.scope, view.own_address, view.reserved_ports)
    yield from view.snapshot.cached(key, lambda: list(build_outbound_listeners(view)))
    if view.is_redirected:
        yield build_virtual_outbound(view, view.node.metadata.outbound or DEFAULT_CAPTURE)
    else:
        yield _http_proxy(view, view.node.metadata.outbound or DEFAULT_OUTBOUND)
    for upstream in view.node.metadata.upstreams:
        yield _upstream(view, upstream)
    inbound = _inbound(view)
    if inbound is not None:
        yield inbound


def build_listener(name: str, address: Address, direction: str, **fields: Any) -> Resource:
    return {
        "@type": LISTENER,
        "name": name,
        "address": socket_address(address.host, address.port),
        "traffic_direction": direction,
        **fields,
    }


def _http_proxy(view: ProxyView, address: Address) -> Resource:
    chain = {"filters": [build_outbound(view.mesh, HTTP_PROXY, rds(HTTP_PROXY))]}
    return build_listener(HTTP_PROXY, address, "OUTBOUND", filter_chains=[chain])


def _upstream(view: ProxyView, upstream: Upstream) -> Resource:
    """The service's name is as the user gave it; if there is none, the cluster's name says which was meant."""
    service = view.service_named(upstream.service)
    host = service.host if service is not None else resolve_host(upstream.service, view.namespace).lower()
    target = build_tcp_target(view, host, upstream.port)
    proxy = build_service_proxy(view, outbound_cluster(host, upstream.port), target, service)
    return build_listener(
        upstream_listener_name(upstream),
        Address(LOOPBACK, upstream.local_port),
        "OUTBOUND",
        filter_chains=[{"filters": [proxy]}],
    )


def upstream_listener_name(upstream: Upstream) -> str:
    """Port 0 does not tell two upstreams apart, so the service joins it."""
    name = f"{LOOPBACK}_{upstream.local_port}"
    return name if upstream.local_port else f"{name}_{upstream.service}_{upstream.port}"


def _inbound(view: ProxyView) -> Resource | None:
    """None for a proxy without an application, and where only mTLS is allowed but the proxy has no certificate."""
    address = view.node.metadata.inbound
    chains = list(_inbound_chains(view)) if address is not None and view.node.metadata.app_port else []
    if address is None or not chains:
        return None
    return build_listener(VIRTUAL_INBOUND, address, "INBOUND", listener_filters=[TLS_INSPECTION], filter_chains=chains)


def _inbound_chains(view: ProxyView) -> Iterator[dict[str, Any]]:
    """mTLS of mesh peers; plaintext; the application's own TLS, which is passed on as it is."""
    mode = view.inbound_mode
    if mode != "DISABLE" and view.has_certificate:
        match = {"transport_protocol": "tls", "application_protocols": list(MESH_ALPN)}
        chain = {"name": f"{VIRTUAL_INBOUND}-mtls", "filter_chain_match": match, "filters": [_application(view)]}
        yield chain | {"transport_socket": tls_socket(build_mesh_server())}
    if mode != "STRICT":
        yield _plain_chain("plaintext", "raw_buffer", _application(view))
        yield _plain_chain("tls", "tls", _application_bytes(view))


def _plain_chain(name: str, transport: str, terminal: dict[str, Any]) -> dict[str, Any]:
    match = {"transport_protocol": transport}
    return {"name": f"{VIRTUAL_INBOUND}-{name}", "filter_chain_match": match, "filters": [terminal]}


def _application(view: ProxyView) -> dict[str, Any]:
    node = view.node.metadata
    if node.app_protocol == "tcp":
        return _application_bytes(view)
    return build_inbound(view.mesh, f"inbound_0.0.0.0_{node.app_port}", build_inbound_routes(view))


def _application_bytes(view: ProxyView) -> dict[str, Any]:
    cluster = inbound_cluster(view.node.metadata.app_port)
    return build_tcp_proxy(cluster, {"cluster": cluster})
