"""envoy.config.route.v3.RouteAction: to which clusters, with what rewritten, how long and how often."""

from typing import Any

from pymesh.control.model.destination_rule import ConsistentHashLB
from pymesh.control.model.messages import Destination
from pymesh.control.model.virtual_service import HTTPRewrite, HTTPRoute, HTTPRouteDestination
from pymesh.control.snapshot.mesh_service import MeshPort, MeshService
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.config_source import duration
from pymesh.control.translate.hash_policy import build_hash_policy
from pymesh.control.translate.headers import authority_of, build_header_operations
from pymesh.control.translate.mirror import build_mirrors
from pymesh.control.translate.retry import build_retry_policy
from pymesh.control.translate.route_context import RouteContext
from pymesh.control.translate.traffic_policy import consistent_hash
from pymesh.names import outbound_cluster

NO_TIMEOUT = "0s"
# Istio: setTimeout in pilot/pkg/networking/core/route/route.go: the deadline of a gRPC request, up to the timeout.
UNTIMED: dict[str, Any] = {"timeout": NO_TIMEOUT, "max_grpc_timeout": NO_TIMEOUT}


def build_route_action(route: HTTPRoute, context: RouteContext) -> dict[str, Any]:
    """Of a route with destinations."""
    timeout = duration(route.timeout) if route.timeout else NO_TIMEOUT
    action: dict[str, Any] = {"timeout": timeout, "max_grpc_timeout": timeout}
    targets = used_destinations(route.route)
    hash_policies = _hash_policies(targets, context)
    retries = route.retries if route.retries is not None else context.view.mesh.default_http_retry_policy
    _put(action, "retry_policy", build_retry_policy(retries, bool(hash_policies)))
    _put(action, "hash_policy", hash_policies)
    _put(action, "request_mirror_policies", build_mirrors(route, context))
    action |= _rewrite(route.rewrite)
    authority = (route.rewrite.authority if route.rewrite is not None else "") or authority_of(route.headers)
    action |= _clusters(targets, context, authority)
    return action


def build_default_action(view: ProxyView, service: MeshService, port: MeshPort) -> dict[str, Any]:
    """Of a service's port that no VirtualService speaks of."""
    hashed = consistent_hash(view.destination_rule(service), port.number, "")
    policies = build_hash_policy(hashed)
    action: dict[str, Any] = {**UNTIMED}
    _put(action, "retry_policy", build_retry_policy(view.mesh.default_http_retry_policy, bool(policies)))
    _put(action, "hash_policy", policies)
    action["cluster"] = outbound_cluster(service.host, port.number)
    return action


def used_destinations(destinations: tuple[HTTPRouteDestination, ...]) -> list[HTTPRouteDestination]:
    """Weight 0 drops a destination, but not the only one."""
    if len(destinations) == 1:
        return list(destinations)
    return [item for item in destinations if item.weight > 0]


def _hash_policies(targets: list[HTTPRouteDestination], context: RouteContext) -> list[dict[str, Any]]:
    policies: list[dict[str, Any]] = []
    for target in targets:
        hashed = _consistent_hash(target.destination, context) if target.destination is not None else None
        policies += [policy for policy in build_hash_policy(hashed) if policy not in policies]
    return policies


def _consistent_hash(destination: Destination, context: RouteContext) -> ConsistentHashLB | None:
    service = context.service(destination)
    if service is None:
        return None
    port = destination.port.number if destination.port is not None else None
    return consistent_hash(context.view.destination_rule(service), port, destination.subset)


def _rewrite(rewrite: HTTPRewrite | None) -> dict[str, Any]:
    """Envoy's prefix_rewrite is Istio's `uri`: the matched prefix, or the whole path of an exact or regex match."""
    if rewrite is None:
        return {}
    if rewrite.uri_regex_rewrite is not None:
        regex = rewrite.uri_regex_rewrite
        return {"regex_rewrite": {"pattern": {"regex": regex.match}, "substitution": regex.rewrite}}
    return {"prefix_rewrite": rewrite.uri} if rewrite.uri else {}


def _clusters(targets: list[HTTPRouteDestination], context: RouteContext, authority: str) -> dict[str, Any]:
    """The route's own authority goes before that of a destination."""
    if len(targets) == 1:
        literal = authority or authority_of(targets[0].headers)
        return {"cluster": _cluster(targets[0], context)} | _host_rewrite(literal)
    weighted = [_weighted(target, context, "" if authority else authority_of(target.headers)) for target in targets]
    return {"weighted_clusters": {"clusters": weighted}} | _host_rewrite(authority)


def _weighted(target: HTTPRouteDestination, context: RouteContext, authority: str) -> dict[str, Any]:
    cluster = {"name": _cluster(target, context), "weight": target.weight}
    return cluster | build_header_operations((target.headers,)) | _host_rewrite(authority)


def _cluster(target: HTTPRouteDestination, context: RouteContext) -> str:
    return context.cluster(target.destination or Destination())


def _host_rewrite(authority: str) -> dict[str, Any]:
    return {"host_rewrite_literal": authority} if authority else {}


def _put(action: dict[str, Any], key: str, value: Any) -> None:
    if value:
        action[key] = value
