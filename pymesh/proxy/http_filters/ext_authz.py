"""Asks an external authorizer whether a request may pass.

https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/ext_authz_filter
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from pymesh.protojson import Reader
from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.http_filters.authorization_check import AuthorizationCheck, CheckAnswer
from pymesh.proxy.http_filters.filter import (
    CONTINUE,
    STOP,
    FilterContext,
    FilterStatus,
    HttpFilterFactory,
    LocalReply,
)
from pymesh.proxy.matchers.compiled import BytesPredicate
from pymesh.proxy.matchers.metadata_matcher import MetadataMatcher, compile_metadata_matcher, decode_metadata_matcher
from pymesh.proxy.matchers.string_matcher import StringMatcher, compile_string_matcher, decode_string_matcher
from pymesh.proxy.telemetry.metric_names import EXT_AUTHZ_ALLOWED, EXT_AUTHZ_DENIED, EXT_AUTHZ_ERROR

NAME = "envoy.filters.http.ext_authz"

_FLAG = "UAEX"
_DEFAULT_TIMEOUT = 0.2
# Of a refusal, these always reach the client beside those that are allowed; without a list, all do.
_ALWAYS_TO_CLIENT = frozenset((b"location", b"www-authenticate"))
# What frames a message is each connection's own.
_NOT_COPIED = frozenset(
    (
        *(b"host", b"content-length", b"transfer-encoding", b"connection", b"keep-alive", b"upgrade", b"te"),
        *(b"trailer", b"proxy-connection", b"date", b"server"),
    )
)
# The authorizer always gets these.
_ALWAYS_ASKED = (b"host", b"authorization")


@dataclass(frozen=True, slots=True)
class ExtAuthzConfig:
    """`timeout` is seconds. Header patterns are of names; `client_headers` None: all of a refusal's."""

    cluster: str
    timeout: float = _DEFAULT_TIMEOUT
    path_prefix: str = ""
    asked_headers: tuple[StringMatcher, ...] = ()
    added_headers: tuple[tuple[str, str], ...] = ()
    upstream_headers: tuple[StringMatcher, ...] = ()
    appended_headers: tuple[StringMatcher, ...] = ()
    client_headers: tuple[StringMatcher, ...] | None = None
    client_headers_on_success: tuple[StringMatcher, ...] = ()
    allows_on_failure: bool = False
    status_on_error: int = 403
    enabled: MetadataMatcher | None = None


class ExtAuthz:
    def __init__(self, config: ExtAuthzConfig, context: FilterContext) -> None:
        counter = context.telemetry.metrics.counter
        self._config = config
        self._context = context
        self._is_enabled = compile_metadata_matcher(config.enabled) if config.enabled is not None else None
        self._asks = _any_of(config.asked_headers)
        self._to_upstream, self._appended = _any_of(config.upstream_headers), _any_of(config.appended_headers)
        self._to_client = _any_of(config.client_headers) if config.client_headers is not None else None
        self._on_success = _any_of(config.client_headers_on_success)
        self._added = tuple((name.lower().encode(), value.encode()) for name, value in config.added_headers)
        self._allowed, self._denied = counter(EXT_AUTHZ_ALLOWED), counter(EXT_AUTHZ_DENIED)
        self._errors = counter(EXT_AUTHZ_ERROR)

    def on_request(self, stream: Any) -> FilterStatus | LocalReply:
        if self._is_enabled is not None and not self._is_enabled(stream.info.dynamic_metadata):
            return CONTINUE
        cluster = self._context.clusters.get(self._config.cluster)
        if cluster is None:
            return self._fail()
        path = self._config.path_prefix.encode() + stream.path
        check = AuthorizationCheck(
            cluster, stream.method, path, self._question(stream), partial(self._on_answer, stream)
        )
        return STOP if check.start(self._context, self._config.timeout) else self._fail()

    def _question(self, stream: Any) -> HeaderMap:
        headers = HeaderMap()
        for name, value in stream.headers.pairs():
            if name in _ALWAYS_ASKED or (name not in _NOT_COPIED and self._asks(name)):
                headers.add(name, value)
        headers.set(b"host", stream.authority)
        headers.set(b"content-length", b"0")
        for name, value in self._added:
            headers.set(name, value)
        return headers

    def _on_answer(self, stream: Any, answer: CheckAnswer | None) -> None:
        if answer is None or answer.status >= 500:
            verdict = self._fail()
        elif answer.status == 200:
            verdict = self._allow(stream, answer)
        else:
            verdict = self._deny(answer)
        if isinstance(verdict, LocalReply):
            if stream.weighted_cluster is not None:
                stream.info.upstream_cluster = stream.weighted_cluster.name
            stream.send_local_reply(verdict)
        else:
            stream.continue_request()

    def _fail(self) -> FilterStatus | LocalReply:
        self._errors.value += 1
        if self._config.allows_on_failure:
            return CONTINUE
        return LocalReply(self._config.status_on_error, b"", "ext_authz_error", _FLAG)

    def _allow(self, stream: Any, answer: CheckAnswer) -> FilterStatus:
        self._allowed.value += 1
        fields = _own_fields(answer)
        for name, value in fields:
            if self._to_upstream(name):
                stream.headers.set(name, value)
            elif self._appended(name):
                stream.headers.add(name, value)
        to_client = [(name, value) for name, value in fields if self._on_success(name)]
        if to_client:
            stream.edit_response = partial(_add_all, to_client, stream.edit_response)
        return CONTINUE

    def _deny(self, answer: CheckAnswer) -> LocalReply:
        self._denied.value += 1
        headers = tuple((name, value) for name, value in _own_fields(answer) if self._is_for_client(name))
        return LocalReply(answer.status, answer.body, "ext_authz_denied", _FLAG, headers)

    def _is_for_client(self, name: bytes) -> bool:
        return self._to_client is None or name in _ALWAYS_TO_CLIENT or self._to_client(name)


