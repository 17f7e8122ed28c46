"""AuthorizationPolicies as Envoy's RBAC filters: DENY is asked first, then ALLOW.

Istio: pilot/pkg/security/authz/builder/builder.go.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from pymesh.control.model.authorization_policy import AuthorizationPolicy
from pymesh.control.model.resource import Resource
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.rbac_attributes import RuleContext
from pymesh.control.translate.rbac_policy import NEVER, Traffic, build_policy
from pymesh.control.translate.trust_domains import trust_domains
from pymesh.control.translate.type_urls import HTTP_RBAC, HTTP_RBAC_FILTER, NETWORK_RBAC, NETWORK_RBAC_FILTER

Policies = Iterable[Resource[AuthorizationPolicy]]
Filter = dict[str, Any]

_TCP_STAT_PREFIX = "tcp."
# In the order in which they are asked.
_ACTIONS = ("DENY", "ALLOW")


def build_http_rbac(view: ProxyView, port: int | None) -> list[Filter]:
    """`port`: see RuleContext."""
    return [
        {"name": HTTP_RBAC_FILTER, "typed_config": {"@type": HTTP_RBAC, "rules": rules}}
        for rules in _rules(view, port, is_tcp=False)
    ]


def build_network_rbac(view: ProxyView, port: int | None) -> list[Filter]:
    return [
        {
            "name": NETWORK_RBAC_FILTER,
            "typed_config": {"@type": NETWORK_RBAC, "rules": rules, "stat_prefix": _TCP_STAT_PREFIX},
        }
        for rules in _rules(view, port, is_tcp=True)
    ]


def _rules(view: ProxyView, port: int | None, is_tcp: bool) -> Iterator[dict[str, Any]]:
    """One RBAC for each action of which there is a policy."""
    policies = view.authorization_policies
    for action in _ACTIONS:
        chosen = [policy for policy in policies if policy.spec.action == action]
        if chosen:
            traffic = Traffic(is_tcp, narrows=action == "ALLOW")
            yield build_rules(action, chosen, RuleContext("", trust_domains(view.mesh), port), traffic)


def build_rules(action: str, policies: Policies, context: RuleContext, traffic: Traffic) -> dict[str, Any]:
    """envoy.config.rbac.v3.RBAC. A policy without rules matches nothing, which is not the same as no policy."""
    built: dict[str, Any] = {}
    for policy in policies:
        here = context._replace(namespace=policy.namespace)
        for index, rule in enumerate(policy.spec.rules):
            one = build_policy(rule, here, traffic)
            if one is not None:
                built[policy_name(policy, index)] = one
        if not policy.spec.rules:
            built[policy_name(policy, 0)] = NEVER
    return {"action": action, "policies": built}


def policy_name(policy: Resource[AuthorizationPolicy], index: int) -> str:
    return f"ns[{policy.namespace}]-policy[{policy.metadata.name}]-rule[{index}]"
