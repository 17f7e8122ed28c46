"""The route configuration of a sidecar's HTTP listener: a virtual host for each port of each service."""

from collections.abc import Iterator
from typing import Any

from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.snapshot.host_index import HostIndex
from pymesh.control.snapshot.mesh_service import MeshPort, MeshService
from pymesh.control.snapshot.protocol import Protocol
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.snapshot.virtual_services import VirtualServiceRule
from pymesh.control.translate.domains import bare_domains, host_names, portless_port, service_names, with_port
from pymesh.control.translate.http_routes import MAX_DIRECT_RESPONSE_BYTES, build_http_routes
from pymesh.control.translate.inbound_ports import InboundPort
from pymesh.control.translate.passthrough import egress_cluster
from pymesh.control.translate.proxy_headers import attempt_count
from pymesh.control.translate.retry import INBOUND_RETRY_POLICY
from pymesh.control.translate.route_action import NO_TIMEOUT, UNTIMED, build_default_action
from pymesh.control.translate.route_context import RouteContext
from pymesh.control.translate.route_match import ANY_PATH, CONNECT
from pymesh.control.translate.tcp_routes import build_tcp_target
from pymesh.names import BLACK_HOLE_CLUSTER, HTTP_PROXY, INBOUND_PASSTHROUGH_CLUSTER, outbound_cluster
from pymesh.xds import ROUTE, Resource

VirtualHost = dict[str, Any]
Route = dict[str, Any]

_CONNECT_UPGRADE = [{"upgrade_type": "CONNECT", "connect_config": {}}]
_TUNNEL_IDLE = "3600s"  # as long as an idle TCP connection; a request's stream has less
UNKNOWN_HOST_PORT = 80  # where, and only where, a VirtualService may route a host that no service declares


# Of the way to the application: what a gRPC client says of its deadline holds. Istio: buildDefaultHTTPInboundRoute.
_ANY_DEADLINE = {"grpc_timeout_header_max": NO_TIMEOUT}


def build_http_proxy_routes(view: ProxyView) -> Resource:
    """Depends on the view's scope only."""
    hosts = build_proxy_hosts(view, view.imported_services, view.mesh_rules)
    hosts = with_unique_domains([*hosts, build_catch_all(view)])
    return {
        "@type": ROUTE,
        "name": HTTP_PROXY,
        "virtual_hosts": hosts,
        "max_direct_response_body_size_bytes": MAX_DIRECT_RESPONSE_BYTES,
    }


def build_proxy_hosts(
    view: ProxyView,
    services: dict[str, MeshService],
    rules: HostIndex[VirtualServiceRule],
    accepts_connect: bool = True,
) -> list[VirtualHost]:
    """Of a listener that takes requests to every port. `accepts_connect`: it is pymesh's own; Istio's, which a Sidecar
    asks for, know services only, and take a Host without a port for port 80."""
    known = _service_hosts(view, services, rules, accepts_connect)
    return [*known, *_unknown_hosts(view, services, rules)] if accepts_connect else [*known]


def build_inbound_routes(view: ProxyView, port: InboundPort) -> dict[str, Any]:
    """Everything to the application; stands inline in the listener."""
    return _inbound_routes(port.cluster, _service_port(view, port), _inbound_decorator(view), port.protocol.is_grpc)


def build_inbound_passthrough_routes() -> dict[str, Any]:
    """Of ports that nobody declared."""
    return _inbound_routes(INBOUND_PASSTHROUGH_CLUSTER, 0, {}, is_grpc=False)


def _inbound_routes(cluster: str, port: int, decorator: Route, is_grpc: bool) -> dict[str, Any]:
    action: dict[str, Any] = {"cluster": cluster, "timeout": NO_TIMEOUT, "max_stream_duration": _ANY_DEADLINE}
    if not is_grpc:
        action["retry_policy"] = INBOUND_RETRY_POLICY
    route = {"name": "default", "match": ANY_PATH, "route": action, **decorator}
    host = {"name": f"inbound|http|{port}", "domains": ["*"], "routes": [route]}
    return {"name": cluster, "virtual_hosts": [host]}


def _service_port(view: ProxyView, port: InboundPort) -> int:
    """By which clients know the port; its own number where no service of the workload leads to it."""
    service = view.own_service
    leading = (item.number for item in (service.ports if service is not None else ()) if item.target == port.number)
    return next(leading, port.number)


def _inbound_decorator(view: ProxyView) -> Route:
    """The span is called as on the client's side, by the port that a client without one means."""
    service = view.own_service
    port = portless_port(service) if service is not None else None
    return _decorator(service, port) if service is not None and port is not None else {}


