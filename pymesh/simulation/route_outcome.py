"""What the route that took a request does with it: the proxy's own actions, applied and written down."""

from msgspec.structs import replace

from pymesh import xds
from pymesh.names import parse_cluster
from pymesh.protojson import format_duration
from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.http_filters import fault
from pymesh.proxy.http_filters.fault import FaultConfig
from pymesh.proxy.routing.redirect import HTTPS_REDIRECT, RedirectAction
from pymesh.proxy.routing.retry_policy import RetryPolicy
from pymesh.proxy.routing.route import ClusterAction, DirectResponseAction, Route, WeightedCluster
from pymesh.simulation.decision import (
    CLUSTER_NOT_FOUND,
    Abort,
    Decision,
    Delay,
    DirectResponse,
    FaultInjection,
    MirrorTarget,
    Redirect,
    Retries,
    Rewritten,
)
from pymesh.simulation.proxy import SimulatedProxy
from pymesh.simulation.request import SimulatedRequest


def decide_route(
    proxy: SimulatedProxy, route: Route, request: SimulatedRequest, random_value: float, decision: Decision
) -> Decision:
    request.route_name = route.name
    action = route.action
    decision = replace(decision, fault=_fault(route, random_value))
    if isinstance(action, RedirectAction):
        decision = replace(decision, redirect=_redirect(action, request))
    elif isinstance(action, DirectResponseAction):
        body = action.body.decode(errors="replace")
        decision = replace(decision, direct_response=DirectResponse(action.status, body))
    else:
        return _forward(proxy, route, action, request, random_value, decision)
    return replace(decision, response_headers=_response_headers(route, None, request))


def decide_tcp(
    proxy: SimulatedProxy, clusters: tuple[tuple[str, int], ...], chosen: str, decision: Decision
) -> Decision:
    weights = dict(clusters) if len(clusters) > 1 else None
    return _to_cluster(proxy, chosen, replace(decision, weights=weights))


def redirect_to_tls(request: SimulatedRequest) -> Redirect:
    return _redirect(HTTPS_REDIRECT, request)


def _forward(
    proxy: SimulatedProxy,
    route: Route,
    action: ClusterAction,
    request: SimulatedRequest,
    random_value: float,
    decision: Decision,
) -> Decision:
    weighted = action.choose_cluster(random_value)
    request.upstream_cluster = weighted.name
    decision = _to_cluster(proxy, weighted.name, decision)
    weights = {cluster.name: cluster.weight for cluster in action.clusters} if len(action.clusters) > 1 else None
    decision = replace(
        decision,
        weights=weights,
        timeout=format_duration(action.timeout) if action.timeout else None,
        retries=_retries(action.retry_policy),
        mirrors=tuple(MirrorTarget(mirror.cluster, mirror.percent) for mirror in action.mirrors) or None,
        response_headers=_response_headers(route, weighted, request),
    )
    return _rewrite(route, action, weighted, request, decision)


def _to_cluster(proxy: SimulatedProxy, name: str, decision: Decision) -> Decision:
    parsed = parse_cluster(name)
    decision = replace(decision, cluster=name, subset=(parsed.subset or None) if parsed is not None else None)
    if name not in proxy.resources[xds.CLUSTER]:
        return replace(decision, error=CLUSTER_NOT_FOUND, endpoints=())
    return replace(decision, endpoints=proxy.endpoints(name))


def _rewrite(
    route: Route, action: ClusterAction, weighted: WeightedCluster, request: SimulatedRequest, decision: Decision
) -> Decision:
    """In the router's order: the chosen cluster's header mutations, the route's, then authority and path."""
    headers = request.headers
    weighted.request_headers.apply(headers, request)
    route.request_headers.apply(headers, request)
    host = action.host_rewrite or weighted.host_rewrite or headers.get(b"host", b"")
    rewritten = Rewritten(
        request.method.decode(),
        host.decode(errors="replace"),
        action.rewrite_path(request.path).decode(errors="replace"),
    )
    names = [name for name in headers if name != b"host"]
    return replace(
        decision, rewritten=rewritten, request_headers={_text(name): _joined(headers, name) for name in names}
    )


def _response_headers(
    route: Route, weighted: WeightedCluster | None, request: SimulatedRequest
) -> dict[str, str | None] | None:
    mutations = [weighted.response_headers] if weighted is not None else []
    mutations.append(route.response_headers)
    headers = HeaderMap()
    result: dict[str, str | None] = {}
    for mutation in mutations:
        result |= {_text(name): None for change in mutation.changes for name in change.remove}
        mutation.apply(headers, request)
    result |= {_text(name): _joined(headers, name) for name in headers}
    return result or None


def _redirect(action: RedirectAction, request: SimulatedRequest) -> Redirect:
    return Redirect(action.code, action.location(request).decode(errors="replace"))


def _fault(route: Route, random_value: float) -> FaultInjection | None:
    config = route.filter_configs.get(fault.NAME)
    if not isinstance(config, FaultConfig):
        return None
    delay = abort = None
    if config.delays(random_value):
        delay = Delay(format_duration(config.delay), config.delay_percentage)
    if config.aborts(random_value):
        abort = Abort(config.abort_status or None, config.abort_grpc_status, config.abort_percentage)
    return FaultInjection(delay, abort) if delay or abort else None


def _retries(policy: RetryPolicy | None) -> Retries | None:
    if policy is None:
        return None
    per_try = format_duration(policy.per_try_timeout) if policy.per_try_timeout else None
    words = sorted(policy.retry_on) + [str(code) for code in sorted(policy.retriable_status_codes)]
    return Retries(policy.num_retries, per_try, ",".join(words))


def _joined(headers: HeaderMap, name: bytes) -> str:
    return (headers.get_joined(name) or b"").decode(errors="replace")


def _text(name: bytes) -> str:
    return name.decode(errors="replace")
