"""Verifies JSON Web Tokens.

https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/jwt_authn_filter
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pymesh.protojson import Reader
from pymesh.proxy.http_filters.filter import CONTINUE, FilterContext, FilterStatus, HttpFilterFactory, LocalReply
from pymesh.proxy.jwt_verify.locations import Location
from pymesh.proxy.jwt_verify.provider import ClaimHeader, Provider, ProviderConfig
from pymesh.proxy.jwt_verify.requirement import (
    AllOf,
    AllowMissing,
    AnyOf,
    ByProvider,
    Requirement,
    Verification,
    compile_requirement,
)
from pymesh.proxy.jwt_verify.status import Status
from pymesh.proxy.telemetry.metric_names import JWT_ALLOWED, JWT_DENIED, JWT_PREFLIGHT_BYPASSED

NAME = "envoy.filters.http.jwt_authn"

_DEFAULT_SKEW = 60
_LONGEST_PATH = 256  # in an answer
_REQUIREMENTS = ("provider_name", "requires_any", "requires_all", "allow_missing", "allow_missing_or_failed")


@dataclass(frozen=True, slots=True)
class JwtAuthnConfig:
    """`providers` by name. The first rule whose prefix begins the path counts; without one, nothing is required."""

    providers: tuple[tuple[str, ProviderConfig], ...] = ()
    rules: tuple[tuple[str, Requirement | None], ...] = ()
    bypass_cors_preflight: bool = False


class JwtAuthenticator:
    """A configuration, compiled: the verdict on one request. No IO."""

    def __init__(self, config: JwtAuthnConfig) -> None:
        providers = {name: Provider(provider) for name, provider in config.providers}
        self._bypasses = config.bypass_cors_preflight
        self._sanitized = tuple(dict.fromkeys(_own_headers(config)))
        self._rules = tuple(
            (prefix.encode(), compile_requirement(requirement, providers, ()) if requirement is not None else None)
            for prefix, requirement in config.rules
        )

    def is_preflight(self, request: Any) -> bool:
        """https://www.w3.org/TR/cors/: such a request has no credentials, so none can be asked of it."""
        headers = request.headers
        return (
            self._bypasses
            and request.method == b"OPTIONS"
            and bool(headers.get(b"origin") and headers.get(b"access-control-request-method"))
        )

    def verify(self, request: Any, now: float, metadata: dict[str, object]) -> Status:
        """Takes tokens and headers of the request, and adds others, as the providers say."""
        for prefix, requirement in self._rules:
            if request.path.startswith(prefix):
                if requirement is None:
                    return Status.OK
                for name in self._sanitized:
                    request.headers.remove(name)
                return requirement(Verification(request, now, metadata))
        return Status.OK


class JwtAuthn:
    def __init__(self, config: JwtAuthnConfig, context: FilterContext, now: Callable[[], float] = time.time) -> None:
        counter = context.telemetry.metrics.counter
        self._authenticator = JwtAuthenticator(config)
        self._now = now
        self._clears_route_cache = any(provider.clears_route_cache for _, provider in config.providers)
        self._allowed, self._denied = counter(JWT_ALLOWED), counter(JWT_DENIED)
        self._bypassed = counter(JWT_PREFLIGHT_BYPASSED)

    def on_request(self, stream: Any) -> FilterStatus | LocalReply:
        if self._authenticator.is_preflight(stream):
            self._bypassed.value += 1
            return CONTINUE
        realm = _original_uri(stream)
        metadata: dict[str, object] = {}
        status = self._authenticator.verify(stream, self._now(), metadata)
        if status is not Status.OK:
            self._denied.value += 1
            return _refuse(status, realm)
        self._allowed.value += 1
        stream.info.path = stream.path  # a token that was taken out of it is not for logs
        if metadata:
            stream.info.add_metadata(NAME, metadata)
            if self._clears_route_cache:
                stream.clear_route_cache()
        return CONTINUE


def status_code(status: Status) -> int:
    return 403 if status is Status.AUDIENCE_NOT_ALLOWED else 401


