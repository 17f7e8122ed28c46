"""Retry state of one stream: whether a try that came to nothing is made again, and when. No IO, no clock.

https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter#x-envoy-retry-on
"""

from enum import Enum
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.matchers.compiled import RequestPredicate
from pymesh.proxy.matchers.header_matcher import HeaderMatcher, compile_header_matcher
from pymesh.proxy.routing.retry_policy import NO_RETRIES, SECONDS, RetryPolicy
from pymesh.proxy.upstream.circuit_breaker import Resource
from pymesh.proxy.upstream.failure import UpstreamFailure

_GRPC_STATUSES = {
    b"1": "cancelled",
    b"4": "deadline-exceeded",
    b"8": "resource-exhausted",
    b"13": "internal",
    b"14": "unavailable",
}
_GATEWAY_ERRORS = (502, 503, 504)
_ANY_FAILURE = frozenset(("reset", "5xx", "gateway-error"))
_TOO_EARLY = 425


class RetryDecision(Enum):
    """NO: not a case for a retry. LIMIT: it would be, but there were enough (URX). OVERFLOW: the breaker's (UO)."""

    NO = 0
    RETRY = 1
    LIMIT = 2
    OVERFLOW = 3


class RetryState:
    """Holds one of the cluster's retries from each RETRY until the next decision or `release`."""

    __slots__ = ("_delay", "_is_early_data", "_is_sent", "_policy", "_remaining", "_retries", "is_holding")

    def __init__(self, policy: RetryPolicy, retries: Resource, request: Any = None) -> None:
        """`request` is what `retriable_request_headers` are looked for in."""
        is_meant = request is None or is_retriable_request(policy, request)
        self._policy = policy if is_meant else NO_RETRIES
        self._retries = retries
        self._remaining = policy.num_retries
        self._is_sent = False  # bytes of the request have gone to a server
        self._is_early_data = request is not None and b"early-data" in request.headers
        self._delay: float | None = None  # what the response itself says of the next back-off
        self.is_holding = False

    def on_response(self, status: int, headers: HeaderMap, unix_time: float) -> RetryDecision:
        self._is_sent = True
        self._delay = None
        is_wanted = wants_retry_of_response(self._policy, status, headers)
        if is_wanted and status == _TOO_EARLY:
            is_wanted = not self._is_early_data  # RFC 8470 5.2: else it is for the client to try again
            self._delay = 0.0
        elif is_wanted and self._policy.reset_headers:
            self._delay = reset_interval(self._policy, headers, unix_time)
        return self._decide(is_wanted)

    def on_failure(self, failure: UpstreamFailure) -> RetryDecision:
        self._is_sent = self._is_sent or not failure.before_request
        self._delay = None
        return self._decide(wants_retry_of_failure(self._policy, failure, self._is_sent))

    def back_off(self, random_value: float) -> float:
        """Seconds before the retry that was decided last: full jitter below `base_interval` * 2**n, or what the server
        said and up to half of it more."""
        if self._delay is not None:
            return self._delay * (1 + random_value / 2)
        done = self._policy.num_retries - self._remaining - 1
        return random_value * min(self._policy.base_interval * (1 << min(done, 40)), self._policy.max_interval)

    def release(self) -> None:
        if self.is_holding:
            self.is_holding = False
            self._retries.release()

    def _decide(self, is_wanted: bool) -> RetryDecision:
        self.release()
        if not is_wanted:
            return RetryDecision.NO
        if self._remaining == 0:
            return RetryDecision.LIMIT
        self._remaining -= 1
        if not self._retries.try_acquire():
            return RetryDecision.OVERFLOW
        self.is_holding = True
        return RetryDecision.RETRY


def is_final_response(policy: RetryPolicy, status: int, headers: HeaderMap) -> bool:
    """A quick look that is enough for nearly all: nothing of this response could want a retry."""
    return status < 400 and b"grpc-status" not in headers and not policy.has_odd_responses


def is_retriable_request(policy: RetryPolicy, request: Any) -> bool:
    matchers = policy.retriable_request_headers
    return not matchers or any(_predicate(matcher)(request) for matcher in matchers)


def wants_retry_of_response(policy: RetryPolicy, status: int, headers: HeaderMap) -> bool:
    """Envoy: RetryStateImpl::wouldRetryFromHeaders. A rate-limiting server is left alone."""
    retry_on = policy.retry_on
    if b"x-envoy-ratelimited" in headers:
        return "envoy-ratelimited" in retry_on
    if status >= 500 and "5xx" in retry_on:
        return True
    if status in _GATEWAY_ERRORS and "gateway-error" in retry_on:
        return True
    if status == 409 and "retriable-4xx" in retry_on:
        return True
    if status in policy.retriable_status_codes and "retriable-status-codes" in retry_on:
        return True
    if "retriable-headers" in retry_on and _has_any(policy.retriable_headers, headers):
        return True
    grpc_status = headers.get(b"grpc-status")
    return grpc_status is not None and _GRPC_STATUSES.get(grpc_status) in retry_on


def wants_retry_of_failure(policy: RetryPolicy, failure: UpstreamFailure, is_sent: bool) -> bool:
    """Envoy: RetryStateImpl::wouldRetryFromReset. `is_sent`: this try or one before has sent bytes of the request."""
    retry_on = policy.retry_on
    if failure.flag == "UO":
        return False
    if not retry_on.isdisjoint(_ANY_FAILURE):
        return True
    if not is_sent and "reset-before-request" in retry_on:
        return True
    if failure.is_refused and "refused-stream" in retry_on:
        return True
    return failure.is_connect_failure and "connect-failure" in retry_on


def reset_interval(policy: RetryPolicy, headers: HeaderMap, unix_time: float) -> float | None:
    """Seconds until the server wants to be asked again, if it says so and that is not too long."""
    for name, form in policy.reset_headers:
        value = headers.get(name, b"")
        if not value.isdigit() or len(value) > 18:
            continue
        interval = int(value) - (0 if form == SECONDS else int(unix_time))
        if 0 < interval <= policy.reset_max_interval:
            return interval
    return None


def _has_any(matchers: tuple[HeaderMatcher, ...], headers: HeaderMap) -> bool:
    response: Any = SimpleNamespace(headers=headers)  # of a request, these matchers look at nothing else
    return any(_predicate(matcher)(response) for matcher in matchers)


@lru_cache(maxsize=1024)
def _predicate(matcher: HeaderMatcher) -> RequestPredicate:
    return compile_header_matcher(matcher)
