"""A sidecar's listeners: the outbound HTTP proxy, or those of captured traffic; TCP upstreams; the inbound one."""

from collections.abc import Iterator
from typing import Any

from pymesh.control.snapshot.egress import EgressScope
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.http_connection_manager import build_outbound, rds
from pymesh.control.translate.inbound_listener import build_inbound_listeners
from pymesh.control.translate.listener import build_listener
from pymesh.control.translate.listener_filters import TLS_INSPECTION
from pymesh.control.translate.listener_telemetry import listener_telemetry
from pymesh.control.translate.outbound_chain import merge_chains
from pymesh.control.translate.outbound_filters import OutboundPort, build_default_chain, build_l4_chains
from pymesh.control.translate.outbound_listeners import build_outbound_listeners
from pymesh.control.translate.passthrough import build_virtual_outbound
from pymesh.control.translate.tcp_proxy import build_service_proxy
from pymesh.control.translate.tcp_routes import build_tcp_target
from pymesh.names import HTTP_PROXY, outbound_cluster, resolve_host
from pymesh.xds import Address, Resource, Upstream

LOOPBACK = "127.0.0.1"
DEFAULT_OUTBOUND = Address(LOOPBACK, 15001)
DEFAULT_CAPTURE = Address("0.0.0.0", 15001)


def build_sidecar_listeners(view: ProxyView) -> Iterator[Resource]:
    yield from outbound_listeners(view)
    if view.is_redirected:
        yield build_virtual_outbound(view, view.node.metadata.outbound or DEFAULT_CAPTURE)
    else:
        yield _http_proxy(view, view.node.metadata.outbound or DEFAULT_OUTBOUND)
    for upstream in view.node.metadata.upstreams:
        yield _upstream(view, upstream)
    yield from build_inbound_listeners(view)


def outbound_listeners(view: ProxyView) -> Iterator[Resource]:
    """Built once for all sidecars of a scope. A workload reaches itself directly, so that it needs no listener for its
    own endpoint of a headless service."""
    key = ("outbound-listeners", view.scope, view.reserved_ports)
    own = f"{view.own_address}_"
    for listener in view.snapshot.cached(key, lambda: list(build_outbound_listeners(view))):
        if not listener["name"].startswith(own):
            yield listener


def _http_proxy(view: ProxyView, address: Address) -> Resource:
    chain = {"filters": [build_outbound(view.mesh, listener_telemetry(view, "CLIENT"), HTTP_PROXY, rds(HTTP_PROXY))]}
    return build_listener(HTTP_PROXY, address, "OUTBOUND", filter_chains=[chain])


def _upstream(view: ProxyView, upstream: Upstream) -> Resource:
    """The service's name is as the user gave it; if there is none, the cluster's name says which was meant."""
    service = view.service_named(upstream.service)
    host = service.host if service is not None else resolve_host(upstream.service, view.namespace).lower()
    port = service.port(upstream.port) if service is not None else None
    if service is not None and port is not None and port.protocol.is_tls:
        return _tls_upstream(view, upstream, OutboundPort(_scope(view), service, port, LOOPBACK))
    target = build_tcp_target(view, host, upstream.port)
    proxy = build_service_proxy(view, outbound_cluster(host, upstream.port), target, service)
    return build_listener(
        upstream_listener_name(upstream),
        Address(LOOPBACK, upstream.local_port),
        "OUTBOUND",
        filter_chains=[{"filters": [proxy]}],
    )


def _tls_upstream(view: ProxyView, upstream: Upstream, target: OutboundPort) -> Resource:
    """By server name, as the service's VirtualServices say; all other connections are to the service itself."""
    chains = merge_chains(list(build_l4_chains(view, target)), [build_default_chain(view, target)])
    named = [chain.build() for chain in chains if not chain.matches_all]
    default = next(chain.build() for chain in chains if chain.matches_all)
    address = Address(LOOPBACK, upstream.local_port)
    fields: dict[str, Any] = {"filter_chains": named or [default]}
    if named:
        fields |= {"default_filter_chain": default, "listener_filters": [TLS_INSPECTION]}
    return build_listener(upstream_listener_name(upstream), address, "OUTBOUND", **fields)


def _scope(view: ProxyView) -> EgressScope:
    return EgressScope(view.imported_services, tuple(view.imported_rules))


def upstream_listener_name(upstream: Upstream) -> str:
    """Port 0 does not tell two upstreams apart, so the service joins it."""
    name = f"{LOOPBACK}_{upstream.local_port}"
    return name if upstream.local_port else f"{name}_{upstream.service}_{upstream.port}"
