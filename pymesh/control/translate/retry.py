"""envoy.config.route.v3.RetryPolicy, with Istio's silent defaults."""

from http import HTTPStatus
from typing import Any

from pymesh.control.model.virtual_service import HTTPRetry
from pymesh.control.translate.config_source import duration
from pymesh.control.translate.type_urls import (
    PREVIOUS_HOSTS,
    PREVIOUS_HOSTS_PREDICATE,
    PREVIOUS_PRIORITIES,
    PREVIOUS_PRIORITIES_PRIORITY,
)

_ATTEMPTS = 2
_RETRY_ON = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes"
_HOST_SELECTION_ATTEMPTS = 5
_TRIES_OF_A_PRIORITY = 2  # before retries look elsewhere
_STATUS_CODES = "retriable-status-codes"
_KNOWN_CODES = frozenset(status.value for status in HTTPStatus)

# From the inbound listener to the application: only what certainly did not reach it.
INBOUND_RETRY_POLICY: dict[str, Any] = {"retry_on": "reset-before-request", "num_retries": 2}


def build_retry_policy(retries: HTTPRetry | None, is_hashed: bool) -> dict[str, Any] | None:
    """None: no retries. `retries` is the route's, else the mesh's default, else None: Istio's default.

    `is_hashed`: consistent hashing keeps the endpoint, even one that was tried, unless the route says otherwise.
    """
    if retries is not None and retries.attempts <= 0:
        return None
    policy: dict[str, Any] = {"retry_on": _RETRY_ON, "num_retries": _ATTEMPTS if retries is None else retries.attempts}
    said = retries.retry_ignore_previous_hosts if retries is not None else None
    if said or (said is None and not is_hashed):
        predicate = {"name": PREVIOUS_HOSTS_PREDICATE, "typed_config": {"@type": PREVIOUS_HOSTS}}
        policy["retry_host_predicate"] = [predicate]
    policy["host_selection_retry_max_attempts"] = _HOST_SELECTION_ATTEMPTS
    return policy | _overrides(retries) if retries is not None else policy


def _overrides(retries: HTTPRetry) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if retries.retry_on:
        fields |= _retry_on(retries.retry_on)
    if retries.per_try_timeout:
        fields["per_try_timeout"] = duration(retries.per_try_timeout)
    if retries.retry_remote_localities:
        config = {"@type": PREVIOUS_PRIORITIES, "update_frequency": _TRIES_OF_A_PRIORITY}
        fields["retry_priority"] = {"name": PREVIOUS_PRIORITIES_PRIORITY, "typed_config": config}
    if retries.backoff:
        fields["retry_back_off"] = {"base_interval": duration(retries.backoff)}
    return fields


def _retry_on(text: str) -> dict[str, Any]:
    """Numbers among the conditions are status codes, and switch the condition on that looks at them."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    codes = [int(word) for word in words if word.isdigit() and int(word) in _KNOWN_CODES]
    conditions = [word for word in words if not (word.isdigit() and int(word) in _KNOWN_CODES)]
    if codes and _STATUS_CODES not in conditions:
        conditions.append(_STATUS_CODES)
    fields: dict[str, Any] = {"retry_on": ",".join(conditions)}
    if codes:
        fields["retriable_status_codes"] = codes
    return fields
