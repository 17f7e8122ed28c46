"""Which rules have no effect, or only a part of theirs, because others stand before them. Pure.

https://istio.io/latest/docs/ops/best-practices/traffic-management/ and the merge rules of pilot/pkg/model.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any

from pymesh.control.model import kinds
from pymesh.control.model.conditions import Shadow
from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.model.resource import Key, Resource
from pymesh.control.snapshot.creation_order import oldest_first
from pymesh.control.snapshot.destination_rules import build_destination_rule
from pymesh.control.snapshot.virtual_services import VirtualServiceRule, VirtualServices, build_virtual_service
from pymesh.names import MESH_GATEWAY

_Resources = list[Resource[Any]]


def find_shadows(resources: Iterable[Resource[Any]], mesh: MeshConfig) -> dict[Key, Shadow]:
    by_kind: dict[kinds.Kind, _Resources] = {}
    for resource in oldest_first(resources):
        by_kind.setdefault(resource.kind, []).append(resource)
    shadows = dict(_of_virtual_services(by_kind.get(kinds.VIRTUAL_SERVICE, []), mesh))
    shadows.update(_of_destination_rules(by_kind.get(kinds.DESTINATION_RULE, []), mesh))
    for kind, scope in _ONE_A_SCOPE.items():
        shadows.update(_after_the_first(by_kind.get(kind, []), scope))
    return shadows


def _of_virtual_services(resources: _Resources, mesh: MeshConfig) -> Iterator[tuple[Key, Shadow]]:
    """In sidecars the rules of one host are not merged. One that is also a gateway's has an effect there."""
    rules = [build_virtual_service(resource, mesh) for resource in resources]
    sidecar_rules = [rule for rule in rules if MESH_GATEWAY in rule.gateways]
    index = VirtualServices(rules)
    winners = {namespace: dict(index.of_mesh(namespace).items()) for namespace in {rule.namespace for rule in rules}}
    for rule in sidecar_rules:
        others = {host: _winner(rule, host, winners) for host in rule.hosts}
        reasons = tuple(
            f"sidecars route {host} by VirtualService {other.namespace}/{other.key.name}"
            for host, other in others.items()
            if other is not None
        )
        if reasons:
            yield rule.key, Shadow(len(reasons) == len(rule.hosts) and len(rule.gateways) == 1, reasons)


def _winner(
    rule: VirtualServiceRule, host: str, winners: dict[str, dict[str, VirtualServiceRule]]
) -> VirtualServiceRule | None:
    """Whose rule holds for the host wherever this one is visible; None if there is a namespace where it is this."""
    found = [by_host.get(host) for namespace, by_host in winners.items() if rule.visibility.includes(namespace)]
    return None if rule in found else next((other for other in found if other is not None), None)


def _of_destination_rules(resources: _Resources, mesh: MeshConfig) -> Iterator[tuple[Key, Shadow]]:
    """Those of one host are merged: the first subset of a name, and the first policy, win."""
    merged: dict[Hashable, _Resources] = {}
    for resource in resources:
        merged.setdefault(_destination_scope(resource, mesh), []).append(resource)
    for rules in merged.values():
        for number, resource in enumerate(rules):
            reasons = tuple(_overruled(resource, rules[:number]))
            if reasons:
                spec = resource.spec
                parts = len(spec.subsets) + (spec.traffic_policy is not None)
                yield resource.key, Shadow(len(reasons) == parts, reasons)


def _destination_scope(resource: Resource[Any], mesh: MeshConfig) -> Hashable:
    rule = build_destination_rule(resource, mesh)
    return rule.namespace, rule.host, rule.visibility, frozenset(rule.selector.items())


def _overruled(resource: Resource[Any], older: _Resources) -> Iterator[str]:
    spec = resource.spec
    for other in older if spec.traffic_policy is not None else ():
        if other.spec.traffic_policy is not None:
            yield f"trafficPolicy is that of DestinationRule {other.namespace}/{other.name}"
            break
    for subset in spec.subsets:
        for other in older:
            if any(subset.name == known.name for known in other.spec.subsets):
                yield f"subset {subset.name} is that of DestinationRule {other.namespace}/{other.name}"
                break


def _after_the_first(resources: _Resources, scope: Callable[[Resource[Any]], Hashable]) -> Iterator[tuple[Key, Shadow]]:
    """Of these kinds the oldest of each scope holds alone."""
    first: dict[Hashable, Resource[Any]] = {}
    for resource in resources:
        holder = first.setdefault(scope(resource), resource)
        if holder is not resource:
            reason = f"{resource.kind.name} {holder.namespace}/{holder.name} is for the same workloads and older"
            yield resource.key, Shadow(True, (reason,))


def _scope_of_peer_authentication(resource: Resource[Any]) -> Hashable:
    selector = resource.spec.selector
    return resource.namespace, frozenset(selector.match_labels.items() if selector is not None else ())


def _scope_of_sidecar(resource: Resource[Any]) -> Hashable:
    selector = resource.spec.workload_selector
    return resource.namespace, frozenset(selector.labels.items() if selector is not None else ())


_ONE_A_SCOPE: dict[kinds.Kind, Callable[[Resource[Any]], Hashable]] = {
    kinds.PEER_AUTHENTICATION: _scope_of_peer_authentication,
    kinds.SIDECAR: _scope_of_sidecar,
}
