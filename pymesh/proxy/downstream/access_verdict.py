"""Whether a call may pass a filter chain, decided by the chain's own filters without a connection. Pure.

Simulators ask here; the data plane runs the filters themselves.
"""

from collections.abc import Iterable
from typing import NamedTuple

from pymesh.proxy.downstream.hcm_config import HttpConnectionManagerConfig
from pymesh.proxy.downstream.listener_config import FilterChainConfig
from pymesh.proxy.http_filters.rbac import RbacConfig
from pymesh.proxy.rbac_engine.engine import Call, RbacEngine
from pymesh.proxy.rbac_engine.rule import Rbac

ALLOW, DENY = "ALLOW", "DENY"


class Authorization(NamedTuple):
    """`policy` is the one that decided, `ns[default]-policy[name]-rule[0]`; empty where none matched."""

    verdict: str = ALLOW
    policy: str = ""


def authorize(chain: FilterChainConfig, call: Call) -> Authorization:
    """By the chain's RBAC filters, in their order; the first that denies has the last word."""
    policy = ""
    for rules in _rules(chain):
        verdict = RbacEngine(rules).judge(call)
        if not verdict.is_allowed:
            return Authorization(DENY, verdict.policy)
        policy = verdict.policy or policy
    return Authorization(ALLOW, policy)


def _rules(chain: FilterChainConfig) -> Iterable[Rbac]:
    yield from (gate.rules for gate in chain.gates if gate.rules is not None)
    manager = chain.network_filter
    if isinstance(manager, HttpConnectionManagerConfig):
        for item in manager.http_filters:
            if isinstance(item.config, RbacConfig) and item.config.rules is not None:
                yield item.config.rules
