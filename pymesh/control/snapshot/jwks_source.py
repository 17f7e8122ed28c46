"""Key sets that stand somewhere else: which they are, and what was fetched of them."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from pymesh.control.model.request_authentication import JWTRule, RequestAuthentication
from pymesh.control.model.resource import Resource
from pymesh.protojson import parse_go_duration

DEFAULT_TIMEOUT = 5.0  # Istio


class JwksSource(NamedTuple):
    """Without a `uri`, the OpenID discovery of `issuer` says where the keys are. `timeout` is seconds."""

    uri: str
    issuer: str
    timeout: float = DEFAULT_TIMEOUT


Jwks = Mapping[JwksSource, str]
NO_JWKS: Jwks = MappingProxyType({})


def jwks_source(rule: JWTRule) -> JwksSource | None:
    """None for a rule that has its keys in it."""
    if rule.jwks:
        return None
    timeout = parse_go_duration(rule.timeout) if rule.timeout else DEFAULT_TIMEOUT
    return JwksSource(rule.jwks_uri, "" if rule.jwks_uri else rule.issuer, timeout)


def jwks_sources(resources: Iterable[Resource[Any]]) -> Iterator[JwksSource]:
    """Those of all RequestAuthentications among the objects."""
    for resource in resources:
        if isinstance(resource.spec, RequestAuthentication):
            for rule in resource.spec.jwt_rules:
                source = jwks_source(rule)
                if source is not None:
                    yield source
