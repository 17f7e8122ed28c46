"""Rules of a localityLbSetting."""

from collections.abc import Iterable

from pymesh.control.model.destination_rule import Distribute, Failover, LocalityLoadBalancerSetting
from pymesh.control.model.scope import Scope
from pymesh.names import LOCALITY_LABELS


def check_locality_lb(setting: LocalityLoadBalancerSetting, at: Scope) -> None:
    """Istio: validateLocalityLbSetting."""
    is_either = not setting.distribute or not (setting.failover or setting.failover_priority)
    at.require(is_either, "must have only one of distribute and failover")
    for index, rule in enumerate(setting.distribute):
        _check_distribute(rule, at["distribute"][index])
    _check_distinct((rule.from_ for rule in setting.distribute), at["distribute"])
    for index, failover in enumerate(setting.failover):
        _check_failover(failover, at["failover"][index])
    for index, label in enumerate(setting.failover_priority):
        is_allowed = not setting.failover or label.partition("=")[0] not in LOCALITY_LABELS
        at["failoverPriority"][index].require(is_allowed, f"{label} cannot stand beside failover")


def _check_distribute(rule: Distribute, at: Scope) -> None:
    _check_locality(rule.from_, at["from"])
    for locality, weight in rule.to.items():
        _check_locality(locality, at["to"])
        at["to"].require(0 < weight <= 100, f"the weight of {locality} must be 1..100")
    at["to"].require(sum(rule.to.values()) == 100, "the weights must add up to 100")
    _check_distinct(rule.to, at["to"])


def _check_failover(rule: Failover, at: Scope) -> None:
    for name, region in (("from", rule.from_), ("to", rule.to)):
        is_region = bool(region) and "/" not in region and "*" not in region
        at[name].require(is_region, "must be a region, without / and *")
    at.require(rule.from_ != rule.to, "must be two regions")


def _check_locality(locality: str, at: Scope) -> None:
    """`region[/zone[/sub-zone]]`; after a `*` there is nothing more to say."""
    parts = locality.split("/")
    at.require(all(parts) and len(parts) <= 3, f"{locality!r} must be region[/zone[/sub-zone]]")
    at.require("*" not in parts[:-1], f"{locality!r} has a part behind *")


def _check_distinct(localities: Iterable[str], at: Scope) -> None:
    """None may be part of another: which one of the two would hold?"""
    seen: set[tuple[str, ...]] = set()
    within: set[tuple[str, ...]] = set()  # what those are in
    for locality in localities:
        parts = tuple(part for part in locality.split("/", 3) if part != "*")
        around = [parts[:length] for length in range(len(parts) + 1)]
        is_alone = parts not in within and seen.isdisjoint(around)
        at.require(is_alone, f"{locality!r} overlaps another locality")
        seen.add(parts)
        within.update(around)
