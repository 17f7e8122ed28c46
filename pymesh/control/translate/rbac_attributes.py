"""The attributes of AuthorizationPolicies as Envoy's permissions and principals.

Istio: pilot/pkg/security/authz/model/generator.go.
"""

import re
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any, NamedTuple

from pymesh.control.translate.jwt_authn import build_claim_match
from pymesh.control.translate.string_match import (
    ANYTHING,
    StringMatcher,
    build_prefixed_match,
    build_regex_match,
    build_string_match,
)
from pymesh.control.translate.type_urls import URI_TEMPLATE
from pymesh.names import DEFAULT_DOMAIN

Rule = dict[str, Any]  # a Permission or a Principal

_SPIFFE = "spiffe://"
_SLASHES_OF_PRINCIPAL = 4  # <trust domain>/ns/<namespace>/sa/<service account>


class RuleContext(NamedTuple):
    """`namespace` is the policy's; `trust_domains` are the mesh's own and its aliases. `port` is the workload's, where
    every connection is for it; None: each may be for another one, and says for which."""

    namespace: str
    trust_domains: tuple[str, ...]
    port: int | None = None


class Attribute(NamedTuple):
    """`build` makes the rules of a key's values, one of which must hold; `is_http`: TCP connections have no such
    attribute; `is_permission`: it is of what is called, not of who calls."""

    build: Callable[[str, tuple[str, ...], RuleContext], list[Rule]]
    is_http: bool = False
    is_permission: bool = False


def find_attribute(key: str) -> Attribute:
    """Validation knows the keys that there are."""
    found = _ATTRIBUTES.get(key)
    return found if found is not None else next(item for name, item in _MAPS.items() if key.startswith(name))


def _each(build: Callable[[str, RuleContext], Rule]) -> Callable[[str, tuple[str, ...], RuleContext], list[Rule]]:
    """One rule for each value."""
    return lambda key, values, context: [build(value, context) for value in values]


def _ip_block(key: str) -> Callable[[str, RuleContext], Rule]:
    def build(value: str, context: RuleContext) -> Rule:
        network = ip_network(value, strict=False)
        return {key: {"address_prefix": str(network.network_address), "prefix_len": network.prefixlen}}

    return build


# who calls


def _authenticated(matcher: StringMatcher) -> Rule:
    return {"authenticated": {"principal_name": matcher}}


def _principals(key: str, values: tuple[str, ...], context: RuleContext) -> list[Rule]:
    names = dict.fromkeys(name for value in values for name in _names_of_principal(value, context.trust_domains))
    return [_authenticated(build_prefixed_match(_SPIFFE, name)) for name in names]


def _names_of_principal(value: str, trust_domains: tuple[str, ...]) -> list[str]:
    """One in a trust domain of the mesh, as which `cluster.local` always counts, is meant in all of them; one elsewhere
    or in any, `*`, as it stands. Istio: ReplaceTrustDomainAliases in pilot/pkg/security/trustdomain."""
    domain, _, rest = value.partition("/")
    if domain == "*" or value.count("/") != _SLASHES_OF_PRINCIPAL:
        return [value]
    own = [one for one in trust_domains if _matches(one, domain)]
    if not own and domain != DEFAULT_DOMAIN:
        return [value]
    return [value if one in own else f"{one}/{rest}" for one in trust_domains]


def _matches(trust_domain: str, pattern: str) -> bool:
    """`pattern` may begin or end with `*`."""
    if pattern.startswith("*"):
        return trust_domain.endswith(pattern[1:])
    return trust_domain.startswith(pattern[:-1]) if pattern.endswith("*") else trust_domain == pattern


def _namespace(value: str, context: RuleContext) -> Rule:
    return _authenticated(build_regex_match(f".*/ns/{_wildcards(value)}/.*"))


def _service_account(value: str, context: RuleContext) -> Rule:
    namespace, slash, account = value.partition("/")
    if not slash:
        namespace, account = context.namespace, value
    return _authenticated(
        build_regex_match(f"{_SPIFFE}.+/ns/{re.escape(namespace)}/(.+/|)sa/{re.escape(account)}(/.+)?")
    )


def _trust_domains(key: str, values: tuple[str, ...], context: RuleContext) -> list[Rule]:
    """A trust domain of the mesh is all of them."""
    own = context.trust_domains
    domains = dict.fromkeys(domain for value in values for domain in (own if value in own else (value,)))
    return [_authenticated(build_regex_match(f"{_SPIFFE}{_wildcards(domain, '[^/]*')}/.+")) for domain in domains]


def _wildcards(value: str, anything: str = ".*") -> str:
    return anything.join(map(re.escape, value.split("*")))


def _header(key: str, values: tuple[str, ...], context: RuleContext) -> list[Rule]:
    name = key.partition("[")[2].rstrip("]")
    return [{"header": _header_match(name, value)} for value in values]


def _header_match(name: str, value: str, ignore_case: bool = False) -> dict[str, Any]:
    if value == "*":
        return {"name": name, "present_match": True}
    return {"name": name, "string_match": build_string_match(value, ignore_case)}


# who calls, by JWT


def _request_principal(key: str, values: tuple[str, ...], context: RuleContext) -> list[Rule]:
    return [_issuer_and_subject(value) for value in values]


