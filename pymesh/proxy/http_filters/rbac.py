"""Role-based access control of requests.

https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/rbac_filter
"""

from dataclasses import dataclass
from typing import Any

from pymesh.protojson import Reader
from pymesh.proxy.http_filters.filter import (
    CONTINUE,
    FilterContext,
    FilterStatus,
    HttpFilter,
    HttpFilterFactory,
    LocalReply,
)
from pymesh.proxy.rbac_engine.decoder import decode_rbac
from pymesh.proxy.rbac_engine.engine import RbacEngine, Verdict, response_details
from pymesh.proxy.rbac_engine.rule import Rbac
from pymesh.proxy.telemetry.metric_names import (
    DRY_RUN_ALLOW_ALLOWED,
    DRY_RUN_ALLOW_DENIED,
    DRY_RUN_DENY_ALLOWED,
    DRY_RUN_DENY_DENIED,
    RBAC_ALLOWED,
    RBAC_DENIED,
    RBAC_SHADOW_ALLOWED,
    RBAC_SHADOW_DENIED,
)

NAME = "envoy.filters.http.rbac"

# By the prefix of what they find out: would be allowed, would be denied.
_ANY_SHADOW = (RBAC_SHADOW_ALLOWED, RBAC_SHADOW_DENIED)
_SHADOWS = {
    "istio_dry_run_allow_": (DRY_RUN_ALLOW_ALLOWED, DRY_RUN_ALLOW_DENIED),
    "istio_dry_run_deny_": (DRY_RUN_DENY_ALLOWED, DRY_RUN_DENY_DENIED),
}

_TEXT = b"RBAC: access denied"


@dataclass(frozen=True, slots=True)
class RbacConfig:
    """None where there is nothing to enforce. Shadow rules deny nothing: their verdict goes into dynamic metadata."""

    rules: Rbac | None = None
    shadow_rules: Rbac | None = None
    shadow_prefix: str = ""


class CompiledRbac:
    """The engines of one configuration."""

    __slots__ = ("enforced", "shadow", "shadow_prefix")

    def __init__(self, config: RbacConfig) -> None:
        self.enforced = RbacEngine(config.rules) if config.rules is not None else None
        self.shadow = RbacEngine(config.shadow_rules) if config.shadow_rules is not None else None
        self.shadow_prefix = config.shadow_prefix


class RbacFilter:
    def __init__(self, config: RbacConfig, context: FilterContext) -> None:
        counter = context.telemetry.metrics.counter
        self.compiled = CompiledRbac(config)
        self._allowed, self._denied = counter(RBAC_ALLOWED), counter(RBAC_DENIED)
        self._shadow_allowed, self._shadow_denied = map(counter, _SHADOWS.get(config.shadow_prefix, _ANY_SHADOW))

    def on_request(self, stream: Any) -> FilterStatus | LocalReply:
        compiled = self.compiled
        if compiled.shadow is not None:
            self._note(stream, compiled, compiled.shadow.judge(stream))
        if compiled.enforced is None:
            return CONTINUE
        verdict = compiled.enforced.judge(stream)
        if verdict.is_allowed:
            self._allowed.value += 1
            return CONTINUE
        self._denied.value += 1
        return LocalReply(403, _TEXT, response_details(verdict.policy))

    def _note(self, stream: Any, compiled: CompiledRbac, verdict: Verdict) -> None:
        (self._shadow_allowed if verdict.is_allowed else self._shadow_denied).value += 1
        found = {f"{compiled.shadow_prefix}shadow_engine_result": "allowed" if verdict.is_allowed else "denied"}
        if verdict.policy:
            found[f"{compiled.shadow_prefix}shadow_effective_policy_id"] = verdict.policy
        stream.info.add_metadata(NAME, found)


class AuditFilter:
    """Of rules whose action is LOG: they mark what they match, for whoever records it, and deny nothing."""

    def __init__(self, rules: Rbac) -> None:
        self._engine = RbacEngine(rules)

    def on_request(self, stream: Any) -> FilterStatus:
        stream.info.add_metadata("envoy.common", {"access_log_hint": bool(self._engine.judge(stream).policy)})
        return CONTINUE


def build_rbac_filter(config: RbacConfig, context: FilterContext) -> HttpFilter:
    rules = config.rules
    if rules is not None and rules.action == "LOG" and config.shadow_rules is None:
        return AuditFilter(rules)
    return RbacFilter(config, context)


def decode_rbac_filter(reader: Reader) -> RbacConfig:
    reader.ignore("@type", "track_per_rule_stats", "rules_stat_prefix")
    rules, shadow = reader.object("rules"), reader.object("shadow_rules")
    return RbacConfig(
        decode_rbac(rules) if rules is not None else None,
        decode_rbac(shadow) if shadow is not None else None,
        reader.string("shadow_rules_stat_prefix"),
    )


FACTORY = HttpFilterFactory(
    type_url="type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
    name=NAME,
    decode=decode_rbac_filter,
    decode_route=None,
    build=build_rbac_filter,
)
