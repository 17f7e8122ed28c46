"""Retry state of one stream: whether a try that came to nothing is made again, and when. No IO, no clock.

https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter#x-envoy-retry-on
"""

from enum import Enum

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.routing.retry_policy import RetryPolicy
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


class RetryDecision(Enum):
    """NO: not a case for a retry. LIMIT: it would be, but there were enough (URX). OVERFLOW: the breaker's (UO)."""

    NO = 0
    RETRY = 1
    LIMIT = 2
    OVERFLOW = 3


class RetryState:
    """Holds one of the cluster's retries from each RETRY until the next decision or `release`."""

    __slots__ = ("_policy", "_remaining", "_retries", "is_holding")

    def __init__(self, policy: RetryPolicy, retries: Resource) -> None:
        self._policy = policy
        self._retries = retries
        self._remaining = policy.num_retries
        self.is_holding = False

    def on_response(self, status: int, headers: HeaderMap) -> RetryDecision:
        return self._decide(wants_retry_of_response(self._policy, status, headers))

    def on_failure(self, failure: UpstreamFailure) -> RetryDecision:
        return self._decide(wants_retry_of_failure(self._policy, failure))

    def back_off(self, random_value: float) -> float:
        """Seconds before the retry that was decided last: full jitter below `base_interval` * 2**n."""
        done = self._policy.num_retries - self._remaining - 1
        return random_value * min(self._policy.base_interval * (1 << done), self._policy.max_interval)

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
    return status < 400 and b"grpc-status" not in headers and not policy.retriable_status_codes


def wants_retry_of_response(policy: RetryPolicy, status: int, headers: HeaderMap) -> bool:
    """Envoy: RetryStateImpl::wouldRetryFromHeaders. An overloaded or rate-limiting server is left alone."""
    if b"x-envoy-overloaded" in headers:
        return False
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
    grpc_status = headers.get(b"grpc-status")
    return grpc_status is not None and _GRPC_STATUSES.get(grpc_status) in retry_on


def wants_retry_of_failure(policy: RetryPolicy, failure: UpstreamFailure) -> bool:
    """Envoy: RetryStateImpl::wouldRetryFromReset."""
    retry_on = policy.retry_on
    if failure.flag == "UO":
        return False
    if not retry_on.isdisjoint(_ANY_FAILURE):
        return True
    if failure.before_request and "reset-before-request" in retry_on:
        return True
    return failure.is_connect_failure and "connect-failure" in retry_on
