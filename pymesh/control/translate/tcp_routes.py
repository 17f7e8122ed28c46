"""Where a TCP connection to a service goes: as its VirtualService's routes say, or to the service's own cluster."""

from ipaddress import ip_address, ip_network
from typing import Any

from pymesh.control.model.virtual_service import L4MatchAttributes, RouteDestination
from pymesh.control.snapshot.host_index import is_subset
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.route_context import RouteContext
from pymesh.names import outbound_cluster


def build_tcp_target(view: ProxyView, host: str, port: int) -> dict[str, Any]:
    """`cluster` or `weighted_clusters`, the same in a route and in a TCP proxy. The cluster may not exist."""
    rule = view.mesh_rules.most_specific(host)
    service = view.service(host)
    addresses = service.addresses if service is not None else ()
    if rule is None:
        return {"cluster": outbound_cluster(host, port)}
    context = RouteContext(view, rule, port)
    found = _first_route(context, addresses) or _first_tls_route(context, host)
    return found or {"cluster": outbound_cluster(host, port)}


def _first_tls_route(context: RouteContext, host: str) -> dict[str, Any] | None:
    """Whoever asks for a host by its name will say that name in its ClientHello."""
    for route in context.rule.spec.tls:
        for match in route.match:
            names_host = any(is_subset(host, name.lower()) for name in match.sni_hosts)
            if names_host and context.applies_l4(match):
                return build_l4_target(route.route, context)
    return None


def _first_route(context: RouteContext, addresses: tuple[str, ...]) -> dict[str, Any] | None:
    """The target of the first route that matches all that is known; None without one.

    `addresses` are those that the client may mean: a listener that stands for a service has no other destination.
    """
    for route in context.rule.spec.tcp:
        if not route.match or any(_applies(match, context, addresses) for match in route.match):
            return build_l4_target(route.route, context)
    return None


def _applies(match: L4MatchAttributes, context: RouteContext, addresses: tuple[str, ...]) -> bool:
    if not match.destination_subnets:
        return context.applies_l4(match)
    networks = [ip_network(subnet, strict=False) for subnet in match.destination_subnets]
    is_meant = any(ip_address(address) in network for address in addresses for network in networks)
    return is_meant and context.applies_l4(match)


def build_l4_target(destinations: tuple[RouteDestination, ...], context: RouteContext) -> dict[str, Any] | None:
    used = [item for item in destinations if item.weight > 0 or len(destinations) == 1]
    clusters = [(context.cluster(item.destination), item.weight) for item in used if item.destination is not None]
    if len(clusters) == 1:
        return {"cluster": clusters[0][0]}
    weighted = [{"name": name, "weight": weight} for name, weight in clusters]
    return {"weighted_clusters": {"clusters": weighted}} if weighted else None
