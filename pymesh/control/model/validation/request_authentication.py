"""Rules of a RequestAuthentication. Istio: ValidateRequestAuthentication in pkg/config/validation."""

from urllib.parse import urlsplit

from pymesh.control.model.request_authentication import JWTRule, RequestAuthentication
from pymesh.control.model.resource import Metadata
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax
from pymesh.control.model.validation.jwks import check_jwks
from pymesh.control.model.validation.selector import check_one_of_targets

_LARGEST_RULES = 4096
_LONGEST_URI = 2048


def check_request_authentication(spec: RequestAuthentication, metadata: Metadata, at: Scope) -> None:
    check_one_of_targets(spec.selector, spec.target_ref, spec.target_refs, at)
    at["jwtRules"].require(len(spec.jwt_rules) <= _LARGEST_RULES, f"must be {_LARGEST_RULES} at most")
    for index, rule in enumerate(spec.jwt_rules):
        _check_rule(rule, at["jwtRules"][index])


def _check_rule(rule: JWTRule, at: Scope) -> None:
    at["issuer"].require(rule.issuer or rule.jwks_uri, "is required without jwksUri")
    at.require(not (rule.jwks and rule.jwks_uri), "must have only one of jwks and jwksUri")
    if rule.jwks_uri:
        check_uri(rule.jwks_uri, at["jwksUri"])
    if rule.jwks:
        check_jwks(rule.jwks, at["jwks"])
    for field, values in (
        ("audiences", rule.audiences),
        ("fromParams", rule.from_params),
        ("fromCookies", rule.from_cookies),
        ("spaceDelimitedClaims", rule.space_delimited_claims),
    ):
        for index, value in enumerate(values):
            at[field][index].require(value, "must not be empty")
    for index, header in enumerate(rule.from_headers):
        at["fromHeaders"][index]["name"].require(header.name, "is required")
        if header.name:
            syntax.check_header_name(header.name, at["fromHeaders"][index]["name"])
    _check_output(rule, at)
    syntax.check_duration(rule.timeout, at["timeout"])


def _check_output(rule: JWTRule, at: Scope) -> None:
    if rule.output_payload_to_header:
        syntax.check_header_name(rule.output_payload_to_header, at["outputPayloadToHeader"])
    for index, output in enumerate(rule.output_claim_to_headers):
        here = at["outputClaimToHeaders"][index]
        here["claim"].require(output.claim, "is required")
        here["header"].require(output.header, "is required")
        if output.header:
            syntax.check_plain_header_name(output.header, here["header"])


def check_uri(uri: str, at: Scope) -> None:
    """Istio: ParseJwksURI."""
    try:
        parts = urlsplit(uri)
        is_valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none, or a bracket that is not closed
        is_valid = False
    at.require(is_valid, f"must be a URL with http or https, not {uri!r}")
    at.require(len(uri) <= _LONGEST_URI, f"must not be longer than {_LONGEST_URI} characters")
