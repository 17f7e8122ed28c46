"""envoy.config.route.v3.RouteAction.RequestMirrorPolicy"""

from collections.abc import Iterator
from typing import Any

from pymesh.control.model.messages import Destination
from pymesh.control.model.virtual_service import HTTPRoute
from pymesh.control.translate.route_context import RouteContext
from pymesh.protojson import fractional_percent


def build_mirrors(route: HTTPRoute, context: RouteContext) -> list[dict[str, Any]]:
    """`mirror` comes before `mirrors`. No percentage is 100 %, and 0 % is no mirror."""
    return [_policy(context.cluster(target), percent) for target, percent in _targets(route) if percent > 0]


def _targets(route: HTTPRoute) -> Iterator[tuple[Destination, float]]:
    if route.mirror is not None:
        yield route.mirror, _percent(route)
    for policy in route.mirrors:
        if policy.destination is not None:
            yield policy.destination, 100.0 if policy.percentage is None else policy.percentage.value


def _percent(route: HTTPRoute) -> float:
    if route.mirror_percentage is not None:
        return route.mirror_percentage.value
    return 100.0 if route.mirror_percent is None else float(route.mirror_percent)


def _policy(cluster: str, percent: float) -> dict[str, Any]:
    return {
        "cluster": cluster,
        "runtime_fraction": {"default_value": fractional_percent(percent)},
        "trace_sampled": False,
        "disable_shadow_host_suffix_append": True,
    }
