"""Rules of retries. Istio: validateHTTPRetry in pkg/config/validation."""

from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax
from pymesh.control.model.virtual_service import HTTPRetry

# Istio: supportedRetryOnPolicies; anything else but an HTTP status code is refused.
RETRY_ON = frozenset(
    (
        "5xx",
        "gateway-error",
        "reset",
        "reset-before-request",
        "connect-failure",
        "retriable-4xx",
        "refused-stream",
        "retriable-status-codes",
        "retriable-headers",
        "envoy-ratelimited",
        "http3-post-connect-failure",
        "cancelled",
        "deadline-exceeded",
        "internal",
        "resource-exhausted",
        "unavailable",
    )
)


def check_retries(retries: HTTPRetry, at: Scope) -> None:
    syntax.check_not_negative(retries.attempts, at["attempts"])
    has_more = retries.per_try_timeout or retries.retry_on or retries.retry_remote_localities is not None
    at["attempts"].require(retries.attempts or not has_more, "0 turns retries off; nothing else may be set")
    syntax.check_duration(retries.per_try_timeout, at["perTryTimeout"])
    syntax.check_duration(retries.backoff, at["backoff"])
    for condition in filter(None, (part.strip() for part in retries.retry_on.split(","))):
        is_code = condition.isascii() and condition.isdigit() and 100 <= int(condition) <= 599
        at["retryOn"].require(condition in RETRY_ON or is_code, f"unknown condition {condition!r}")
