"""Where a proxy's requests go first: localities by weight, or by nearness with failover. Pure.

Istio: pilot/pkg/networking/core/loadbalancer/loadbalancer.go.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from math import ceil

from pymesh.control.model.destination_rule import Distribute, Failover, LocalityLoadBalancerSetting
from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.snapshot.instance import Locality
from pymesh.control.snapshot.mesh_service import Endpoint
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.outbound_cluster import OutboundCluster
from pymesh.names import LOCALITY_LABELS

_NO_SETTING = LocalityLoadBalancerSetting()


@dataclass(frozen=True, slots=True)
class LocalityGroup:
    """LocalityLbEndpoints: endpoints of one locality that have one priority."""

    locality: Locality
    endpoints: tuple[Endpoint, ...]
    weight: int
    priority: int = 0


@dataclass(frozen=True, slots=True)
class LocalityLb:
    """What holds for a cluster of one proxy. `can_fail_over`: the cluster detects outliers, or its traffic would never
    leave the first priority."""

    setting: LocalityLoadBalancerSetting = _NO_SETTING
    locality: Locality = Locality()  # noqa: RUF009  of the proxy; a tuple
    labels: dict[str, str] = field(default_factory=dict)  # of the proxy
    can_fail_over: bool = False

    @property
    def is_weighted(self) -> bool:
        """Whether the weights of localities count. Istio: only where somebody asked for it, as it changes whom the load
        balancer compares."""
        setting = self.setting
        has_failover = self.can_fail_over and bool(setting.failover or setting.failover_priority)
        return has_failover or bool(setting.distribute)

    def without_labels(self) -> "LocalityLb":
        return replace(self, labels={})

    def apply(self, groups: list[LocalityGroup]) -> list[LocalityGroup]:
        setting = self.setting
        if setting.distribute:
            return distribute(groups, self.locality, setting.distribute)
        if not self.can_fail_over:
            return groups
        if not setting.failover_priority:
            return fail_over(groups, self.locality, setting.failover)
        if self.labels:
            groups = prefer(groups, self.labels, setting.failover_priority)
        return fail_over(groups, self.locality, setting.failover) if setting.failover else groups


NO_LOCALITY_LB = LocalityLb()


def locality_lb_of(cluster: OutboundCluster, view: ProxyView) -> LocalityLb:
    """What a DestinationRule says of localities, else the service, else the mesh. A service's own endpoints serve the
    far, too, so that it needs no outlier detection."""
    balancer = cluster.policy.load_balancer
    own = balancer.locality_lb_setting if balancer is not None else None
    labels = view.labels | _labels_of(view.locality)
    if own is None and cluster.service.preferred_labels:
        preferred = LocalityLoadBalancerSetting(failover_priority=cluster.service.preferred_labels)
        return LocalityLb(preferred, view.locality, labels, can_fail_over=True)
    setting = effective_setting(view.mesh, own)
    if setting is None:
        return LocalityLb()
    return LocalityLb(setting, view.locality, labels, cluster.policy.outlier_detection is not None)


def effective_setting(mesh: MeshConfig, own: LocalityLoadBalancerSetting | None) -> LocalityLoadBalancerSetting | None:
    """A rule's setting replaces the mesh's whole. None: switched off."""
    setting = own if own is not None else mesh.locality_lb_setting
    return None if setting.enabled is False else setting


# by weight


def distribute(groups: list[LocalityGroup], locality: Locality, rules: Iterable[Distribute]) -> list[LocalityGroup]:
    """By the first rule for the proxy's locality; whom it does not name gets nothing."""
    rule = next((rule for rule in rules if matches(locality, rule.from_)), None)
    if rule is None:
        return groups
    left, found = list(groups), []
    for target, weight in rule.to.items():
        here = [group for group in left if matches(group.locality, target)]
        left = [group for group in left if group not in here]
        total = sum(group.weight for group in here)
        found += [replace(group, weight=ceil(group.weight * weight / total)) for group in here]
    return sorted(found, key=lambda group: group.locality)


def matches(locality: Locality, pattern: str) -> bool:
    """`region/zone/sub-zone`, where a `*` or a part that is missing means any."""
    parts = (*pattern.split("/"), "*", "*")[:3]
    return all(part in ("*", own) for part, own in zip(parts, locality, strict=True))


# by nearness


def fail_over(groups: list[LocalityGroup], locality: Locality, rules: Iterable[Failover]) -> list[LocalityGroup]:
    """Priorities by how much of the locality is the proxy's; other regions last, and first of those the one that a rule
    names. What priority the groups have already weighs more."""
    target = next((rule.to for rule in rules if rule.from_ == locality.region), None)
    return _in_order(
        [replace(group, priority=5 * group.priority + _distance(group, locality, target)) for group in groups]
    )


def _distance(group: LocalityGroup, locality: Locality, target: str | None) -> int:
    """0: the same sub-zone; 1: zone; 2: region; 3: another one; 4: another one than the rule's."""
    same = 0
    for own, other in zip(locality, group.locality, strict=True):
        if own != other:
            break
        same += 1
    is_elsewhere = same == 0 and target is not None and group.locality.region != target
    return 4 if is_elsewhere else 3 - same


def prefer(groups: list[LocalityGroup], labels: dict[str, str], keys: tuple[str, ...]) -> list[LocalityGroup]:
    """failoverPriority: the more labels an endpoint shares with the proxy, from the first key on, the sooner its turn.
    A `key=value` stands for the proxy's own value."""
    pairs = [key.partition("=") for key in keys]
    wanted = [(key, value if equals else labels.get(key, "")) for key, equals, value in pairs]
    split: list[LocalityGroup] = []
    for group in groups:
        by_priority: dict[int, list[Endpoint]] = {}
        for endpoint in group.endpoints:
            by_priority.setdefault(_rank(endpoint, wanted), []).append(endpoint)
        for priority in sorted(by_priority):
            members = tuple(by_priority[priority])
            weight = sum(endpoint.instance.weight or 1 for endpoint in members)
            split.append(LocalityGroup(group.locality, members, weight, priority))
    return _in_order(split)


def _rank(endpoint: Endpoint, wanted: list[tuple[str, str]]) -> int:
    own = endpoint.instance.labels | _labels_of(endpoint.instance.locality)
    for index, (key, value) in enumerate(wanted):
        if own.get(key, "") != value:
            return len(wanted) - index
    return 0


def _in_order(groups: list[LocalityGroup]) -> list[LocalityGroup]:
    """Priorities without gaps, as Envoy wants them."""
    order = sorted({group.priority for group in groups})
    return [replace(group, priority=order.index(group.priority)) for group in groups]


def _labels_of(locality: Locality) -> dict[str, str]:
    return {key: part for key, part in zip(LOCALITY_LABELS, locality, strict=True) if part}
