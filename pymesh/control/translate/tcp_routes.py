"""Where a TCP connection to a service goes: its VirtualService's tcp routes, or the service's own cluster."""

from typing import Any

from pymesh.control.model.virtual_service import RouteDestination, TCPRoute
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.route_context import RouteContext
from pymesh.names import outbound_cluster


def build_tcp_target(view: ProxyView, host: str, port: int) -> dict[str, Any]:
    """`cluster` or `weighted_clusters`, the same in a route and in a TCP proxy. The cluster may not exist."""
    rule = view.mesh_rules.most_specific(host)
    found = first_tcp_route(RouteContext(view, rule, port)) if rule is not None else None
    return found or {"cluster": outbound_cluster(host, port)}


def first_tcp_route(context: RouteContext) -> dict[str, Any] | None:
    """The target of the first route that matches all that is known; None without one."""
    for route in context.rule.spec.tcp:
        if _applies(route, context):
            return build_l4_target(route.route, context)
    return None


def build_l4_target(destinations: tuple[RouteDestination, ...], context: RouteContext) -> dict[str, Any] | None:
    used = [item for item in destinations if item.weight > 0 or len(destinations) == 1]
    clusters = [(context.cluster(item.destination), item.weight) for item in used if item.destination is not None]
    if len(clusters) == 1:
        return {"cluster": clusters[0][0]}
    weighted = [{"name": name, "weight": weight} for name, weight in clusters]
    return {"weighted_clusters": {"clusters": weighted}} if weighted else None


def _applies(route: TCPRoute, context: RouteContext) -> bool:
    """Subnets are of transparent traffic: a listener that stands for one service has no other destination."""
    return not route.match or any(context.applies(match) for match in route.match)
