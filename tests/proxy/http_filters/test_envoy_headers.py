import pytest

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.http_filters.envoy_headers import obey
from pymesh.proxy.matchers.header_matcher import HeaderMatcher
from pymesh.proxy.routing.retry_policy import RetryPolicy
from pymesh.proxy.routing.route import ClusterAction, WeightedCluster

RESET = RetryPolicy(frozenset(("reset",)), num_retries=1)


def obeyed(policy: RetryPolicy | None = None, timeout: float | None = None, **fields: str) -> ClusterAction:
    """`fields` are x-envoy-* headers, `_` for `-`."""
    pairs = ((f"x-envoy-{name}".replace("_", "-").encode(), fields[name].encode("latin-1")) for name in fields)
    headers = HeaderMap(pairs)
    action = obey(ClusterAction((WeightedCluster("shop"),), timeout=timeout, retry_policy=policy), headers)
    assert not headers
    return action


def retry_policy(policy: RetryPolicy | None = None, **fields: str) -> RetryPolicy:
    decided = obeyed(policy, **fields).retry_policy
    assert decided is not None
    return decided


@pytest.mark.parametrize(("value", "timeout"), [("250", 0.25), ("0", None), ("2x", 3.0), ("-1", 3.0), ("", 3.0)])
def test_a_timeout_that_is_a_number_replaces_the_routes(value: str, timeout: float | None) -> None:
    assert obeyed(timeout=3.0, upstream_rq_timeout_ms=value).timeout == timeout


def test_a_per_try_timeout_needs_no_retry_policy() -> None:
    action = obeyed(upstream_rq_per_try_timeout_ms="200")
    assert (action.per_try_timeout, action.expected_timeout, action.is_retried) == (0.2, 0.2, False)


def test_a_per_try_timeout_that_is_not_shorter_than_the_whole_counts_for_nothing() -> None:
    action = obeyed(upstream_rq_timeout_ms="200", upstream_rq_per_try_timeout_ms="200")
    assert (action.per_try_timeout, action.expected_timeout) == (0.0, 0.2)


def test_conditions_add_to_those_of_the_route_and_unknown_ones_are_nothing() -> None:
    policy = retry_policy(RESET, retry_on="gateway-error, bogus,5xx", retry_grpc_on="cancelled")
    assert policy.retry_on == {"reset", "gateway-error", "5xx", "cancelled"}
    assert policy.num_retries == 1


def test_conditions_are_enough_for_a_route_without_any() -> None:
    policy = retry_policy(retry_on="5xx")
    assert (policy.retry_on, policy.num_retries) == ({"5xx"}, 1)


@pytest.mark.parametrize(("value", "retries"), [("3", 3), ("0", 0), ("x", 1)])
def test_the_number_of_retries_goes_before_the_routes(value: str, retries: int) -> None:
    assert retry_policy(RESET, max_retries=value).num_retries == retries


def test_status_codes_and_header_names_are_added() -> None:
    policy = retry_policy(
        RESET, retriable_status_codes="418,x, 419,\xb2,99999999999", retriable_header_names="X-Foo, x-again"
    )
    assert policy.retriable_status_codes == {418, 419}
    assert policy.retriable_headers == tuple(HeaderMatcher(name, present_match=True) for name in ("x-foo", "x-again"))


def test_a_timeout_may_be_answered_with_204_and_a_stream_may_have_its_longest_time() -> None:
    action = obeyed(upstream_rq_timeout_alt_response="0", upstream_stream_duration_ms="1500")
    assert (action.timeout_status, action.upstream_stream_duration) == (204, 1.5)


def test_hedging_and_other_names_for_statistics_are_taken_away_and_change_nothing() -> None:
    plain = ClusterAction((WeightedCluster("shop"),), timeout=None)
    assert obeyed(hedge_on_per_try_timeout="true", upstream_alt_stat_name="x") == plain
