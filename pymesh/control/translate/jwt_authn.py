"""RequestAuthentications as Envoy's jwt_authn filter.

Istio: convertToEnvoyJwtConfig in pilot/pkg/security/authn/policy_applier.go.
"""

from typing import Any

from pymesh.control.model.request_authentication import JWTRule
from pymesh.control.snapshot.jwks_source import Jwks, jwks_source
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.missing_jwks import build_missing_jwks
from pymesh.control.translate.type_urls import JWT_AUTHN, JWT_AUTHN_FILTER

Message = dict[str, Any]

# Where the filter puts the claims of a verified token.
JWT_PAYLOAD = "payload"

# Claims whose string is a list, whatever the rule says.
_SPACE_DELIMITED = ("scope", "permission")
_ALLOW_MISSING: Message = {"allow_missing": {}}


def build_jwt_authn(view: ProxyView) -> list[Message]:
    """No filter where no rule holds for the workload. Of a request with several tokens the first provider's counts:
    Istio's order is that of the issuers."""
    found = (rule for policy in view.request_authentications for rule in policy.spec.jwt_rules)
    rules = sorted(found, key=lambda rule: rule.issuer)
    if not rules:
        return []
    names = [f"origins-{index}" for index in range(len(rules))]
    config = {
        "@type": JWT_AUTHN,
        "providers": {name: _provider(rule, view) for name, rule in zip(names, rules, strict=True)},
        "rules": [{"match": {"prefix": "/"}, "requires": _requirement(names)}],
        "bypass_cors_preflight": True,
    }
    return [{"name": JWT_AUTHN_FILTER, "typed_config": config}]


def build_claim_match(path: tuple[str, ...], value: Message) -> Message:
    """envoy.type.matcher.v3.MetadataMatcher of a verified token's claim."""
    return {"filter": JWT_AUTHN_FILTER, "path": [{"key": key} for key in (JWT_PAYLOAD, *path)], "value": value}


def _requirement(names: list[str]) -> Message:
    """One provider's token is enough, wherever it was; otherwise each may be missing, but none may be bad."""
    by_name: list[Message] = [{"provider_name": name} for name in names]
    if len(names) == 1:
        return _any_of([*by_name, _ALLOW_MISSING])
    each = [_any_of([name, _ALLOW_MISSING]) for name in by_name]
    return _any_of([*by_name, {"requires_all": {"requirements": each}}])


def _any_of(requirements: list[Message]) -> Message:
    return {"requires_any": {"requirements": requirements}}


def _provider(rule: JWTRule, view: ProxyView) -> Message:
    claims = dict.fromkeys((*_SPACE_DELIMITED, *rule.space_delimited_claims))
    built: Message = {
        "issuer": rule.issuer,
        "audiences": list(rule.audiences),
        "local_jwks": {"inline_string": _keys(rule, view.snapshot.jwks)},
        "forward": rule.forward_original_token,
        "from_headers": [{"name": item.name, "value_prefix": item.prefix} for item in rule.from_headers],
        "from_params": list(rule.from_params),
        "from_cookies": list(rule.from_cookies),
        "forward_payload_header": rule.output_payload_to_header,
        "claim_to_headers": [
            {"header_name": item.header, "claim_name": item.claim} for item in rule.output_claim_to_headers
        ],
        "payload_in_metadata": JWT_PAYLOAD,
        "normalize_payload_in_metadata": {"space_delimited_claims": list(claims)},
        "clear_route_cache": view.is_gateway,  # its routes may ask for claims
    }
    return {key: value for key, value in built.items() if value}


def _keys(rule: JWTRule, jwks: Jwks) -> str:
    source = jwks_source(rule)
    return rule.jwks if source is None else jwks.get(source) or build_missing_jwks(source.uri or source.issuer)
