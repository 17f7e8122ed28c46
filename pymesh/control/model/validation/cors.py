"""Rules of a corsPolicy. Istio: validateCORSPolicy in pkg/config/validation."""

from pymesh.control.model.messages import StringMatch
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax
from pymesh.control.model.virtual_service import CorsPolicy
from pymesh.protojson import parse_go_duration

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE")


def check_cors_policy(policy: CorsPolicy | None, at: Scope) -> None:
    if policy is None:
        return
    for index, origin in enumerate(policy.allow_origins):
        _check_origin(origin, at["allowOrigins"][index])
    for index, text in enumerate(policy.allow_origin):
        at["allowOrigin"][index].require(text, "must not be empty")
    if policy.allow_origin:
        at["allowOrigin"].warn("is deprecated; use allowOrigins")
    for index, method in enumerate(policy.allow_methods):
        is_known = method in _METHODS
        at["allowMethods"][index].require(is_known, f"must be one of {', '.join(_METHODS)}, not {method!r}")
    for field, names in (("allowHeaders", policy.allow_headers), ("exposeHeaders", policy.expose_headers)):
        for index, name in enumerate(names):
            if name != "*":
                syntax.check_header_name(name, at[field][index])
    _check_max_age(policy.max_age, at["maxAge"])


def _check_origin(origin: StringMatch, at: Scope) -> None:
    at.require(origin.exact != "", "must not be empty")
    syntax.check_string_match(origin, at)


def _check_max_age(text: str, at: Scope) -> None:
    known = len(at.violations)
    syntax.check_duration(text, at)
    if text and len(at.violations) == known:
        at.require(parse_go_duration(text) % 1 == 0, "must be whole seconds")
