"""All resources of one proxy."""

from collections.abc import Iterable

from pymesh.control.snapshot.mesh_service import Resolution
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.clusters import (
    allows_mtls,
    build_black_hole_cluster,
    build_inbound_cluster,
    build_inbound_passthrough_cluster,
    build_outbound_cluster,
    build_passthrough_cluster,
)
from pymesh.control.translate.endpoints import build_load_assignment
from pymesh.control.translate.gateway_listeners import build_gateway_listener
from pymesh.control.translate.gateway_routes import build_gateway_routes
from pymesh.control.translate.gateway_servers import merged_servers
from pymesh.control.translate.inbound_ports import inbound_ports
from pymesh.control.translate.listeners import build_sidecar_listeners
from pymesh.control.translate.locality import locality_lb_of
from pymesh.control.translate.outbound_cluster import EndpointSource, OutboundCluster, outbound_clusters
from pymesh.control.translate.outbound_routes import build_outbound_routes
from pymesh.control.translate.routes import build_http_proxy_routes
from pymesh.control.translate.secrets import build_secrets
from pymesh.control.translate.stats_filter import add_stats_filters
from pymesh.xds import CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET, TYPES, Resource

Resources = dict[str, dict[str, Resource]]


def build(view: ProxyView) -> Resources:
    """type URL -> name -> resource. What several proxies share is one object: nobody may change it."""
    resources: Resources = {type_url: {} for type_url in TYPES}
    is_gateway = view.is_gateway
    key = (is_gateway, view.scope)
    resources[CLUSTER] |= view.snapshot.cached(("clusters", *key), lambda: _clusters(view))
    resources[ENDPOINT] |= view.snapshot.cached(("endpoints", *key), lambda: _endpoints(view))
    (_add_gateway if is_gateway else _add_sidecar)(view, resources)
    resources[LISTENER] = _by_name(add_stats_filters(view, listener) for listener in resources[LISTENER].values())
    return resources


def _add_sidecar(view: ProxyView, resources: Resources) -> None:
    resources[LISTENER] = _by_name(build_sidecar_listeners(view))
    resources[ROUTE] |= _sidecar_routes(view, resources[LISTENER])
    resources[CLUSTER] |= _by_name(build_inbound_cluster(view, port) for port in inbound_ports(view))
    resources[SECRET] |= view.snapshot.cached(
        ("secrets", view.scope), lambda: _by_name(build_secrets(view, (), _outbound(view)))
    )


def _sidecar_routes(view: ProxyView, listeners: dict[str, Resource]) -> dict[str, Resource]:
    routes = view.snapshot.cached(
        ("outbound-routes", view.scope, view.reserved_ports),
        lambda: _by_name(build_outbound_routes(view, listeners)),
    )
    if view.is_redirected:
        return routes
    proxy = view.snapshot.cached(("http-proxy-routes", view.scope), lambda: build_http_proxy_routes(view))
    return routes | _by_name([proxy])


def _add_gateway(view: ProxyView, resources: Resources) -> None:
    ports = merged_servers(view)
    listeners = (build_gateway_listener(view, port) for port in ports)
    resources[LISTENER] = _by_name(listener for listener in listeners if listener is not None)
    resources[ROUTE] = _by_name(routes for port in ports for routes in build_gateway_routes(view, port))
    resources[SECRET] = _by_name(build_secrets(view, ports, _outbound(view)))


def _clusters(view: ProxyView) -> dict[str, Resource]:
    clusters = _by_name(build_outbound_cluster(cluster, view) for cluster in _outbound(view))
    clusters |= _by_name([build_passthrough_cluster(view)])
    if not view.is_redirected:
        return clusters
    return clusters | _by_name([build_black_hole_cluster(view), build_inbound_passthrough_cluster(view)])


def _endpoints(view: ProxyView) -> dict[str, Resource]:
    static = (
        cluster
        for cluster in _outbound(view)
        if cluster.service.resolution is Resolution.STATIC and cluster.source is EndpointSource.ENDPOINTS
    )
    return {
        cluster.name: build_load_assignment(
            cluster.name, cluster.endpoints, allows_mtls(cluster), locality_lb_of(cluster, view)
        )
        for cluster in static
    }


def _outbound(view: ProxyView) -> list[OutboundCluster]:
    return view.snapshot.cached(("outbound", view.is_gateway, view.scope), lambda: list(outbound_clusters(view)))


def _by_name(resources: Iterable[Resource]) -> dict[str, Resource]:
    return {resource["name"]: resource for resource in resources}
