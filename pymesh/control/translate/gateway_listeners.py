"""A gateway's listeners: one for each port that its Gateways open."""

from collections.abc import Iterator
from typing import Any

from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.gateway_connections import build_passthrough_chains, build_tcp_chain
from pymesh.control.translate.gateway_servers import Family, GatewayServer, PortServers
from pymesh.control.translate.http_connection_manager import build_edge
from pymesh.control.translate.listener import build_listener
from pymesh.control.translate.listener_filters import TLS_INSPECTION
from pymesh.control.translate.listener_telemetry import listener_telemetry
from pymesh.control.translate.security_filters import build_security_filters
from pymesh.control.translate.server_tls import build_server, verifies_clients
from pymesh.control.translate.tls import tls_socket
from pymesh.xds import Resource

Chain = dict[str, Any]


def build_gateway_listener(view: ProxyView, port: PortServers) -> Resource | None:
    """None where a port has nothing to do: TCP or TLS servers to which no route leads."""
    if port.family is Family.HTTP:
        security, telemetry = build_security_filters(view, None), listener_telemetry(view, "CLIENT")
        terminal = build_edge(view.mesh, telemetry, port.listener_name, port.servers[0].route_name, False, security)
        chains: list[Chain] = [{"filters": [terminal]}]
    else:
        chains = list(_chains(view, port))
    if not chains:
        return None
    inspection = {"listener_filters": [TLS_INSPECTION]} if port.family is Family.TLS else {}
    return build_listener(port.listener_name, port.address, "OUTBOUND", **inspection, filter_chains=chains)


def _chains(view: ProxyView, port: PortServers) -> Iterator[Chain]:
    taken = {host for server in port.servers if not server.is_passthrough for host in server.host_names}
    for server in port.servers:
        if server.is_passthrough:
            yield from build_passthrough_chains(view, server, taken)
        elif server.terminates_http:
            yield _https_chain(view, server)
        else:
            yield from _tcp_chain(view, server)


def _https_chain(view: ProxyView, server: GatewayServer) -> Chain:
    tls = server.server.tls
    assert tls is not None  # validation: HTTPS needs it
    security = build_security_filters(view, None)
    stat_prefix = server.server.name or server.route_name
    telemetry = listener_telemetry(view, "CLIENT")
    terminal = build_edge(view.mesh, telemetry, stat_prefix, server.route_name, verifies_clients(tls), security)
    return {
        "name": server.route_name,
        **_server_names(server),
        "filters": [terminal],
        "transport_socket": tls_socket(build_server(tls, defaults=view.mesh.tls_defaults)),
    }


def _tcp_chain(view: ProxyView, server: GatewayServer) -> Iterator[Chain]:
    """In plaintext, or where TLS ends here."""
    chain = build_tcp_chain(view, server)
    if chain is None:
        return
    if server.server.tls is None:
        yield chain
    else:
        socket = tls_socket(build_server(server.server.tls, is_tcp=True, defaults=view.mesh.tls_defaults))
        yield {**_server_names(server), **chain, "transport_socket": socket}


def _server_names(server: GatewayServer) -> Chain:
    """`*` is every name and none."""
    names = server.host_names
    return {} if "*" in names else {"filter_chain_match": {"server_names": list(dict.fromkeys(names))}}
