from pymesh.control.model.virtual_service import HTTPRetry
from pymesh.control.translate.retry import build_retry_policy


def test_nothing_said_is_istios_default():
    policy = build_retry_policy(None, is_hashed=False)
    assert policy is not None
    assert policy["retry_on"] == "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes"
    assert policy["num_retries"] == 2
    assert "retriable_status_codes" not in policy


def test_no_attempts_is_no_policy():
    assert build_retry_policy(HTTPRetry(attempts=0), is_hashed=False) is None


def test_explicit_condition_for_codes_is_not_doubled():
    policy = build_retry_policy(HTTPRetry(attempts=1, retry_on="503, retriable-status-codes"), is_hashed=False)
    assert policy is not None
    assert policy["retry_on"] == "retriable-status-codes"
    assert policy["retriable_status_codes"] == [503]


def test_number_that_is_no_status_stays_a_word():
    policy = build_retry_policy(HTTPRetry(attempts=1, retry_on="reset,799"), is_hashed=False)
    assert policy is not None
    assert policy["retry_on"] == "reset,799"


def test_tried_hosts_are_skipped_unless_told_or_hashed():
    assert "retry_host_predicate" in build_retry_policy(HTTPRetry(attempts=1), is_hashed=False)
    kept = HTTPRetry(attempts=1, retry_ignore_previous_hosts=False)
    assert "retry_host_predicate" not in build_retry_policy(kept, is_hashed=False)
    assert "retry_host_predicate" not in build_retry_policy(None, is_hashed=True)


def test_hashed_retry_skips_tried_hosts_if_the_route_says_so():
    asked = HTTPRetry(attempts=1, retry_ignore_previous_hosts=True)
    assert "retry_host_predicate" in build_retry_policy(asked, is_hashed=True)