def _own_fields(answer: CheckAnswer) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in answer.headers.pairs() if name not in _NOT_COPIED]


def _add_all(
    headers: list[tuple[bytes, bytes]], before: Callable[[HeaderMap], None] | None, response: HeaderMap
) -> None:
    if before is not None:
        before(response)
    for name, value in headers:
        response.add(name, value)


def _any_of(matchers: tuple[StringMatcher, ...]) -> BytesPredicate:
    predicates = tuple(map(compile_string_matcher, matchers))
    return lambda name: any(predicate(name) for predicate in predicates)


def decode_ext_authz(reader: Reader) -> ExtAuthzConfig:
    """https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/filters/http/ext_authz/v3/ext_authz.proto"""
    reader.ignore("@type", "transport_api_version", "stat_prefix")
    service = reader.required_object("http_service")
    server = service.required_object("server_uri")
    server.ignore("uri")
    timeout = server.duration("timeout")
    request = service.object("authorization_request") or Reader({})
    response = service.object("authorization_response") or Reader({})
    enabled = reader.object("filter_enabled_metadata")
    return ExtAuthzConfig(
        cluster=server.required_string("cluster"),
        timeout=_DEFAULT_TIMEOUT if timeout is None else timeout,
        path_prefix=service.string("path_prefix"),
        asked_headers=_decode_patterns(request, "allowed_headers"),
        added_headers=tuple(
            (item.required_string("key"), item.string("value")) for item in request.objects("headers_to_add")
        ),
        upstream_headers=_decode_patterns(response, "allowed_upstream_headers"),
        appended_headers=_decode_patterns(response, "allowed_upstream_headers_to_append"),
        client_headers=_decode_patterns(response, "allowed_client_headers") or None,
        client_headers_on_success=_decode_patterns(response, "allowed_client_headers_on_success"),
        allows_on_failure=reader.boolean("failure_mode_allow"),
        status_on_error=_decode_status(reader),
        enabled=decode_metadata_matcher(enabled) if enabled is not None else None,
    )


def _decode_patterns(reader: Reader, key: str) -> tuple[StringMatcher, ...]:
    found = reader.object(key)
    return tuple(map(decode_string_matcher, found.objects("patterns"))) if found is not None else ()


def _decode_status(reader: Reader) -> int:
    status = reader.object("status_on_error")
    return 403 if status is None else status.integer("code") or 403


FACTORY = HttpFilterFactory(
    type_url="type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
    name=NAME,
    decode=decode_ext_authz,
    decode_route=None,
    build=ExtAuthz,
)
