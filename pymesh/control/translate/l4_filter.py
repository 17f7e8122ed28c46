"""The terminal filter of a chain that a tcp or tls route of a VirtualService makes, in a sidecar or a gateway."""

from typing import Any

from pymesh.control.model.virtual_service import RouteDestination
from pymesh.control.translate.listener_telemetry import listener_telemetry
from pymesh.control.translate.route_context import RouteContext
from pymesh.control.translate.tcp_proxy import build_service_proxy, build_tcp_proxy
from pymesh.control.translate.tcp_routes import build_l4_target


def build_l4_filter(context: RouteContext, destinations: tuple[RouteDestination, ...]) -> dict[str, Any] | None:
    """None for a route that leads nowhere, which validation lets nobody write."""
    target = build_l4_target(destinations, context)
    if target is None:
        return None
    if "cluster" in target:
        return _of_destination(context, destinations, target)
    telemetry = listener_telemetry(context.view, "CLIENT")
    return build_tcp_proxy(telemetry, f"{context.rule.key.name}.{context.rule.namespace}", target)


def _of_destination(
    context: RouteContext, destinations: tuple[RouteDestination, ...], target: dict[str, Any]
) -> dict[str, Any]:
    used = next(item.destination for item in destinations if item.weight > 0 or len(destinations) == 1)
    service = context.service(used) if used is not None else None
    return build_service_proxy(context.view, target["cluster"], target, service)
