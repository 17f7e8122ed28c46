import pytest

from pymesh.errors import DecodeError
from pymesh.protojson import Reader
from pymesh.proxy.routing.retry_policy import UNIX_TIMESTAMP, ResetHeader, RetryPolicy, decode_retry_policy


def decode(policy):
    reader = Reader(policy, "retry_policy")
    decoded = decode_retry_policy(reader)
    reader.reject_unread()
    return decoded


def test_nothing_said_is_envoys_default():
    assert decode({}) == RetryPolicy(frozenset(), num_retries=1, base_interval=0.025, max_interval=0.25)


def test_istios_policy_is_understood():
    policy = decode(
        {
            "retry_on": "connect-failure,refused-stream, unavailable,cancelled,retriable-status-codes",
            "num_retries": 2,
            "per_try_timeout": "1.5s",
            "retriable_status_codes": [503],
            "retry_back_off": {"base_interval": "0.1s"},
            "host_selection_retry_max_attempts": "5",
            "retry_host_predicate": [
                {
                    "name": "envoy.retry_host_predicates.previous_hosts",
                    "typed_config": {"@type": "type.googleapis.com/envoy.extensions.retry.PreviousHostsPredicate"},
                }
            ],
        }
    )
    assert policy == RetryPolicy(
        retry_on=frozenset(("connect-failure", "refused-stream", "unavailable", "cancelled", "retriable-status-codes")),
        num_retries=2,
        per_try_timeout=1.5,
        retriable_status_codes=frozenset((503,)),
        base_interval=0.1,
        max_interval=1.0,
        host_selection_retry_max_attempts=5,
        avoid_previous_hosts=True,
    )


@pytest.mark.parametrize(
    ("policy", "path"),
    [
        ({"retry_on": "sometimes"}, "retry_policy.retry_on"),
        ({"retriable_headers": [{"name": ":method"}]}, "retry_policy.retriable_headers[0].name"),
        ({"rate_limited_retry_back_off": {}}, "retry_policy.rate_limited_retry_back_off.reset_headers"),
        ({"num_retries": -1}, "retry_policy.num_retries"),
        ({"retry_back_off": {}}, "retry_policy.retry_back_off.base_interval"),
        ({"retry_back_off": {"base_interval": "2s", "max_interval": "1s"}}, "retry_policy.retry_back_off.max_interval"),
        ({"retry_host_predicate": [{"name": "omit_canary"}]}, "retry_policy.retry_host_predicate[0].name"),
    ],
)
def test_a_policy_that_cannot_be_kept_is_refused(policy, path):
    with pytest.raises(DecodeError) as raised:
        decode(policy)
    assert raised.value.path == path


def test_what_goes_by_headers_is_understood():
    policy = decode(
        {
            "retry_on": "retriable-headers",
            "per_try_idle_timeout": "2s",
            "retriable_headers": [{"name": "X-Again", "string_match": {"exact": "yes"}}],
            "retriable_request_headers": [{"name": ":method", "string_match": {"exact": "GET"}}],
            "rate_limited_retry_back_off": {
                "reset_headers": [{"name": "Retry-After"}, {"name": "X-Reset", "format": "UNIX_TIMESTAMP"}],
                "max_interval": "60s",
            },
        }
    )
    assert policy.per_try_idle_timeout == 2.0
    assert [matcher.name for matcher in policy.retriable_headers] == ["x-again"]
    assert [matcher.name for matcher in policy.retriable_request_headers] == [":method"]
    assert policy.reset_headers == (ResetHeader(b"retry-after"), ResetHeader(b"x-reset", UNIX_TIMESTAMP))
    assert policy.reset_max_interval == 60.0
    assert policy.has_odd_responses
