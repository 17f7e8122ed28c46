from dataclasses import replace
from typing import Any

import pytest

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.http_filters.retry_state import (
    RetryDecision,
    RetryState,
    is_final_response,
    reset_interval,
    wants_retry_of_failure,
    wants_retry_of_response,
)
from pymesh.proxy.matchers.header_matcher import HeaderMatcher
from pymesh.proxy.matchers.string_matcher import StringMatcher
from pymesh.proxy.routing.retry_policy import UNIX_TIMESTAMP, ResetHeader, RetryPolicy
from pymesh.proxy.upstream.circuit_breaker import Resource
from pymesh.proxy.upstream.failure import (
    CONNECTION_TERMINATION,
    OVERFLOW,
    PER_TRY_TIMEOUT,
    UpstreamFailure,
    connect_failure,
)
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


def test_a_rate_limited_response_needs_its_own_condition() -> None:
    limited = HeaderMap([(b"x-envoy-ratelimited", b"true")])
    assert not wants_retry_of_response(policy("5xx"), 503, limited)
    assert wants_retry_of_response(policy("envoy-ratelimited"), 429, limited)


@pytest.mark.parametrize(
    ("condition", "failure", "is_sent", "wanted"),
    [
        ("connect-failure", REFUSED, False, True),
        ("connect-failure", CONNECTION_TERMINATION, True, False),
        ("reset", CONNECTION_TERMINATION, True, True),
        ("reset", REFUSED, False, True),
        ("5xx", CONNECTION_TERMINATION, True, True),
        ("5xx", REFUSED, False, True),
        ("gateway-error", PER_TRY_TIMEOUT, True, True),
        ("connect-failure", PER_TRY_TIMEOUT, True, False),
        ("reset-before-request", REFUSED, False, True),
        ("reset-before-request", REFUSED, True, False),  # a try before this one has sent something
        ("reset-before-request", CONNECTION_TERMINATION, True, False),
        ("refused-stream", CONNECTION_TERMINATION, True, False),  # HTTP/1.1 has no way to refuse a stream
        ("reset", OVERFLOW, False, False),
        ("5xx", OVERFLOW, False, False),
    ],
)
def test_which_failures_are_retried(condition: str, failure: UpstreamFailure, is_sent: bool, wanted: bool) -> None:
    assert wants_retry_of_failure(policy(condition), failure, is_sent) == wanted


def test_a_failure_after_bytes_were_sent_is_never_again_one_before_the_request() -> None:
    state = RetryState(policy("reset-before-request", "retriable-status-codes", codes=(503,)), Resource(9))
    assert state.on_response(503, HeaderMap(), 0.0) is RetryDecision.RETRY
    assert state.on_failure(REFUSED) is RetryDecision.NO


def test_an_overloaded_server_is_asked_again_like_any_other() -> None:
    assert wants_retry_of_response(policy("5xx"), 503, HeaderMap([(b"x-envoy-overloaded", b"true")]))


def test_a_header_of_the_response_may_want_a_retry() -> None:
    again = HeaderMatcher("x-again", string_match=StringMatcher("exact", "yes"))
    retry_on = replace(policy("retriable-headers"), retriable_headers=(again,))
    assert not is_final_response(retry_on, 200, HeaderMap())
    assert wants_retry_of_response(retry_on, 200, HeaderMap([(b"x-again", b"yes")]))
    assert not wants_retry_of_response(retry_on, 200, HeaderMap([(b"x-again", b"no")]))
    assert not wants_retry_of_response(
        replace(retry_on, retry_on=frozenset(("5xx",))), 200, HeaderMap([(b"x-again", b"yes")])
    )


def test_only_requests_with_the_named_header_are_retried_where_one_is_named(make_request: Any) -> None:
    safe = HeaderMatcher("x-safe", present_match=True)
    retry_on = replace(policy("5xx"), retriable_request_headers=(safe,))
    marked = RetryState(retry_on, Resource(9), make_request(headers={"x-safe": "1"}))
    assert marked.on_response(500, HeaderMap(), 0.0) is RetryDecision.RETRY
    assert RetryState(retry_on, Resource(9), make_request()).on_response(500, HeaderMap(), 0.0) is RetryDecision.NO


def test_too_early_is_retried_at_once_unless_the_client_itself_was_early(make_request: Any) -> None:
    retry_on = policy("retriable-status-codes", codes=(425,))
    state = RetryState(retry_on, Resource(9), make_request())
    assert state.on_response(425, HeaderMap(), 0.0) is RetryDecision.RETRY
    assert state.back_off(1.0) == 0.0
    early = RetryState(retry_on, Resource(9), make_request(headers={"early-data": "1"}))
    assert early.on_response(425, HeaderMap(), 0.0) is RetryDecision.NO


@pytest.mark.parametrize(
    ("value", "delay"),
    [("3", 3.0), ("1003", None), ("0", None), ("soon", None), ("-1", None)],
)
def test_a_server_that_says_when_to_come_back_is_obeyed(value: str, delay: float | None) -> None:
    retry_on = replace(policy("5xx"), reset_headers=(ResetHeader(b"retry-after"),), reset_max_interval=300.0)
    state = RetryState(retry_on, Resource(9))
    state.on_response(503, HeaderMap([(b"retry-after", value.encode())]), 1000.0)
    assert state.back_off(0.0) == (delay or 0.0)
    assert state.back_off(1.0) == (0.025 if delay is None else delay * 1.5)


def test_a_reset_header_may_be_a_time() -> None:
    headers = (ResetHeader(b"x-other"), ResetHeader(b"x-reset", UNIX_TIMESTAMP))
    retry_on = replace(policy("5xx"), reset_headers=headers)
    assert reset_interval(retry_on, HeaderMap([(b"x-reset", b"1010")]), 1000.0) == 10
    assert reset_interval(retry_on, HeaderMap([(b"x-reset", b"990")]), 1000.0) is None


def test_a_thousand_retries_do_not_overflow_the_back_off() -> None:
    state = RetryState(replace(policy("5xx"), num_retries=5000), Resource(9))
    for _ in range(2000):
        state.on_response(500, HeaderMap(), 0.0)
    assert state.back_off(1.0) == 0.25


def test_a_retry_is_held_until_the_next_decision() -> None:
    retries = Resource(1)
    state = RetryState(policy("5xx"), retries)
    assert state.on_response(500, HeaderMap(), 0.0) is RetryDecision.RETRY
    assert retries.active == 1
    assert state.on_response(200, HeaderMap(), 0.0) is RetryDecision.NO
    assert retries.active == 0


def test_retry_stops_when_its_number_is_spent() -> None:
    state = RetryState(policy("5xx"), Resource(9))
    decisions = [state.on_response(500, HeaderMap(), 0.0) for _ in range(3)]
    assert decisions == [RetryDecision.RETRY, RetryDecision.RETRY, RetryDecision.LIMIT]


def test_retry_stops_when_the_cluster_has_too_many() -> None:
    state = RetryState(policy("5xx"), Resource(0))
    assert state.on_response(500, HeaderMap(), 0.0) is RetryDecision.OVERFLOW


def test_the_back_off_doubles_up_to_its_maximum() -> None:
    state = RetryState(RetryPolicy(frozenset(("5xx",)), num_retries=9, max_interval=0.1), Resource(9))
    delays = []
    for _ in range(4):
        state.on_response(500, HeaderMap(), 0.0)
        delays.append(state.back_off(1.0))
    assert delays == [0.025, 0.05, 0.1, 0.1]
    assert state.back_off(0.0) == 0.0