def _issuer_and_subject(value: str) -> Rule:
    matchers = zip(("iss", "sub"), _split_request_principal(value), strict=True)
    ids = [{"metadata": build_claim_match((claim,), {"string_match": matcher})} for claim, matcher in matchers]
    return {"and_ids": {"ids": ids}}


def _split_request_principal(value: str) -> tuple[StringMatcher, StringMatcher]:
    """`ISSUER/SUBJECT`, split at the last slash: an issuer may be a URL."""
    anything = build_regex_match(ANYTHING)
    if value == "*":
        return anything, anything
    issuer, slash, subject = value.rpartition("/")
    if not slash:
        if value.startswith("*"):
            return anything, {"suffix": value[1:]}
        if value.endswith("*"):
            return {"prefix": value[:-1]}, anything
        return {"exact": value}, {"exact": ""}
    if value.startswith("*"):  # then a star at the end is none
        return build_string_match(issuer), {"exact": subject}
    return {"exact": issuer}, build_string_match(subject) if subject.endswith("*") else {"exact": subject}


def _claim(*path: str) -> Callable[[str, tuple[str, ...], RuleContext], list[Rule]]:
    return lambda key, values, context: [_claim_rule(path, values)]


def _claims(key: str, values: tuple[str, ...], context: RuleContext) -> list[Rule]:
    """`request.auth.claims[a][b]`: b inside of a."""
    return [_claim_rule(tuple(re.findall(r"\[([^\]]*)\]", key)), values)]


def _claim_rule(path: tuple[str, ...], values: tuple[str, ...]) -> Rule:
    """The claim is one of the values, or a list that has one of them."""
    value = _one_of_values([{"string_match": build_string_match(item)} for item in values])
    either = {"or_match": {"value_matchers": [{"list_match": {"one_of": value}}, value]}}
    return {"metadata": build_claim_match(path, either)}


def _one_of_values(matchers: list[dict[str, Any]]) -> dict[str, Any]:
    return matchers[0] if len(matchers) == 1 else {"or_match": {"value_matchers": matchers}}


def _metadata_match(name: str, path: tuple[str, ...], value: dict[str, Any]) -> dict[str, Any]:
    return {"filter": name, "path": [{"key": key} for key in path], "value": value}


# what is called


def _port(value: str, context: RuleContext) -> Rule:
    if context.port is None:
        return {"destination_port": int(value)}
    return {"any": True} if int(value) == context.port else {"not_rule": {"any": True}}


def _server_name(value: str, context: RuleContext) -> Rule:
    return {"requested_server_name": build_string_match(value)}


def _host(value: str, context: RuleContext) -> Rule:
    return {"header": _header_match(":authority", value, ignore_case=True)}


def _method(value: str, context: RuleContext) -> Rule:
    return {"header": _header_match(":method", value)}


def _path(value: str, context: RuleContext) -> Rule:
    if "{*}" not in value and "{**}" not in value:
        return {"url_path": {"path": build_string_match(value)}}
    template = value.replace("{**}", "**").replace("{*}", "*")
    config = {"@type": URI_TEMPLATE, "path_template": template}
    return {"uri_template": {"name": "uri-template", "typed_config": config}}


def _filter_metadata(key: str, values: tuple[str, ...], context: RuleContext) -> list[Rule]:
    """`experimental.envoy.filters.a.b[c]`; a value in brackets is an element of a list."""
    name, _, inner = key.removeprefix("experimental.").rstrip("]").partition("[")
    return [{"metadata": _metadata_match(name, (inner,), _filter_value(value))} for value in values]


def _filter_value(value: str) -> dict[str, Any]:
    if value.startswith("[") and value.endswith("]"):
        return {"list_match": {"one_of": {"string_match": build_string_match(value[1:-1])}}}
    return {"string_match": build_string_match(value)}


_ATTRIBUTES = {
    "source.ip": Attribute(_each(_ip_block("direct_remote_ip"))),
    "remote.ip": Attribute(_each(_ip_block("remote_ip"))),
    "source.namespace": Attribute(_each(_namespace)),
    "source.principal": Attribute(_principals),
    "source.serviceAccount": Attribute(_each(_service_account)),
    "source.trustDomain": Attribute(_trust_domains),
    "request.auth.principal": Attribute(_request_principal, is_http=True),
    "request.auth.audiences": Attribute(_claim("aud"), is_http=True),
    "request.auth.presenter": Attribute(_claim("azp"), is_http=True),
    "destination.ip": Attribute(_each(_ip_block("destination_ip")), is_permission=True),
    "destination.port": Attribute(_each(_port), is_permission=True),
    "connection.sni": Attribute(_each(_server_name), is_permission=True),
    "operation.host": Attribute(_each(_host), is_http=True, is_permission=True),
    "operation.method": Attribute(_each(_method), is_http=True, is_permission=True),
    "operation.path": Attribute(_each(_path), is_http=True, is_permission=True),
}
# Those whose key goes on with a name in brackets.
_MAPS = {
    "request.headers": Attribute(_header, is_http=True),
    "request.experimental.inlineHeader": Attribute(_header, is_http=True),
    "request.auth.claims": Attribute(_claims, is_http=True),
    "experimental.envoy.filters.": Attribute(_filter_metadata, is_permission=True),
}
