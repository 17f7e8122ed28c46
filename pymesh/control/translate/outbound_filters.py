"""The filter chains of one port of one service in an outbound listener.

Istio: tls.go and buildSidecarOutboundHTTPListenerOpts in pilot/pkg/networking/core.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from pymesh.control.model.virtual_service import TLSMatchAttributes, TLSRoute
from pymesh.control.snapshot.egress import EgressScope
from pymesh.control.snapshot.mesh_service import MeshPort, MeshService
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.snapshot.virtual_services import VirtualServiceRule
from pymesh.control.translate.http_connection_manager import build_captured, rds
from pymesh.control.translate.l4_filter import build_l4_filter
from pymesh.control.translate.listener_telemetry import listener_telemetry
from pymesh.control.translate.outbound_chain import OutboundChain
from pymesh.control.translate.route_context import RouteContext
from pymesh.control.translate.rule_metadata import rule_metadata
from pymesh.control.translate.tcp_proxy import build_service_proxy
from pymesh.names import outbound_cluster

ANY_ADDRESS = "0.0.0.0"


class OutboundPort(NamedTuple):
    """A port at which a sidecar takes traffic to a service. `bind` is the listener's address; `subnet`, if any, what
    the service has instead of one. `port.number` 0: `bind` is a Unix socket."""

    scope: EgressScope
    service: MeshService
    port: MeshPort
    bind: str
    subnet: str = ""

    @property
    def subnets(self) -> tuple[str, ...]:
        return (self.subnet,) if self.subnet else ()


def build_http_chain(view: ProxyView, target: OutboundPort, listener: str, is_sniffed: bool) -> OutboundChain:
    """`is_sniffed`: other than HTTP may arrive, too."""
    manager = build_captured(
        view.mesh, listener_telemetry(view, "CLIENT"), f"outbound_{listener}", rds(route_name(target))
    )
    return OutboundChain(manager, is_http_only=is_sniffed)


def route_name(target: OutboundPort) -> str:
    """Shared by all services of the port, unless the listener is one service's own."""
    if not target.port.number:
        return target.bind
    is_own = target.port.protocol.is_auto and target.bind != ANY_ADDRESS
    return f"{target.service.host}:{target.port.number}" if is_own else str(target.port.number)


def build_l4_chains(view: ProxyView, target: OutboundPort) -> Iterator[OutboundChain]:
    rules = target.scope.l4_rules(target.service.host)
    return (_tls_chains if target.port.protocol.is_tls else _tcp_chains)(view, target, rules)


def _tls_chains(view: ProxyView, target: OutboundPort, rules: list[VirtualServiceRule]) -> Iterator[OutboundChain]:
    handled: set[tuple[tuple[str, ...], tuple[str, ...]]] = set()
    for rule in rules:
        context = RouteContext(view, rule, target.port.number)
        for where, route, match in _tls_matches(context):
            key = (match.sni_hosts, match.destination_subnets)
            terminal = build_l4_filter(context, route.route)
            if key not in handled and terminal is not None:
                handled.add(key)
                subnets = match.destination_subnets if target.port.number else ()
                metadata = rule_metadata(rule.key, where)
                yield OutboundChain(terminal, match.sni_hosts, subnets or target.subnets, metadata=metadata)
    if not handled:
        # Where the address does not tell the service, its name does.
        is_shared = bool(target.subnet) or target.bind == ANY_ADDRESS
        yield OutboundChain(_default(view, target), (target.service.host,) if is_shared else (), target.subnets)


def _tls_matches(context: RouteContext) -> Iterator[tuple[str, TLSRoute, TLSMatchAttributes]]:
    for i, route in enumerate(context.rule.spec.tls):
        for j, match in enumerate(route.match):
            if context.applies_l4(match):
                yield f"tls[{i}].match[{j}]", route, match


def _tcp_chains(view: ProxyView, target: OutboundPort, rules: list[VirtualServiceRule]) -> Iterator[OutboundChain]:
    """Up to the first route that takes any destination."""
    covers_own = False
    for rule in rules:
        context = RouteContext(view, rule, target.port.number)
        for i, route in enumerate(rule.spec.tcp):
            matches = [match for match in route.match if context.applies_l4(match)]
            terminal = build_l4_filter(context, route.route)
            if (route.match and not matches) or terminal is None:
                continue
            subnets = tuple(item for match in matches for item in match.destination_subnets)
            is_any = not all(match.destination_subnets for match in matches) or not subnets or not target.port.number
            metadata = rule_metadata(rule.key, f"tcp[{i}]")
            yield OutboundChain(terminal, subnets=target.subnets if is_any else subnets, metadata=metadata)
            if is_any:
                return
            covers_own = covers_own or sorted(subnets) == sorted(target.subnets)
    if not covers_own:
        yield build_default_chain(view, target)


def build_default_chain(view: ProxyView, target: OutboundPort) -> OutboundChain:
    """Of connections to the service itself."""
    return OutboundChain(_default(view, target), subnets=target.subnets)


def _default(view: ProxyView, target: OutboundPort) -> dict[str, Any]:
    """A service with one port is reached at that, whatever port the Sidecar opens for it."""
    service = target.service
    port = service.ports[0].number if len(service.ports) == 1 else target.port.number
    cluster = outbound_cluster(service.host, port)
    return build_service_proxy(view, cluster, {"cluster": cluster}, service)