def _own_headers(config: JwtAuthnConfig) -> list[bytes]:
    """Which the client must not send in the token's place."""
    names = [provider.payload_header for _, provider in config.providers if provider.payload_header]
    names += [claim.header for _, provider in config.providers for claim in provider.claim_headers]
    return [name.lower().encode() for name in names]


def _original_uri(stream: Any) -> bytes:
    uri: bytes = stream.scheme + b"://" + stream.authority + stream.path[:_LONGEST_PATH]
    return uri


def _refuse(status: Status, realm: bytes) -> LocalReply:
    error = b"" if status is Status.MISSED else b', error="invalid_token"'
    details = f"jwt_authn_access_denied{{{status.replace(' ', '_')}}}"
    headers = ((b"www-authenticate", b'Bearer realm="%b"%b' % (realm, error)),)
    return LocalReply(status_code(status), status.encode(), details, headers=headers)


def decode_jwt_authn(reader: Reader) -> JwtAuthnConfig:
    """https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/filters/http/jwt_authn/v3/config.proto"""
    reader.ignore("@type")
    providers = reader.named_objects("providers")
    return JwtAuthnConfig(
        tuple((name, _decode_provider(provider)) for name, provider in providers.items()),
        tuple(_decode_rule(rule, tuple(providers)) for rule in reader.objects("rules")),
        reader.boolean("bypass_cors_preflight"),
    )


def _decode_rule(reader: Reader, names: tuple[str, ...]) -> tuple[str, Requirement | None]:
    prefix = reader.required_object("match").required_string("prefix")
    requires = reader.object("requires")
    return prefix, _decode_requirement(requires, names) if requires is not None else None


def _decode_requirement(reader: Reader, names: tuple[str, ...]) -> Requirement:
    kind = reader.oneof(*_REQUIREMENTS)
    if kind == "provider_name":
        name = reader.string(kind)
        return ByProvider(name) if name in names else reader.fail(kind, f"there is no provider {name!r}")
    if kind in ("requires_any", "requires_all"):
        group = reader.required_object(kind).objects("requirements")
        parts = tuple(_decode_requirement(item, names) for item in group)
        return AnyOf(parts) if kind == "requires_any" else AllOf(parts)
    if kind is None:
        reader.fail("requires_type", f"one of {', '.join(_REQUIREMENTS)} is required")
    reader.object(kind)
    return AllowMissing(or_failed=kind == "allow_missing_or_failed")


def _decode_provider(reader: Reader) -> ProviderConfig:
    reader.ignore("jwt_cache_config")
    normalize = reader.object("normalize_payload_in_metadata")
    return ProviderConfig(
        issuer=reader.string("issuer"),
        audiences=reader.strings("audiences"),
        jwks=reader.required_object("local_jwks").required_string("inline_string"),
        locations=tuple(_decode_locations(reader)),
        is_forwarded=reader.boolean("forward"),
        payload_header=reader.string("forward_payload_header"),
        pads_payload=reader.boolean("pad_forward_payload_header"),
        claim_headers=tuple(
            ClaimHeader(item.required_string("header_name"), item.required_string("claim_name"))
            for item in reader.objects("claim_to_headers")
        ),
        payload_key=reader.string("payload_in_metadata"),
        space_delimited=normalize.strings("space_delimited_claims") if normalize is not None else (),
        clears_route_cache=reader.boolean("clear_route_cache"),
        requires_expiration=reader.boolean("require_expiration"),
        clock_skew=reader.integer("clock_skew_seconds") or _DEFAULT_SKEW,
    )


def _decode_locations(reader: Reader) -> list[Location]:
    headers = [
        Location("header", item.required_string("name").lower(), item.string("value_prefix"))
        for item in reader.objects("from_headers")
    ]
    params = [Location("param", name) for name in reader.strings("from_params")]
    return headers + params + [Location("cookie", name) for name in reader.strings("from_cookies")]


FACTORY = HttpFilterFactory(
    type_url="type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
    name=NAME,
    decode=decode_jwt_authn,
    decode_route=None,
    build=JwtAuthn,
)
