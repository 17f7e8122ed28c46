"""The route configurations of captured traffic: one for each port, named by it, or for a service of its own listener.

Istio: BuildSidecarOutboundVirtualHosts in pilot/pkg/networking/core/httproute.go.
"""

from collections.abc import Iterator

from pymesh.control.snapshot.egress import EgressScope
from pymesh.control.snapshot.host_index import covering_hosts
from pymesh.control.snapshot.mesh_service import MeshPort, MeshService
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.snapshot.virtual_services import VirtualServiceRule
from pymesh.control.translate.domains import bare_domains, service_names
from pymesh.control.translate.http_routes import MAX_DIRECT_RESPONSE_BYTES, build_http_routes
from pymesh.control.translate.route_context import RouteContext
from pymesh.control.translate.routes import (
    UNKNOWN_HOST_PORT,
    Route,
    VirtualHost,
    build_catch_all,
    build_default_route,
    build_proxy_hosts,
    build_virtual_host,
    with_unique_domains,
)
from pymesh.xds import LISTENER, ROUTE, Resource


def build_outbound_routes(view: ProxyView, listeners: dict[str, Resource]) -> Iterator[Resource]:
    """Those that the outbound listeners name."""
    names = (name for listener in listeners.values() for name in _route_names(listener))
    for name in dict.fromkeys(names):
        routes = _build(view, name)
        if routes is not None:
            yield routes


def _route_names(listener: Resource) -> Iterator[str]:
    assert listener["@type"] == LISTENER
    chains = [*listener["filter_chains"], listener.get("default_filter_chain")]
    for chain in chains:
        config = chain["filters"][0]["typed_config"] if chain is not None else {}
        if "rds" in config:
            yield config["rds"]["route_config_name"]


def _build(view: ProxyView, name: str) -> Resource | None:
    if name.startswith("unix://"):
        host, number = "", 0
    elif name.rpartition(":")[2].isdecimal():
        host, number = name.rpartition(":")[0], int(name.rpartition(":")[2])
    else:
        return None
    scope = _scope_of(view, number, name)
    if scope is None:
        return None
    if scope.is_http_proxy or not number:
        hosts = build_proxy_hosts(view, scope.services, scope.rules_by_host, accepts_connect=False)
    else:
        hosts = _port_hosts(view, scope, number)
    hosts = with_unique_domains(hosts)
    if host:
        # The listener is the service's own: whatever name the client uses, it means that service.
        own = [item for item in hosts if item["name"] == name]
        hosts = [item | {"domains": ["*"]} for item in own]
    else:
        hosts = [*sorted(hosts, key=lambda item: item["name"]), build_catch_all(view, accepts_connect=False)]
    return {
        "@type": ROUTE,
        "name": name,
        "virtual_hosts": hosts,
        "validate_clusters": False,
        "ignore_port_in_host_matching": True,
        "max_direct_response_body_size_bytes": MAX_DIRECT_RESPONSE_BYTES,
    }


def _scope_of(view: ProxyView, number: int, name: str) -> EgressScope | None:
    """The listener of the Sidecar that speaks of this port, else the one for all others."""
    for scope in view.egress:
        if scope.port is None or (scope.port.number == number and (number or scope.bind == name)):
            return scope
    return None


def _port_hosts(view: ProxyView, scope: EgressScope, number: int) -> list[VirtualHost]:
    """VirtualServices first: of two virtual hosts for one domain the first has it."""
    served = {host: port for host, service in scope.services.items() if (port := service.port(number)) is not None}
    routed: dict[str, list[Route]] = {}
    hosts = list(_rule_hosts(view, scope, number, served, routed))
    for host, port in served.items():
        if port.protocol.is_http:
            service = scope.services[host]
            routes = routed.get(host) or [build_default_route(view, service, port)]
            hosts.append(build_virtual_host(view.mesh, host, number, _domains(view, service), routes))
    return hosts


def _rule_hosts(
    view: ProxyView, scope: EgressScope, number: int, served: dict[str, MeshPort], routed: dict[str, list[Route]]
) -> Iterator[VirtualHost]:
    """Notes the routes of services in `routed`; yields the hosts of VirtualServices that are no service's."""
    attached = _attached(scope, served)
    covered = {candidate for host in served for candidate in covering_hosts(host)}
    for rule in scope.rules:
        services = [host for host in attached.get(rule, ()) if served[host].protocol.is_http]
        names = [host for host in rule.hosts if host not in covered]
        is_for_port = number == UNKNOWN_HOST_PORT or bool(services)
        if not is_for_port or not (services or names):
            continue
        routes = build_http_routes(RouteContext(view, rule, number))
        if not routes:
            continue
        routed.update((host, routes) for host in services)
        for host in names:
            yield build_virtual_host(view.mesh, host, number, bare_domains([host]), routes)


def _attached(scope: EgressScope, served: dict[str, MeshPort]) -> dict[VirtualServiceRule, list[str]]:
    """The services of each rule: a service obeys the rule of the most specific host."""
    attached: dict[VirtualServiceRule, list[str]] = {}
    for host in served:
        rule = scope.rules_by_host.most_specific(host)
        if rule is not None:
            attached.setdefault(rule, []).append(host)
    return attached


def _domains(view: ProxyView, service: MeshService) -> list[str]:
    """Endpoints of a headless service have names below the service's."""
    names = service_names(service, view.namespace)
    own = [f"*.{name}" for name in names] if service.is_headless and service.is_kubernetes else []
    return bare_domains(names) + own
