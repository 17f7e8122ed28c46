"""Rules of an AuthorizationPolicy. Istio: ValidateAuthorizationPolicy in pkg/config/validation."""

from pymesh.control.model.authorization_policy import DRY_RUN, AuthorizationPolicy, Condition, Rule, is_dry_run
from pymesh.control.model.resource import Metadata
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation.authorization_attribute import check_condition
from pymesh.control.model.validation.authorization_rule import check_from, check_to, has_port, is_for_tcp
from pymesh.control.model.validation.selector import check_one_of_targets

_LARGEST_RULES = 512
_CUSTOM_CANNOT = (
    "principals",
    "not_principals",
    "request_principals",
    "not_request_principals",
    "namespaces",
    "not_namespaces",
    "service_accounts",
    "not_service_accounts",
)
_CUSTOM_CANNOT_KEYS = ("source.namespace", "source.principal", "source.serviceAccount", "request.auth.")
_NEVER = "without rules it never matches; an empty rule {} matches every request"


def check_authorization_policy(spec: AuthorizationPolicy, metadata: Metadata, at: Scope) -> None:
    check_one_of_targets(spec.selector, spec.target_ref, spec.target_refs, at)
    at["rules"].require(len(spec.rules) <= _LARGEST_RULES, f"must be {_LARGEST_RULES} at most")
    _check_provider(spec, at)
    if spec.action == "CUSTOM" and is_dry_run(metadata.annotations):
        at["action"].fail(f"pymesh does not implement {DRY_RUN} with CUSTOM")
    if spec.action == "AUDIT":
        at["action"].warn("AUDIT marks requests for an auditing plugin, of which there is none")
    at["rules"].require(
        spec.rules or spec.action not in ("DENY", "CUSTOM"), f"are required with {spec.action}: {_NEVER}"
    )
    for index, rule in enumerate(spec.rules):
        here = at["rules"][index]
        check_from(rule.from_, here["from"])
        check_to(rule.to, here["to"])
        for number, condition in enumerate(rule.when):
            check_condition(condition, here["when"][number])
        if spec.action == "CUSTOM":
            _check_custom(rule, here)
        if spec.action == "DENY" and _is_only_http(rule):
            here.warn("denies all TCP traffic, too, as it has only attributes of HTTP; name the ports that it is for")


def _check_provider(spec: AuthorizationPolicy, at: Scope) -> None:
    if spec.action == "CUSTOM":
        at["provider"]["name"].require(spec.provider is not None and spec.provider.name, "is required with CUSTOM")
    else:
        at["provider"].require(spec.provider is None, f"cannot stand beside action {spec.action}, only beside CUSTOM")


def _check_custom(rule: Rule, at: Scope) -> None:
    """What is known of a peer only after the external authorizer was asked."""
    for index, one in enumerate(rule.from_):
        for name in _CUSTOM_CANNOT if one.source is not None else ():
            field = "".join(part.capitalize() if number else part for number, part in enumerate(name.split("_")))
            is_set = getattr(one.source, name)
            at["from"][index]["source"][field].require(not is_set, "is not supported with CUSTOM")
    for index, condition in enumerate(rule.when):
        at["when"][index]["key"].require(not _is_late(condition), f"{condition.key} is not supported with CUSTOM")


def _is_late(condition: Condition) -> bool:
    return condition.key.startswith(_CUSTOM_CANNOT_KEYS)


def _is_only_http(rule: Rule) -> bool:
    has_from = any(one.source is not None for one in rule.from_)
    has_to = any(one.operation is not None for one in rule.to)
    return (has_from and not has_to and not is_for_tcp(rule)) or (has_to and not has_port(rule))
