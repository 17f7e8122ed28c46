"""Which routes and policies of a configuration some call has reached."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pymesh.control.model.authorization_policy import AuthorizationPolicy, is_dry_run
from pymesh.control.model.kinds import AUTHORIZATION_POLICY, VIRTUAL_SERVICE
from pymesh.control.model.resource import Key, Resource
from pymesh.simulation.authentications import all_authentications
from pymesh.simulation.decision import Decision, Rule
from pymesh.simulation.files import Configuration

_POLICY = re.compile(r"ns\[(.*?)\]-policy\[(.*?)\]-rule\[(\d+)\]")
_ROUTE = re.compile(r"(http|tls|tcp)\[\d+\]")


@dataclass(slots=True)
class Coverage:
    """Counts routes of VirtualServices, rules of AuthorizationPolicies, where one without rules counts once, rules of
    RequestAuthentications, and the modes of PeerAuthentications.

    A route that delegates is its delegate's routes.
    """

    configuration: Configuration
    _reached: set[Rule] = field(default_factory=set)

    def add(self, decision: Decision) -> None:
        for found in (decision, decision.inbound_decision):
            if found is not None:
                self._reached.update(_rules_of(found))

    @property
    def rules(self) -> list[Rule]:
        return list(_all_rules(self.configuration))

    @property
    def missed(self) -> list[Rule]:
        return [rule for rule in self.rules if rule not in self._reached]

    @property
    def percent(self) -> float:
        """100 where there is nothing to reach."""
        rules = self.rules
        return 100.0 if not rules else 100.0 * (len(rules) - len(self.missed)) / len(rules)


def _rules_of(decision: Decision) -> Iterable[Rule]:
    if decision.rule is not None:
        route = _ROUTE.match(decision.rule.path)
        if route is not None:
            yield Rule(decision.rule.key, route[0])
    yield from decision.authentications
    authz = decision.inbound.authz if decision.inbound is not None else None
    if authz is None:
        return
    policy = _POLICY.fullmatch(authz.policy or "")
    if policy is not None:
        yield Rule(Key(AUTHORIZATION_POLICY.name, policy[1], policy[2]), f"rules[{policy[3]}]")
    elif authz.verdict == "DENY":
        yield from (Rule(key, "") for key in decision.denying)


def _all_rules(configuration: Configuration) -> Iterable[Rule]:
    for resource in configuration.resources:
        if resource.kind == VIRTUAL_SERVICE:
            for kind in ("http", "tls", "tcp"):
                routes = getattr(resource.spec, kind)
                yield from (
                    Rule(resource.key, f"{kind}[{i}]") for i, route in enumerate(routes) if not _delegates(route)
                )
        elif resource.kind == AUTHORIZATION_POLICY and not _decides(resource):
            continue
        elif resource.kind == AUTHORIZATION_POLICY:
            rules = resource.spec.rules
            yield from (Rule(resource.key, f"rules[{i}]") for i in range(len(rules)))
            if not rules:
                yield Rule(resource.key, "")
        else:
            yield from all_authentications(resource)


def _decides(policy: Resource[AuthorizationPolicy]) -> bool:
    """Rather than to mark what passes, or to be only tried."""
    return policy.spec.action != "AUDIT" and not is_dry_run(policy.metadata.annotations)


def _delegates(route: Any) -> bool:
    return getattr(route, "delegate", None) is not None
