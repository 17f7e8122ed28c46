"""The route configurations of a gateway: for each host that a server and a VirtualService share, its routes."""

from collections.abc import Iterator
from typing import Any

from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.snapshot.host_index import intersect
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.snapshot.virtual_services import VirtualServiceRule
from pymesh.control.translate.gateway_servers import Family, GatewayServer, PortServers
from pymesh.control.translate.http_routes import MAX_DIRECT_RESPONSE_BYTES, Route, build_http_routes
from pymesh.control.translate.proxy_headers import attempt_count
from pymesh.control.translate.route_context import RouteContext
from pymesh.control.translate.route_match import is_catch_all
from pymesh.xds import ROUTE, Resource


def build_gateway_routes(view: ProxyView, port: PortServers) -> Iterator[Resource]:
    """One for all plaintext servers of the port, or one for each that ends TLS."""
    servers = [server for server in port.servers if server.terminates_http]
    if port.family is Family.HTTP:
        yield _route_configuration(view, servers)
    else:
        for server in servers:
            yield _route_configuration(view, [server])


def _route_configuration(view: ProxyView, servers: list[GatewayServer]) -> Resource:
    port = servers[0].port
    hosts = _VirtualHosts(view.mesh, port)
    for server in servers:
        for rule in view.gateway_rules(server.gateway):
            hosts.add(view, server, rule)
        if server.is_https_redirect:
            hosts.require_tls(server)
    return {
        "@type": ROUTE,
        "name": servers[0].route_name,
        "virtual_hosts": hosts.build(),
        "ignore_port_in_host_matching": True,
        "max_direct_response_body_size_bytes": MAX_DIRECT_RESPONSE_BYTES,
    }


class _VirtualHosts:
    """Routes of all VirtualServices of a host are concatenated, and those that match everything come last."""

    def __init__(self, mesh: MeshConfig, port: int) -> None:
        self._mesh = mesh
        self._port = port
        self._routes: dict[str, list[Route]] = {}
        self._tls_hosts: set[str] = set()
        self._added: set[tuple[str, Any]] = set()

    def add(self, view: ProxyView, server: GatewayServer, rule: VirtualServiceRule) -> None:
        context = RouteContext(view, rule, self._port, server.gateway, is_tls=server.family is Family.TLS)
        routes = build_http_routes(context)
        for host in shared_hosts(server, rule) if routes else ():
            if server.is_https_redirect:
                self._tls_hosts.add(host)
            if (host, rule.key) not in self._added:  # two Gateways may lead to it
                self._added.add((host, rule.key))
                self._routes.setdefault(host, []).extend(routes)

    def require_tls(self, server: GatewayServer) -> None:
        """A host without routes redirects, too."""
        for _, host in server.hosts:
            self._tls_hosts.add(host)
            self._routes.setdefault(host, [])

    def build(self) -> list[dict[str, Any]]:
        """Without any host there is still one, which answers 404 as Istio's does."""
        if not self._routes:
            return [{"name": f"blackhole:{self._port}", "domains": ["*"]}]
        return [self._virtual_host(host, routes) for host, routes in self._routes.items()]

    def _virtual_host(self, host: str, routes: list[Route]) -> dict[str, Any]:
        built: dict[str, Any] = {
            "name": f"{host}:{self._port}",
            "domains": [host],
            "routes": sorted(routes, key=lambda route: is_catch_all(route["match"])),
            **attempt_count(self._mesh),
        }
        if host in self._tls_hosts:
            built["require_tls"] = "ALL"
        return built


def shared_hosts(server: GatewayServer, rule: VirtualServiceRule) -> Iterator[str]:
    """The hosts of a VirtualService that a server takes, from the namespaces that it takes them from."""
    seen = set()
    for namespace, server_host in server.hosts:
        if namespace not in ("*", rule.namespace):
            continue
        for host in rule.hosts:
            shared = intersect(host, server_host)
            if shared is not None and shared not in seen:
                seen.add(shared)
                yield shared
