"""DestinationRules: merged where one host has several, and found as Istio finds the one that a client obeys."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from pymesh.control.model.destination_rule import (
    DestinationRule,
    LocalityLoadBalancerSetting,
    PortTrafficPolicy,
    Subset,
    TrafficPolicy,
)
from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.model.resource import Resource
from pymesh.control.snapshot.host_index import HostIndex
from pymesh.control.snapshot.visibility import Visibility, visibility
from pymesh.names import resolve_host


@dataclass(frozen=True, slots=True, eq=False)
class MergedDestinationRule:
    """All rules of one namespace for one host that agree on exportTo and selector."""

    host: str
    namespace: str
    visibility: Visibility
    selector: dict[str, str]
    traffic_policy: TrafficPolicy | None
    subsets: tuple[Subset, ...]

    def subset(self, name: str) -> Subset | None:
        return next((subset for subset in self.subsets if subset.name == name), None)

    def merges_with(self, younger: "MergedDestinationRule", is_local: bool) -> bool:
        """`is_local`: for clients of the own namespace, to whom a younger rule may speak that more namespaces see."""
        is_seen_alike = younger.visibility == self.visibility or (
            is_local and younger.visibility.widens(self.visibility)
        )
        return is_seen_alike and self.selector == younger.selector

    def merged(self, younger: "MergedDestinationRule") -> "MergedDestinationRule":
        """The first subset of a name wins; the top policy is that of the oldest rule that has one."""
        known = {subset.name for subset in self.subsets}
        added = tuple(subset for subset in younger.subsets if subset.name not in known)
        policy = self.traffic_policy if self.traffic_policy is not None else younger.traffic_policy
        return replace(self, traffic_policy=policy, subsets=self.subsets + added)


Rules = list[MergedDestinationRule]


class DestinationRules:
    """Client's namespace, service's namespace, root namespace: the first with a matching host decides alone, unless all
    that it has are rules for other workloads.

    Inside a namespace the most specific host wins. Nothing is inherited from one rule to another.
    Istio: destinationRule in pilot/pkg/model/push_context.go.
    """

    def __init__(self, resources: Iterable[Resource[DestinationRule]], mesh: MeshConfig) -> None:
        """`resources` come oldest first."""
        self._root = mesh.root_namespace
        self._local: dict[str, HostIndex[Rules]] = {}  # for clients of the rule's own namespace
        self._exported: dict[str, HostIndex[Rules]] = {}
        for resource in resources:
            self._add(build_destination_rule(resource, mesh))
        # Whether what a client sees depends on its locality: where outliers are ejected, the near are preferred.
        self.use_locality = bool(mesh.locality_lb_setting.distribute) or any(map(_uses_locality, self._all()))

    def find(
        self, client: str, labels: dict[str, str], service_host: str, service_namespace: str
    ) -> MergedDestinationRule | None:
        """The rule that a proxy with these labels in the namespace `client` obeys for a service."""
        for candidates in self._candidates(client, service_host, service_namespace):
            found = next((rule for rule in candidates if rule.selector.items() <= labels.items()), None)
            if found is not None:
                return found
        return None

    def client_label_keys(self) -> Iterator[str]:
        """Labels of a client on which some rule depends: those of selectors, and of failoverPriority."""
        for rule in self._all():
            yield from rule.selector
            for setting in _locality_settings(rule):
                yield from (key.partition("=")[0] for key in setting.failover_priority)

    def _all(self) -> Iterator[MergedDestinationRule]:
        for index in self._local.values():
            for _, rules in index.items():
                yield from rules

    def _candidates(self, client: str, host: str, service_namespace: str) -> Iterator[Rules]:
        own = _most_specific(self._local, client, host)
        # A public rule of the root namespace is a default for all; its own proxies, too, ask the service's rule first.
        yield [rule for rule in own if rule.visibility.is_private] if client == self._root else own
        for namespace in (service_namespace, self._root):
            exported = _most_specific(self._exported, namespace, host)
            yield [rule for rule in exported if rule.visibility.includes(client)]

    def _add(self, rule: MergedDestinationRule) -> None:
        _merge_into(self._local.setdefault(rule.namespace, HostIndex()), rule, is_local=True)
        if not rule.visibility.is_private:
            _merge_into(self._exported.setdefault(rule.namespace, HostIndex()), rule, is_local=False)


def _policies(rule: MergedDestinationRule) -> Iterator[TrafficPolicy | PortTrafficPolicy]:
    for policy in (rule.traffic_policy, *(subset.traffic_policy for subset in rule.subsets)):
        if policy is not None:
            yield policy
            yield from policy.port_level_settings


def _uses_locality(rule: MergedDestinationRule) -> bool:
    has_setting = next(_locality_settings(rule), None) is not None
    return has_setting or any(policy.outlier_detection is not None for policy in _policies(rule))


def _locality_settings(rule: MergedDestinationRule) -> Iterator[LocalityLoadBalancerSetting]:
    for policy in _policies(rule):
        if policy.load_balancer is not None and policy.load_balancer.locality_lb_setting is not None:
            yield policy.load_balancer.locality_lb_setting


def _most_specific(indices: dict[str, HostIndex[Rules]], namespace: str, host: str) -> Rules:
    index = indices.get(namespace)
    return (index.most_specific(host) if index is not None else None) or []


def _merge_into(index: HostIndex[Rules], rule: MergedDestinationRule, is_local: bool) -> None:
    rules = index.add(rule.host, [])
    for i, older in enumerate(rules):
        if older.merges_with(rule, is_local):
            rules[i] = older.merged(rule)
            return
    rules.append(rule)
    rules.sort(key=lambda item: not item.selector)  # stable: those with a selector first


def build_destination_rule(resource: Resource[DestinationRule], mesh: MeshConfig) -> MergedDestinationRule:
    spec, namespace = resource.spec, resource.namespace
    selector = spec.workload_selector.match_labels if spec.workload_selector is not None else {}
    export_to = (".",) if selector else spec.export_to
    return MergedDestinationRule(
        host=resolve_host(spec.host, namespace).lower(),
        namespace=namespace,
        visibility=visibility(export_to, mesh.default_destination_rule_export_to, namespace),
        selector=selector,
        traffic_policy=spec.traffic_policy,
        subsets=spec.subsets,
    )
