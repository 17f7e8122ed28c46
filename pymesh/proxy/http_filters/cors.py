"""Cross-origin resource sharing: preflights are answered here, other responses are marked for the browser.

https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/cors_filter
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from pymesh.protojson import Reader
from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.http_filters.filter import (
    CONTINUE,
    FilterContext,
    FilterStatus,
    HttpFilterFactory,
    LocalReply,
    add_response_edit,
)
from pymesh.proxy.matchers.string_matcher import StringMatcher, compile_string_matcher, decode_string_matcher

NAME = "envoy.filters.http.cors"

_ORIGIN = b"origin"
_REQUEST_METHOD = b"access-control-request-method"
_REQUEST_HEADERS = b"access-control-request-headers"
_REQUEST_PRIVATE_NETWORK = b"access-control-request-private-network"
_ALLOW_ORIGIN = b"access-control-allow-origin"
_ALLOW_CREDENTIALS = b"access-control-allow-credentials"
_ALLOW_METHODS = b"access-control-allow-methods"
_ALLOW_HEADERS = b"access-control-allow-headers"
_ALLOW_PRIVATE_NETWORK = b"access-control-allow-private-network"
_EXPOSE_HEADERS = b"access-control-expose-headers"
_MAX_AGE = b"access-control-max-age"
_TRUE = b"true"
_ANY = b"*"  # an origin that is a pattern of its own; of methods and headers: whatever the browser asks for


@dataclass(frozen=True, slots=True)
class CorsPolicy:
    """What is empty is not sent. `enabled_percentage` is 0..100."""

    allow_origins: tuple[StringMatcher, ...] = ()
    allow_methods: bytes = b""
    allow_headers: bytes = b""
    expose_headers: bytes = b""
    max_age: bytes = b""
    allow_credentials: bool = False
    allow_private_network_access: bool = False
    forward_not_matching_preflights: bool = True
    enabled_percentage: float = 100.0


class Cors:
    def __init__(self, config: None, context: FilterContext) -> None:
        self._context = context
        self._predicates: dict[CorsPolicy, Callable[[bytes], bool]] = {}

    def on_request(self, stream: Any) -> FilterStatus | LocalReply:
        match = stream.match
        if match is None or not match.route.filter_configs or stream.weighted_cluster is None:
            return CONTINUE
        policy: CorsPolicy | None = match.route.filter_configs.get(NAME)
        origin = stream.headers.get(_ORIGIN)
        if policy is None or not origin or not self._is_enabled(policy):
            return CONTINUE
        is_allowed = self._allows(policy, origin)
        if is_allowed:
            add_response_edit(stream, partial(_mark, policy, origin))
        if stream.method != b"OPTIONS" or not stream.headers.get(_REQUEST_METHOD):
            return CONTINUE
        if not is_allowed and policy.forward_not_matching_preflights:
            return CONTINUE
        return LocalReply(200, details="cors_response", headers=tuple(_preflight(policy, stream.headers)))

    def _is_enabled(self, policy: CorsPolicy) -> bool:
        return policy.enabled_percentage >= 100.0 or self._context.random() * 100.0 < policy.enabled_percentage

    def _allows(self, policy: CorsPolicy, origin: bytes) -> bool:
        predicate = self._predicates.get(policy)
        if predicate is None:
            predicate = self._predicates[policy] = _compile(policy)
        return predicate(origin)


def _compile(policy: CorsPolicy) -> Callable[[bytes], bool]:
    predicates = [compile_string_matcher(matcher) for matcher in policy.allow_origins]
    if any(predicate(_ANY) for predicate in predicates):
        return lambda origin: True
    return lambda origin: any(predicate(origin) for predicate in predicates)


def _mark(policy: CorsPolicy, origin: bytes, headers: HeaderMap) -> None:
    """For the browser of an origin that is allowed, on whatever answer."""
    headers.set(_ALLOW_ORIGIN, origin)
    if policy.allow_credentials:
        headers.set(_ALLOW_CREDENTIALS, _TRUE)
    if policy.expose_headers:
        headers.set(_EXPOSE_HEADERS, policy.expose_headers)


def _preflight(policy: CorsPolicy, request: HeaderMap) -> list[tuple[bytes, bytes]]:
    asked_method, asked_headers = request.get(_REQUEST_METHOD, b""), request.get(_REQUEST_HEADERS, b"")
    wants_private = policy.allow_private_network_access and request.get(_REQUEST_PRIVATE_NETWORK) == _TRUE
    answer = (
        (_ALLOW_CREDENTIALS, _TRUE if policy.allow_credentials else b""),
        (_ALLOW_METHODS, asked_method if policy.allow_methods == _ANY else policy.allow_methods),
        (_ALLOW_HEADERS, asked_headers if policy.allow_headers == _ANY else policy.allow_headers),
        (_MAX_AGE, policy.max_age),
        (_ALLOW_PRIVATE_NETWORK, _TRUE if wants_private else b""),
    )
    is_asked_for = policy.allow_headers == _ANY  # then, as in Envoy, it may be empty
    return [(name, value) for name, value in answer if value or (name == _ALLOW_HEADERS and is_asked_for)]


def decode_cors_policy(reader: Reader) -> CorsPolicy:
    """envoy.extensions.filters.http.cors.v3.CorsPolicy."""
    reader.ignore("@type", "shadow_enabled")  # shadow rules only count
    enabled = reader.percent("filter_enabled")
    return CorsPolicy(
        allow_origins=tuple(decode_string_matcher(item) for item in reader.objects("allow_origin_string_match")),
        allow_methods=reader.string("allow_methods").encode(),
        allow_headers=reader.string("allow_headers").encode(),
        expose_headers=reader.string("expose_headers").encode(),
        max_age=reader.string("max_age").encode(),
        allow_credentials=reader.boolean("allow_credentials"),
        allow_private_network_access=reader.boolean("allow_private_network_access"),
        forward_not_matching_preflights=reader.boolean("forward_not_matching_preflights", True),
        enabled_percentage=100.0 if enabled is None else enabled,
    )


def decode_cors(reader: Reader) -> None:
    """The filter itself has nothing to say: routes do."""
    reader.ignore("@type")


FACTORY = HttpFilterFactory(
    type_url="type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors",
    name=NAME,
    decode=decode_cors,
    decode_route=decode_cors_policy,
    build=Cors,
    is_idle=lambda config, route: route is None or NAME not in route.filter_configs,
)
