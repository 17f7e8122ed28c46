"""One rule of an AuthorizationPolicy as a policy of Envoy's RBAC: who may call (principals) and what (permissions).

Istio: pilot/pkg/security/authz/model/model.go.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from pymesh.control.model.authorization_policy import From, Rule, To
from pymesh.control.translate.rbac_attributes import RuleContext, find_attribute

Built = dict[str, Any]

# Fields of the source and the operation, in the order in which Istio asks for them, and the attributes they are of.
_SOURCE = {
    "principals": "source.principal",
    "service_accounts": "source.serviceAccount",
    "trust_domains": "source.trustDomain",
    "request_principals": "request.auth.principal",
    "namespaces": "source.namespace",
    "remote_ip_blocks": "remote.ip",
    "ip_blocks": "source.ip",
}
_OPERATION = {
    "hosts": "operation.host",
    "methods": "operation.method",
    "paths": "operation.path",
    "ports": "destination.port",
}
_ANY: Built = {"any": True}
_NEVER_PERMISSION: Built = {"not_rule": _ANY}
_NEVER_PRINCIPAL: Built = {"not_id": _ANY}
NEVER: Built = {"permissions": [_NEVER_PERMISSION], "principals": [_NEVER_PRINCIPAL]}


class _Condition(NamedTuple):
    key: str
    values: tuple[str, ...]
    not_values: tuple[str, ...]


class _Grammar(NamedTuple):
    """How permissions and principals write the same thing."""

    all_of: str
    any_of: str
    none_of: str
    members: str


_PERMISSIONS = _Grammar("and_rules", "or_rules", "not_rule", "rules")
_PRINCIPALS = _Grammar("and_ids", "or_ids", "not_id", "ids")


class Traffic(NamedTuple):
    """What the policy is for. `narrows`: what cannot be asked of TCP drops a rule whole, so that it allows less;
    otherwise only the field is dropped, so that the rule denies more."""

    is_tcp: bool
    narrows: bool


def build_policy(rule: Rule, context: RuleContext, traffic: Traffic) -> Built | None:
    """None for a rule that asks for something which TCP does not have."""
    conditions = [_Condition(item.key, item.values, item.not_values) for item in rule.when]
    permissions, principals = _of_kind(conditions, True), _of_kind(conditions, False)
    what = [[*_operation(item), *permissions] for item in rule.to] or [permissions]
    who = [[*_source(item), *principals] for item in rule.from_] or [principals]
    if traffic.is_tcp and traffic.narrows and any(_is_http(item) for group in (*what, *who) for item in group):
        return None
    return {
        "permissions": [_all_of(group, _PERMISSIONS, context, traffic) for group in what],
        "principals": [_all_of(group, _PRINCIPALS, context, traffic) for group in who],
    }


def _source(item: From) -> Iterator[_Condition]:
    return _set_fields(item.source, _SOURCE)


def _operation(item: To) -> Iterator[_Condition]:
    return _set_fields(item.operation, _OPERATION)


def _set_fields(message: Any, keys: dict[str, str]) -> Iterator[_Condition]:
    for field, key in keys.items() if message is not None else ():
        values, not_values = getattr(message, field), getattr(message, f"not_{field}")
        if values or not_values:
            yield _Condition(key, values, not_values)


def _of_kind(conditions: Iterable[_Condition], is_permission: bool) -> list[_Condition]:
    return [item for item in conditions if find_attribute(item.key).is_permission == is_permission]


def _is_http(condition: _Condition) -> bool:
    return find_attribute(condition.key).is_http


def _all_of(group: Iterable[_Condition], grammar: _Grammar, context: RuleContext, traffic: Traffic) -> Built:
    known = [condition for condition in group if not (traffic.is_tcp and _is_http(condition))]
    built = [part for condition in known for part in _parts(condition, grammar, context)]
    return {grammar.all_of: {grammar.members: built or [_ANY]}}


def _parts(condition: _Condition, grammar: _Grammar, context: RuleContext) -> Iterator[Built]:
    build = find_attribute(condition.key).build
    if condition.values:
        yield _any_of(build(condition.key, condition.values, context), grammar)
    if condition.not_values:
        yield {grammar.none_of: _any_of(build(condition.key, condition.not_values, context), grammar)}


def _any_of(rules: list[Built], grammar: _Grammar) -> Built:
    return {grammar.any_of: {grammar.members: rules}}
