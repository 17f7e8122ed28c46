import pytest

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.http_filters.retry_state import (
    RetryDecision,
    RetryState,
    wants_retry_of_failure,
    wants_retry_of_response,
)
from pymesh.proxy.routing.retry_policy import RetryPolicy
from pymesh.proxy.upstream.circuit_breaker import Resource
from pymesh.proxy.upstream.failure import CONNECTION_TERMINATION, OVERFLOW, PER_TRY_TIMEOUT, connect_failure
from pymesh.proxy.upstream.transport import ConnectError

REFUSED = connect_failure(ConnectError("remote connection failure"))


def policy(*conditions: str, codes: tuple[int, ...] = ()) -> RetryPolicy:
    return RetryPolicy(frozenset(conditions), num_retries=2, retriable_status_codes=frozenset(codes))


@pytest.mark.parametrize(
    ("retry_on", "status", "wanted"),
    [
        (policy("5xx"), 500, True),
        (policy("5xx"), 499, False),
        (policy("gateway-error"), 500, False),
        (policy("gateway-error"), 502, True),
        (policy("retriable-4xx"), 409, True),
        (policy("retriable-4xx"), 404, False),
        (policy("retriable-status-codes", codes=(418,)), 418, True),
        (policy("retriable-status-codes"), 503, False),
        (policy("5xx", codes=(418,)), 418, False),
        (policy("connect-failure", "refused-stream", "unavailable", "cancelled"), 503, False),
    ],
)
def test_which_responses_are_retried(retry_on: RetryPolicy, status: int, wanted: bool) -> None:
    assert wants_retry_of_response(retry_on, status, HeaderMap()) == wanted


def test_grpc_statuses_are_retried_by_name() -> None:
    unavailable = HeaderMap([(b"grpc-status", b"14")])
    assert wants_retry_of_response(policy("unavailable"), 200, unavailable)
    assert not wants_retry_of_response(policy("cancelled"), 200, unavailable)


def test_an_overloaded_server_is_left_alone() -> None:
    assert not wants_retry_of_response(policy("5xx"), 503, HeaderMap([(b"x-envoy-overloaded", b"true")]))


def test_a_rate_limited_response_needs_its_own_condition() -> None:
    limited = HeaderMap([(b"x-envoy-ratelimited", b"true")])
    assert not wants_retry_of_response(policy("5xx"), 503, limited)
    assert wants_retry_of_response(policy("envoy-ratelimited"), 429, limited)


def test_which_failures_are_retried() -> None:
    assert wants_retry_of_failure(policy("connect-failure"), REFUSED)
    assert not wants_retry_of_failure(policy("connect-failure"), CONNECTION_TERMINATION)
    assert wants_retry_of_failure(policy("reset"), CONNECTION_TERMINATION)
    assert wants_retry_of_failure(policy("5xx"), CONNECTION_TERMINATION)
    assert wants_retry_of_failure(policy("gateway-error"), PER_TRY_TIMEOUT)
    assert wants_retry_of_failure(policy("reset-before-request"), REFUSED)
    assert not wants_retry_of_failure(policy("reset-before-request"), CONNECTION_TERMINATION)
    assert not wants_retry_of_failure(policy("reset", "5xx"), OVERFLOW)


def test_a_retry_is_held_until_the_next_decision() -> None:
    retries = Resource(1)
    state = RetryState(policy("5xx"), retries)
    assert state.on_response(500, HeaderMap()) is RetryDecision.RETRY
    assert retries.active == 1
    assert state.on_response(200, HeaderMap()) is RetryDecision.NO
    assert retries.active == 0


def test_retry_stops_when_its_number_is_spent() -> None:
    state = RetryState(policy("5xx"), Resource(9))
    decisions = [state.on_response(500, HeaderMap()) for _ in range(3)]
    assert decisions == [RetryDecision.RETRY, RetryDecision.RETRY, RetryDecision.LIMIT]


def test_retry_stops_when_the_cluster_has_too_many() -> None:
    state = RetryState(policy("5xx"), Resource(0))
    assert state.on_response(500, HeaderMap()) is RetryDecision.OVERFLOW


def test_the_back_off_doubles_up_to_its_maximum() -> None:
    state = RetryState(RetryPolicy(frozenset(("5xx",)), num_retries=9, max_interval=0.1), Resource(9))
    delays = []
    for _ in range(4):
        state.on_response(500, HeaderMap())
        delays.append(state.back_off(1.0))
    assert delays == [0.025, 0.05, 0.1, 0.1]
    assert state.back_off(0.0) == 0.0
