"""A gateway's listeners: one for each port that its Gateways open."""

from collections.abc import Iterator
from typing import Any

from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.snapshot.virtual_services import VirtualServiceRule
from pymesh.control.translate.gateway_routes import shared_hosts
from pymesh.control.translate.gateway_servers import Family, GatewayServer, PortServers
from pymesh.control.translate.http_connection_manager import build_edge
from pymesh.control.translate.listener import build_listener
from pymesh.control.translate.listener_filters import TLS_INSPECTION
from pymesh.control.translate.rbac import build_network_rbac
from pymesh.control.translate.route_context import RouteContext
from pymesh.control.translate.security_filters import build_security_filters
from pymesh.control.translate.tcp_proxy import build_tcp_proxy
from pymesh.control.translate.tcp_routes import build_l4_target, first_tcp_route
from pymesh.control.translate.tls import build_server, tls_socket
from pymesh.xds import Resource

Chain = dict[str, Any]


def build_gateway_listener(view: ProxyView, port: PortServers) -> Resource | None:
    """None where a port has nothing to do: TCP or TLS servers to which no route leads."""
    if port.family is Family.HTTP:
        terminal = build_edge(
            view.mesh, port.listener_name, port.servers[0].route_name, False, build_security_filters(view, None)
        )
        chains: list[Chain] = [{"filters": [terminal]}]
    else:
        chains = [chain for server in port.servers for chain in _chains(view, server)]
    if not chains:
        return None
    inspection = {"listener_filters": [TLS_INSPECTION]} if port.family is Family.TLS else {}
    return build_listener(port.listener_name, port.address, "OUTBOUND", **inspection, filter_chains=chains)


def _chains(view: ProxyView, server: GatewayServer) -> Iterator[Chain]:
    if server.family is Family.TCP:
        yield from _tcp_chain(view, server)
    elif server.terminates_http:
        yield _https_chain(view, server)
    elif server.server.tls is not None and server.server.tls.mode not in ("PASSTHROUGH", "AUTO_PASSTHROUGH"):
        for chain in _tcp_chain(view, server):
            yield _server_names(server) | chain | {"transport_socket": tls_socket(build_server(server.server.tls))}
    else:
        yield from _passthrough_chains(view, server)


def _https_chain(view: ProxyView, server: GatewayServer) -> Chain:
    tls = server.server.tls
    assert tls is not None  # validation: HTTPS needs it
    verifies_clients = tls.mode != "SIMPLE"
    security = build_security_filters(view, None)
    terminal = build_edge(view.mesh, server.route_name, server.route_name, verifies_clients, security)
    return {
        "name": server.route_name,
        **_server_names(server),
        "filters": [terminal],
        "transport_socket": tls_socket(build_server(tls)),
    }


def _server_names(server: GatewayServer) -> Chain:
    """`*` is every name and none."""
    names = [host for _, host in server.hosts]
    return {} if "*" in names else {"filter_chain_match": {"server_names": list(dict.fromkeys(names))}}


def _tcp_chain(view: ProxyView, server: GatewayServer) -> Iterator[Chain]:
    """The first TCP route of the VirtualServices bound to the server."""
    for context in _contexts(view, server):
        target = first_tcp_route(context)
        if target is not None:
            yield {
                "filters": [
                    *build_network_rbac(view, None),
                    build_tcp_proxy(f"tcp.{server.port}.{server.gateway}", target),
                ]
            }
            return


def _passthrough_chains(view: ProxyView, server: GatewayServer) -> Iterator[Chain]:
    """By server name, for the TLS routes of the VirtualServices; the first to claim a name has it."""
    taken: set[str] = set()
    for context in _contexts(view, server):
        for route in context.rule.spec.tls:
            target = build_l4_target(route.route, context)
            matches = [match for match in route.match if context.applies(match)]
            names = [name for match in matches for name in match.sni_hosts if name not in taken]
            if target is not None and names:
                taken.update(names)
                yield _sni_chain(view, server, names, target)


def _sni_chain(view: ProxyView, server: GatewayServer, names: list[str], target: dict[str, Any]) -> Chain:
    terminal = build_tcp_proxy(f"tls.{server.port}.{server.gateway}", target)
    match = {} if "*" in names else {"server_names": list(dict.fromkeys(names))}
    return {
        "filter_chain_match": {**match, "transport_protocol": "tls"},
        "filters": [*build_network_rbac(view, None), terminal],
    }


def _contexts(view: ProxyView, server: GatewayServer) -> Iterator[RouteContext]:
    for rule in view.gateway_rules(server.gateway):
        if _is_bound(server, rule):
            yield RouteContext(view, rule, server.port, server.gateway, is_tls=server.family is Family.TLS)


def _is_bound(server: GatewayServer, rule: VirtualServiceRule) -> bool:
    return any(True for _ in shared_hosts(server, rule))