def _service_hosts(
    view: ProxyView, services: dict[str, MeshService], rules: HostIndex[VirtualServiceRule], accepts_connect: bool
) -> Iterator[VirtualHost]:
    for service in services.values():
        names = service_names(service, view.namespace)
        portless = portless_port(service, is_strict=not accepts_connect)
        for port in service.ports:
            if port.protocol is Protocol.UDP:
                continue
            domains = with_port(names, port.number) + (bare_domains(names) if port is portless else [])
            routes = _service_routes(view, service, port, rules.most_specific(service.host))
            if not accepts_connect:
                routes = routes[1:]
            if routes:
                yield build_virtual_host(view.mesh, service.host, port.number, domains, routes)


def _service_routes(
    view: ProxyView, service: MeshService, port: MeshPort, rule: VirtualServiceRule | None
) -> list[Route]:
    """The first one is the tunnel."""
    if not port.protocol.is_http:
        return [_tunnel(build_tcp_target(view, service.host, port.number))]
    routes = build_http_routes(RouteContext(view, rule, port.number)) if rule is not None else []
    tunnel = _tunnel({"cluster": outbound_cluster(service.host, port.number)})
    return [tunnel, *(routes or [build_default_route(view, service, port)])]


def build_default_route(view: ProxyView, service: MeshService, port: MeshPort) -> Route:
    return {
        "name": "default",
        "match": ANY_PATH,
        "route": build_default_action(view, service, port),
        **_decorator(service, port),
    }


def _decorator(service: MeshService, port: MeshPort) -> Route:
    return {"decorator": {"operation": f"{service.host}:{port.number}/*"}}


def _unknown_hosts(
    view: ProxyView, services: dict[str, MeshService], rules: HostIndex[VirtualServiceRule]
) -> Iterator[VirtualHost]:
    """Hosts of VirtualServices that are no service's. A wildcard is one only if it covers no service."""
    attached = {found[0] for found in map(rules.most_specific_item, services) if found is not None}
    for host, rule in rules.items():
        if host in services or host in attached:
            continue
        routes = build_http_routes(RouteContext(view, rule, UNKNOWN_HOST_PORT))
        if routes:
            names = host_names(host, view.namespace)
            domains = with_port(names, UNKNOWN_HOST_PORT) + bare_domains(names)
            tunnel = _connect_route(_outside(view))
            yield build_virtual_host(view.mesh, host, UNKNOWN_HOST_PORT, domains, [tunnel, *routes])


def build_catch_all(view: ProxyView, accepts_connect: bool = True) -> VirtualHost:
    """What nobody declared goes where it says itself, or nowhere."""
    name = "block_all" if egress_cluster(view) == BLACK_HOLE_CLUSTER else "allow_any"
    routes = [{"match": ANY_PATH, "name": name, **_outside(view)}]
    if accepts_connect:
        routes.insert(0, _connect_route(_outside(view)))
    return {"name": name, "domains": ["*"], "routes": routes, **attempt_count(view.mesh)}


def _outside(view: ProxyView) -> Route:
    cluster = egress_cluster(view)
    if cluster == BLACK_HOLE_CLUSTER:
        return {"direct_response": {"status": 502}}
    return {"route": {"cluster": cluster, **UNTIMED}}


def _tunnel(target: dict[str, Any]) -> Route:
    """CONNECT to a service: bytes both ways, by the service's TCP routes."""
    return _connect_route({"route": {**target, "timeout": NO_TIMEOUT}})


def _connect_route(action: Route) -> Route:
    if "route" in action:
        action = {"route": {**action["route"], "idle_timeout": _TUNNEL_IDLE, "upgrade_configs": _CONNECT_UPGRADE}}
    return {"name": "connect", "match": CONNECT, **action}


def build_virtual_host(mesh: MeshConfig, host: str, port: int, domains: list[str], routes: list[Route]) -> VirtualHost:
    return {
        "name": f"{host}:{port}",
        "domains": domains,
        "routes": routes,
        **attempt_count(mesh),
    }


def with_unique_domains(hosts: list[VirtualHost]) -> list[VirtualHost]:
    """A domain may stand once in a route configuration; the first virtual host that has it keeps it."""
    taken: set[str] = set()
    kept = []
    for host in hosts:
        domains = [domain for domain in dict.fromkeys(host["domains"]) if domain not in taken]
        taken.update(domains)
        if domains:
            kept.append({**host, "domains": domains})
    return kept
