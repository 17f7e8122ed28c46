"""Rules of the `when` of an AuthorizationPolicy. Istio: ValidateAttribute in pkg/config/security."""

from pymesh.control.model.authorization_policy import Condition
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax
from pymesh.control.model.validation.authorization_rule import check_port_text, check_service_account, check_values

# Attributes and what their values must be.
_CHECKS = {
    "source.ip": syntax.check_ip_network,
    "remote.ip": syntax.check_ip_network,
    "destination.ip": syntax.check_ip_network,
    "destination.port": check_port_text,
    "source.serviceAccount": check_service_account,
    "source.namespace": None,
    "source.principal": None,
    "source.trustDomain": None,
    "request.auth.principal": None,
    "request.auth.audiences": None,
    "request.auth.presenter": None,
    "connection.sni": None,
}
# Attributes with a name in brackets.
_MAPS = ("request.headers", "request.experimental.inlineHeader", "request.auth.claims", "experimental.envoy.filters.")
_GONE = {
    "destination.namespace": "use the policy's own namespace instead",
    "destination.labels": "use the selector instead",
    "destination.name": "use the selector instead",
    "destination.user": "use the selector instead",
}


def check_condition(condition: Condition, at: Scope) -> None:
    if not condition.key:
        at["key"].fail("is required")
        return
    at.require(condition.values or condition.not_values, "must have at least one of values and notValues")
    _check_key(condition.key, at["key"])
    check = _CHECKS.get(condition.key)
    check_values(condition.values, at["values"], check)
    check_values(condition.not_values, at["notValues"], check)


def _check_key(key: str, at: Scope) -> None:
    if key in _CHECKS:
        return
    gone = next((reason for name, reason in _GONE.items() if key.startswith(name)), None)
    if gone is not None:
        at.fail(f"{key} is no longer supported: {gone}")
    elif not key.startswith(_MAPS):
        at.fail(
            f"unknown attribute {key!r}; attributes are {', '.join((*_CHECKS, *(f'{name}[NAME]' for name in _MAPS)))}"
        )
    else:
        name = key.partition("[")[2]
        at.require(len(name) > 1 and name.endswith("]"), f"must name what it means, as {key.partition('[')[0]}[NAME]")
