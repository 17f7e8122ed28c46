"""An external authorizer that is asked by HTTP: the request's own method, path and some of its headers; 200 allows."""

from functools import partial
from typing import Any

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.http_filters.async_request import AsyncAnswer, AsyncRequest
from pymesh.proxy.http_filters.authorization_verdict import OnVerdict, Permit, Verdict, denied
from pymesh.proxy.http_filters.ext_authz_config import ExtAuthzConfig
from pymesh.proxy.http_filters.filter import FilterContext
from pymesh.proxy.matchers.compiled import BytesPredicate
from pymesh.proxy.matchers.string_matcher import StringMatcher, compile_string_matcher
from pymesh.proxy.upstream.cluster import Cluster

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

Pairs = list[tuple[bytes, bytes]]


class HttpAuthorizer:
    def __init__(self, config: ExtAuthzConfig) -> None:
        self._timeout = config.timeout
        self._path_prefix = config.path_prefix.encode()
        self._asks = _any_of(config.asked_headers)
        self._to_upstream, self._appended = _any_of(config.upstream_headers), _any_of(config.appended_headers)
        self._to_client = _any_of(config.client_headers) if config.client_headers is not None else None
        self._on_success = _any_of(config.client_headers_on_success)
        self._added = tuple((name.lower().encode(), value.encode()) for name, value in config.added_headers)

    def ask(self, stream: Any, cluster: Cluster, context: FilterContext, on_verdict: OnVerdict) -> bool:
        path = self._path_prefix + stream.path
        on_answer = partial(self._on_answer, on_verdict)
        check = AsyncRequest(cluster, stream.method, path, self._question(stream), on_answer)
        return check.start(context, self._timeout)

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

    def _on_answer(self, on_verdict: OnVerdict, answer: AsyncAnswer | None) -> None:
        on_verdict(self._read(answer))

    def _read(self, answer: AsyncAnswer | None) -> Verdict:
        if answer is None or answer.status >= 500:
            return None
        fields = [(name, value) for name, value in answer.headers.pairs() if name not in _NOT_COPIED]
        if answer.status != 200:
            return denied(answer.status, answer.body, (field for field in fields if self._is_for_client(field[0])))
        to_client = [field for field in fields if self._on_success(field[0])]
        return Permit(
            partial(self._edit_request, fields) if any(map(self._is_for_upstream, fields)) else None,
            partial(_add_all, to_client) if to_client else None,
        )

    def _is_for_upstream(self, field: tuple[bytes, bytes]) -> bool:
        return self._to_upstream(field[0]) or self._appended(field[0])

    def _edit_request(self, fields: Pairs, headers: HeaderMap) -> None:
        for name, value in fields:
            if self._to_upstream(name):
                headers.set(name, value)
            elif self._appended(name):
                headers.add(name, value)

    def _is_for_client(self, name: bytes) -> bool:
        return self._to_client is None or name in _ALWAYS_TO_CLIENT or self._to_client(name)


def _add_all(fields: Pairs, response: HeaderMap) -> None:
    for name, value in fields:
        response.add(name, value)


def _any_of(matchers: tuple[StringMatcher, ...]) -> BytesPredicate:
    predicates = tuple(map(compile_string_matcher, matchers))
    return lambda name: any(predicate(name) for predicate in predicates)
