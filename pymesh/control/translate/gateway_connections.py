"""Where a gateway's connections go that are not HTTP to it: the tcp and tls routes of the VirtualServices bound to it.

Istio: buildGatewayNetworkFiltersFromTCPRoutes and buildGatewayNetworkFiltersFromTLSRoutes in
pilot/pkg/networking/core/gateway.go.
"""

from collections.abc import Iterator
from typing import Any

from pymesh.control.model.virtual_service import TLSMatchAttributes, TLSRoute
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.gateway_routes import shared_hosts
from pymesh.control.translate.gateway_servers import Family, GatewayServer
from pymesh.control.translate.l4_filter import build_l4_filter
from pymesh.control.translate.route_context import RouteContext
from pymesh.control.translate.rule_metadata import rule_metadata
from pymesh.control.translate.security_filters import build_network_security_filters


def build_tcp_chain(view: ProxyView, server: GatewayServer) -> dict[str, Any] | None:
    """Of the first tcp route that applies, in the order of the VirtualServices; None without one."""
    for context in _contexts(view, server):
        for i, route in enumerate(context.rule.spec.tcp):
            applies = not route.match or any(context.applies_at_gateway(match) for match in route.match)
            terminal = build_l4_filter(context, route.route) if applies else None
            if terminal is not None:
                metadata = rule_metadata(context.rule.key, f"tcp[{i}]")
                return {"metadata": metadata, "filters": [*build_network_security_filters(view, None), terminal]}
    return None


def build_passthrough_chains(view: ProxyView, server: GatewayServer, taken: set[str]) -> Iterator[dict[str, Any]]:
    """By server name. A match that claims one of the names in `taken`, which are of the whole port, is left out;
    those of the others join them.
    """
    for context in _contexts(view, server):
        for where, route, match in _matches(context):
            names = dict.fromkeys(name.lower() for name in match.sni_hosts)
            terminal = build_l4_filter(context, route.route) if taken.isdisjoint(names) else None
            if terminal is not None:
                taken.update(names)
                chain_match = {} if "*" in names else {"filter_chain_match": {"server_names": list(names)}}
                metadata = rule_metadata(context.rule.key, where)
                filters = [*build_network_security_filters(view, None), terminal]
                yield {**chain_match, "metadata": metadata, "filters": filters}


def _matches(context: RouteContext) -> Iterator[tuple[str, TLSRoute, TLSMatchAttributes]]:
    for i, route in enumerate(context.rule.spec.tls):
        for j, match in enumerate(route.match):
            if context.applies_at_gateway(match):
                yield f"tls[{i}].match[{j}]", route, match


def _contexts(view: ProxyView, server: GatewayServer) -> Iterator[RouteContext]:
    for rule in view.gateway_rules(server.gateway):
        if any(True for _ in shared_hosts(server, rule)):
            yield RouteContext(view, rule, server.port, server.gateway, is_tls=server.family is Family.TLS)
