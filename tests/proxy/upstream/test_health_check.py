import pytest

from pymesh.proxy.upstream.endpoint import Endpoint, EndpointConfig
from pymesh.proxy.upstream.health_check import (
    ACTIVE,
    NETWORK,
    NETWORK_TIMEOUT,
    HealthCheckConfig,
    HealthTracker,
    TcpCheck,
    Transition,
    has_all,
    is_in,
    next_interval,
)

CONFIG = HealthCheckConfig(
    TcpCheck(),
    timeout=1,
    interval=10,
    unhealthy_threshold=3,
    healthy_threshold=2,
    unhealthy_interval=20,
    unhealthy_edge_interval=2,
    healthy_edge_interval=1,
    no_traffic_interval=60,
    no_traffic_healthy_interval=120,
)


@pytest.fixture
def endpoint():
    """Born failing, as an endpoint of a cluster with checks is."""
    endpoint = Endpoint(EndpointConfig("10.0.0.1", 80))
    endpoint.set_checked(is_failing=True)
    return endpoint


@pytest.fixture
def tracker(endpoint):
    return HealthTracker(CONFIG, endpoint)


def test_at_first_one_success_is_enough(tracker, endpoint):
    assert tracker.on_success(False, 5.0) is Transition.CHANGED
    assert endpoint.is_healthy
    assert endpoint.healthy_since == 5.0


def test_later_it_takes_the_threshold_in_a_row(tracker, endpoint):
    tracker.on_failure(NETWORK)
    assert tracker.on_success(False, 1.0) is Transition.PENDING
    tracker.on_failure(NETWORK)
    assert tracker.on_success(False, 2.0) is Transition.PENDING
    assert tracker.on_success(False, 3.0) is Transition.CHANGED
    assert endpoint.is_healthy
    assert tracker.on_success(False, 4.0) is Transition.UNCHANGED


@pytest.mark.parametrize(("failure", "is_retriable"), [(NETWORK, False), (NETWORK_TIMEOUT, False), (ACTIVE, True)])
def test_network_failures_and_retriable_answers_must_repeat_themselves(tracker, endpoint, failure, is_retriable):
    tracker.on_success(False, 0.0)
    for _ in range(2):
        assert tracker.on_failure(failure, is_retriable) is Transition.PENDING
    assert endpoint.is_healthy
    assert tracker.on_failure(failure, is_retriable) is Transition.CHANGED
    assert not endpoint.is_healthy
    assert tracker.on_failure(failure, is_retriable) is Transition.UNCHANGED


def test_a_wrong_answer_is_enough_at_once(tracker, endpoint):
    tracker.on_success(False, 0.0)
    assert tracker.on_failure(ACTIVE) is Transition.CHANGED
    assert endpoint.health_flags == "/failed_active_hc"


def test_a_success_between_begins_the_count_of_failures_anew(tracker, endpoint):
    tracker.on_success(False, 0.0)
    for _ in range(3):
        tracker.on_failure(NETWORK)
        tracker.on_failure(NETWORK)
        tracker.on_success(False, 0.0)
    assert endpoint.is_healthy


def test_an_answer_may_say_that_the_endpoint_is_degraded(tracker, endpoint):
    tracker.on_success(False, 0.0)
    assert tracker.on_success(True, 0.0) is Transition.CHANGED
    assert endpoint.is_degraded
    assert tracker.on_success(False, 0.0) is Transition.CHANGED
    assert not endpoint.is_degraded


def test_an_endpoint_that_waited_for_its_first_check_counts_afterwards(endpoint):
    endpoint.set_checked(is_failing=True, is_excluded=True)
    assert HealthTracker(CONFIG, endpoint).on_failure(NETWORK) is Transition.CHANGED
    assert not endpoint.is_excluded
    assert not endpoint.is_healthy


@pytest.mark.parametrize(
    ("was_success", "transition", "has_traffic", "seconds"),
    [
        (True, Transition.UNCHANGED, True, 10),
        (True, Transition.CHANGED, True, 10),
        (True, Transition.PENDING, True, 1),
        (False, Transition.UNCHANGED, True, 20),
        (False, Transition.CHANGED, True, 20),
        (False, Transition.PENDING, True, 2),
        (True, Transition.UNCHANGED, False, 120),
        (True, Transition.PENDING, False, 60),
        (False, Transition.UNCHANGED, False, 60),
    ],
)
def test_the_interval_depends_on_what_was_found(was_success, transition, has_traffic, seconds):
    assert next_interval(CONFIG, was_success, transition, has_traffic, lambda: 0.5) == seconds


def test_intervals_have_jitter():
    config = HealthCheckConfig(TcpCheck(), 1, 10, 1, 1, interval_jitter=4, interval_jitter_percent=20)
    assert next_interval(config, True, Transition.UNCHANGED, True, lambda: 0.5) == 10 + 2 + 1


def test_statuses_are_in_half_open_ranges():
    ranges = ((200, 201), (300, 400))
    assert [status for status in (199, 200, 201, 300, 399, 400) if is_in(status, ranges)] == [200, 300, 399]


@pytest.mark.parametrize(
    ("pieces", "is_found"), [((), True), ((b"ab", b"d"), True), ((b"d", b"ab"), False), ((b"c", b"c"), False)]
)
def test_pieces_are_found_in_their_order(pieces, is_found):
    assert has_all(pieces, b"abcd") == is_found
