"""AuthorizationPolicies as Envoy's RBAC filters: AUDIT is asked first, then DENY, then ALLOW.

Istio: pilot/pkg/security/authz/builder/builder.go.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from pymesh.control.model.authorization_policy import AuthorizationPolicy, is_dry_run
from pymesh.control.model.resource import Resource
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.rbac_attributes import RuleContext
from pymesh.control.translate.rbac_policy import NEVER, Traffic, build_policy
from pymesh.control.translate.trust_domains import trust_domains
from pymesh.control.translate.type_urls import HTTP_RBAC, HTTP_RBAC_FILTER, NETWORK_RBAC, NETWORK_RBAC_FILTER

Policies = Iterable[Resource[AuthorizationPolicy]]
Filter = dict[str, Any]

_TCP_STAT_PREFIX = "tcp."
# In the order in which they are asked, and what Envoy calls them.
_ACTIONS = {"AUDIT": "LOG", "DENY": "DENY", "ALLOW": "ALLOW"}
_SHADOW_PREFIXES = {"DENY": "istio_dry_run_deny_", "ALLOW": "istio_dry_run_allow_"}


def build_http_rbac(view: ProxyView, port: int | None) -> list[Filter]:
    """`port`: see RuleContext."""
    return [
        {"name": HTTP_RBAC_FILTER, "typed_config": {"@type": HTTP_RBAC, **rules}}
        for rules in _rules(view, port, is_tcp=False)
    ]


def build_network_rbac(view: ProxyView, port: int | None) -> list[Filter]:
    return [
        {
            "name": NETWORK_RBAC_FILTER,
            "typed_config": {"@type": NETWORK_RBAC, **rules, "stat_prefix": _TCP_STAT_PREFIX},
        }
        for rules in _rules(view, port, is_tcp=True)
    ]


def _rules(view: ProxyView, port: int | None, is_tcp: bool) -> Iterator[dict[str, Any]]:
    """For each action of which there is a policy: what is enforced, and what is only tried (dry-run)."""
    context = RuleContext("", trust_domains(view.mesh), port)
    for action, called in _ACTIONS.items():
        chosen = [policy for policy in view.authorization_policies if policy.spec.action == action]
        traffic = Traffic(is_tcp, narrows=action == "ALLOW")
        enforced = [policy for policy in chosen if not is_dry_run(policy.metadata.annotations)]
        tried = [policy for policy in chosen if is_dry_run(policy.metadata.annotations)]
        rules: dict[str, Any] = {"rules": build_rules(called, enforced, context, traffic)} if enforced else {}
        if tried and action in _SHADOW_PREFIXES:  # to try an AUDIT is as good as nothing
            rules["shadow_rules"] = build_rules(called, tried, context, traffic)
            rules["shadow_rules_stat_prefix"] = _SHADOW_PREFIXES[action]
        if rules:
            yield rules


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
