"""The x-envoy-* headers by which an internal request tells the router what to do. They end here, obeyed.

Envoy: FilterUtility::finalTimeout, RetryStateImpl. What they say is merged into the route's action, so that the rest of
the router need not know of them.

https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter#http-headers-consumed
"""

from dataclasses import replace

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.matchers.header_matcher import HeaderMatcher
from pymesh.proxy.routing.retry_policy import NO_RETRIES, RETRY_ON, RetryPolicy
from pymesh.proxy.routing.route import ClusterAction

INTERNAL = b"x-envoy-internal"  # the connection manager says it of a request that may command

TIMEOUT = b"x-envoy-upstream-rq-timeout-ms"
PER_TRY_TIMEOUT = b"x-envoy-upstream-rq-per-try-timeout-ms"
ALT_RESPONSE = b"x-envoy-upstream-rq-timeout-alt-response"
STREAM_DURATION = b"x-envoy-upstream-stream-duration-ms"
RETRY_ON_HEADER = b"x-envoy-retry-on"
RETRY_GRPC_ON = b"x-envoy-retry-grpc-on"
MAX_RETRIES = b"x-envoy-max-retries"
STATUS_CODES = b"x-envoy-retriable-status-codes"
HEADER_NAMES = b"x-envoy-retriable-header-names"
# Tries never overlap here: the header goes and nothing comes of it.
HEDGE = b"x-envoy-hedge-on-per-try-timeout"
ALT_STAT_NAME = b"x-envoy-upstream-alt-stat-name"

_TIMES = (TIMEOUT, PER_TRY_TIMEOUT, ALT_RESPONSE, STREAM_DURATION)
_RETRIES = (RETRY_ON_HEADER, RETRY_GRPC_ON, MAX_RETRIES, STATUS_CODES, HEADER_NAMES)
OBEYED = frozenset((*_TIMES, *_RETRIES, HEDGE, ALT_STAT_NAME))
_MAX_MILLISECONDS = 1 << 40


def obey(action: ClusterAction, headers: HeaderMap) -> ClusterAction:
    """The action that the request wants of its route. The headers are taken away."""
    present = OBEYED.intersection(headers)
    if not present:
        return action
    if not present.isdisjoint(_RETRIES):
        action = replace(action, retry_policy=_retry_policy(action.retry_policy, headers))
    if not present.isdisjoint(_TIMES):
        action = _timed(action, headers)
    for name in present:
        headers.remove(name)
    return action


def _timed(action: ClusterAction, headers: HeaderMap) -> ClusterAction:
    timeout, per_try = _seconds(headers, TIMEOUT), _seconds(headers, PER_TRY_TIMEOUT)
    if timeout is not None:
        action = replace(action, timeout=timeout or None)
    if per_try is not None:
        policy = replace(action.retry_policy or NO_RETRIES, per_try_timeout=per_try or None)
        action = replace(action, retry_policy=policy)
    if ALT_RESPONSE in headers:
        action = replace(action, timeout_status=204)
    return replace(action, upstream_stream_duration=_seconds(headers, STREAM_DURATION) or 0.0)


def _retry_policy(policy: RetryPolicy | None, headers: HeaderMap) -> RetryPolicy:
    policy = policy or NO_RETRIES
    words = (*_words(headers, RETRY_ON_HEADER), *_words(headers, RETRY_GRPC_ON))
    retries = _number(headers, MAX_RETRIES)
    codes = frozenset(int(word) for word in _words(headers, STATUS_CODES) if word.isdecimal() and len(word) < 10)
    names = tuple(HeaderMatcher(word.lower(), present_match=True) for word in _words(headers, HEADER_NAMES))
    return replace(
        policy,
        retry_on=policy.retry_on | RETRY_ON.intersection(words),
        num_retries=policy.num_retries if retries is None else retries,
        retriable_status_codes=policy.retriable_status_codes | codes,
        retriable_headers=(*policy.retriable_headers, *names),
    )


def _words(headers: HeaderMap, name: bytes) -> list[str]:
    value = headers.get_joined(name) or b""
    return [word for word in map(str.strip, value.decode("latin-1").split(",")) if word]


def _seconds(headers: HeaderMap, name: bytes) -> float | None:
    milliseconds = _number(headers, name)
    return None if milliseconds is None else min(milliseconds, _MAX_MILLISECONDS) / 1000


def _number(headers: HeaderMap, name: bytes) -> int | None:
    """None where it is missing or not a number, which is as good as missing."""
    value = headers.get(name, b"").strip()
    return int(value) if value.isdigit() and len(value) < 20 else None
