import pytest

from pymesh.proxy.upstream.endpoint import Endpoint, EndpointConfig
from pymesh.proxy.upstream.outlier_detection import (
    CONSECUTIVE_5XX,
    CONSECUTIVE_GATEWAY_FAILURE,
    CONSECUTIVE_LOCAL_ORIGIN_FAILURE,
    FAILURE_PERCENTAGE,
    LOCAL_ORIGIN_FAILURE_PERCENTAGE,
    LOCAL_ORIGIN_SUCCESS_RATE,
    SUCCESS_RATE,
    OutlierDetectionConfig,
    OutlierDetector,
)


class Pool:
    """Endpoints under a detector, and a clock."""

    def __init__(self, count: int, **config) -> None:
        config = {"max_ejection_percent": 100, "enforcing_success_rate": 0} | config
        self.endpoints = [Endpoint(EndpointConfig(f"10.0.0.{i}", 80)) for i in range(count)]
        self.now = 1000.0
        self.changes = 0
        self.detector = OutlierDetector(
            OutlierDetectionConfig(**config), lambda: self.endpoints, self._on_change, lambda: self.now, lambda: 0.5
        )

    def _on_change(self) -> None:
        self.changes += 1

    def answer(self, index: int, *codes: int) -> None:
        for code in codes:
            self.detector.on_result(self.endpoints[index], code, None)

    def fail(self, index: int, times: int) -> None:
        for _ in range(times):
            self.detector.on_result(self.endpoints[index], None, "connection failure")

    def pass_interval(self, seconds: float = 10.0) -> None:
        self.now += seconds
        self.detector.on_interval()

    @property
    def ejected(self) -> list[int]:
        return [i for i, endpoint in enumerate(self.endpoints) if endpoint.is_ejected]


def test_five_5xx_in_a_row_eject():
    pool = Pool(3)
    pool.answer(0, 500, 500, 500, 500)
    assert pool.ejected == []
    pool.answer(0, 503)
    assert pool.ejected == [0]
    assert not pool.endpoints[0].is_healthy
    assert pool.changes == 1
    assert pool.detector.ejections == {CONSECUTIVE_5XX: 1}


@pytest.mark.parametrize("between", [200, 404])
def test_anything_below_500_begins_the_count_anew(between):
    pool = Pool(3)
    pool.answer(0, 500, 500, 500, 500, between, 500, 500, 500, 500)
    assert pool.ejected == []


def test_gateway_failures_eject_only_when_enforced():
    pool = Pool(3, consecutive_gateway_failure=2, consecutive_5xx=50)
    pool.answer(0, 502, 503, 504)
    assert pool.ejected == []
    pool = Pool(3, consecutive_gateway_failure=2, consecutive_5xx=50, enforcing_consecutive_gateway_failure=100)
    pool.answer(0, 502, 500, 504)
    assert pool.ejected == []
    pool.answer(0, 502)
    assert pool.ejected == [0]
    assert pool.detector.ejections == {CONSECUTIVE_GATEWAY_FAILURE: 1}


def test_failed_connects_count_as_5xx():
    pool = Pool(3)
    pool.answer(0, 500, 500)
    pool.fail(0, 3)
    assert pool.ejected == [0]


def test_a_tcp_connection_that_was_established_is_a_success():
    pool = Pool(3)
    pool.fail(0, 4)
    pool.detector.on_result(pool.endpoints[0], None, None)
    pool.fail(0, 4)
    assert pool.ejected == []


def test_local_origin_failures_are_counted_apart_when_split():
    pool = Pool(3, split_external_local_origin_errors=True, consecutive_local_origin_failure=3)
    pool.answer(0, 500, 500, 500, 500)
    pool.fail(0, 2)
    assert pool.ejected == []
    pool.fail(0, 1)
    assert pool.ejected == [0]
    assert pool.detector.ejections == {CONSECUTIVE_LOCAL_ORIGIN_FAILURE: 1}


def test_a_count_of_zero_never_ejects():
    pool = Pool(3, consecutive_5xx=0)
    pool.answer(0, *[500] * 50)
    assert pool.ejected == []


def test_an_ejected_endpoint_comes_back_after_the_base_time():
    pool = Pool(3)
    pool.answer(0, *[500] * 5)
    pool.pass_interval()
    pool.pass_interval()
    assert pool.ejected == [0]
    pool.pass_interval()
    assert pool.ejected == []
    assert pool.endpoints[0].is_healthy
    assert pool.changes == 2


def test_each_further_ejection_lasts_longer():
    pool = Pool(3)
    pool.answer(0, *[500] * 5)
    pool.pass_interval(30)
    pool.answer(0, *[500] * 5)
    pool.pass_interval(30)
    assert pool.ejected == [0]
    pool.pass_interval(30)
    assert pool.ejected == []


def test_intervals_without_an_ejection_are_forgiven():
    pool = Pool(3)
    pool.answer(0, *[500] * 5)
    pool.pass_interval(30)
    pool.pass_interval()
    pool.answer(0, *[500] * 5)
    pool.pass_interval(30)
    assert pool.ejected == []


def test_no_ejection_lasts_longer_than_the_maximum():
    pool = Pool(3, base_ejection_time=30, max_ejection_time=40)
    for _ in range(4):
        pool.answer(0, *[500] * 5)
        pool.pass_interval(40)
        assert pool.ejected == []


@pytest.mark.parametrize(
    ("count", "percent", "most"),
    [(2, 10, 0), (2, 50, 1), (3, 50, 1), (10, 10, 1), (10, 15, 1), (6, 100, 6), (1, 100, 1)],
)
def test_the_share_of_ejected_endpoints_never_exceeds_the_maximum(count, percent, most):
    # as Envoy 1.40 was seen to do with pools of these sizes
    pool = Pool(count, max_ejection_percent=percent)
    for i in range(count):
        pool.answer(i, *[500] * 5)
    assert len(pool.ejected) == most
    assert pool.detector.overflow == count - most


def test_one_endpoint_may_always_be_ejected_if_so_configured():
    pool = Pool(2, max_ejection_percent=10, always_eject_one_host=True)
    pool.answer(0, *[500] * 5)
    pool.answer(1, *[500] * 5)
    assert pool.ejected == [0]


def test_what_is_not_enforced_does_not_eject():
    pool = Pool(3, enforcing_consecutive_5xx=0)
    pool.answer(0, *[500] * 20)
    assert pool.ejected == []
    assert pool.detector.overflow == 0


def test_an_endpoint_far_below_the_mean_success_rate_is_ejected_at_the_interval():
    pool = Pool(5, enforcing_success_rate=100, consecutive_5xx=0, success_rate_minimum_hosts=5)
    for i in range(4):
        pool.answer(i, *[200] * 100)
    pool.answer(4, *[200, 500] * 50)
    pool.pass_interval()
    assert pool.ejected == [4]
    assert pool.detector.ejections == {SUCCESS_RATE: 1}


def test_the_rates_of_the_last_interval_are_kept_for_the_admin_page():
    pool = Pool(2, split_external_local_origin_errors=True, failure_percentage_request_volume=4)
    pool.answer(0, 200, 200, 500, 200)
    pool.fail(0, 1)
    pool.answer(1, 200, 200, 200)
    pool.pass_interval()
    first, second = (endpoint.outlier_monitor for endpoint in pool.endpoints)
    assert (first.success_rate, first.local_origin_success_rate) == (75.0, 80.0)
    assert (second.success_rate, second.local_origin_success_rate) == (-1.0, -1.0)


def test_rates_are_not_judged_of_too_few_requests():
    pool = Pool(5, enforcing_success_rate=100, consecutive_5xx=0)
    for i in range(4):
        pool.answer(i, *[200] * 99)
    pool.answer(4, *[500] * 99)
    pool.pass_interval()
    assert pool.ejected == []


def test_an_endpoint_that_fails_too_large_a_share_is_ejected_at_the_interval():
    pool = Pool(5, enforcing_failure_percentage=100, consecutive_5xx=0, failure_percentage_threshold=50)
    for i in range(4):
        pool.answer(i, *[200] * 50)
    pool.answer(4, *[500] * 50)
    pool.pass_interval()
    assert pool.ejected == [4]
    assert pool.detector.ejections == {FAILURE_PERCENTAGE: 1}


def test_local_origin_failures_are_judged_by_rate_apart_when_split():
    pool = Pool(
        5, split_external_local_origin_errors=True, consecutive_local_origin_failure=0, enforcing_success_rate=100
    )
    for i in range(5):
        pool.answer(i, *[200] * 100)
    pool.fail(4, 100)
    pool.pass_interval()
    assert pool.detector.ejections == {LOCAL_ORIGIN_SUCCESS_RATE: 1}
    assert pool.ejected == [4]


def test_local_origin_failures_are_judged_by_percentage_apart_when_split():
    pool = Pool(
        5,
        split_external_local_origin_errors=True,
        consecutive_local_origin_failure=0,
        enforcing_local_origin_success_rate=0,
        enforcing_failure_percentage_local_origin=100,
        failure_percentage_threshold=40,
    )
    for i in range(5):
        pool.answer(i, *[200] * 150)
    pool.fail(4, 100)
    pool.pass_interval()
    assert pool.detector.ejections == {LOCAL_ORIGIN_FAILURE_PERCENTAGE: 1}
    assert pool.detector.detections == {LOCAL_ORIGIN_SUCCESS_RATE: 1, LOCAL_ORIGIN_FAILURE_PERCENTAGE: 1}


def test_a_tcp_success_says_nothing_of_the_servers_answers_when_split():
    pool = Pool(3, split_external_local_origin_errors=True)
    pool.answer(0, 500, 500, 500, 500)
    pool.detector.on_result(pool.endpoints[0], None, None)
    pool.answer(0, 500)
    assert pool.ejected == [0]


def test_what_is_found_is_counted_even_if_it_is_not_enforced_or_there_is_no_room():
    pool = Pool(3, enforcing_consecutive_5xx=0)
    pool.answer(0, *[500] * 10)
    assert pool.detector.detections == {CONSECUTIVE_5XX: 2}
    assert pool.detector.ejections == {}
    pool = Pool(3, max_ejection_percent=0, enforcing_consecutive_5xx=0)
    pool.answer(0, *[500] * 5)
    assert (pool.detector.detections, pool.detector.overflow) == ({CONSECUTIVE_5XX: 1}, 1)


def test_enforcement_by_percent_ejects_by_chance():
    pool = Pool(3, enforcing_consecutive_5xx=50)  # chance says 0.5 here
    pool.answer(0, *[500] * 5)
    assert pool.ejected == []
    pool = Pool(3, enforcing_consecutive_5xx=51)
    pool.answer(0, *[500] * 5)
    assert pool.ejected == [0]


def test_jitter_makes_an_ejection_longer():
    pool = Pool(3, max_ejection_time_jitter=10)
    pool.answer(0, *[500] * 5)
    pool.pass_interval(34)
    assert pool.ejected == [0]
    pool.pass_interval(1)
    assert pool.ejected == []


def test_who_passes_a_health_check_is_let_in_at_once():
    pool = Pool(3)
    pool.answer(0, *[500] * 5)
    pool.detector.on_health_check_passed(pool.endpoints[0])
    assert pool.ejected == []
    assert pool.changes == 2


def test_a_passed_health_check_changes_nothing_where_the_cluster_says_so():
    pool = Pool(3, successful_active_health_check_uneject_host=False)
    pool.answer(0, *[500] * 5)
    pool.detector.on_health_check_passed(pool.endpoints[0])
    assert pool.ejected == [0]


def test_who_is_ejected_by_rate_again_and_again_is_not_forgiven_between():
    pool = Pool(5, enforcing_success_rate=100, consecutive_5xx=0)

    def fail_one() -> None:
        for i in range(4):
            pool.answer(i, *[200] * 100)
        pool.answer(4, *[500] * 100)

    fail_one()
    pool.pass_interval()
    pool.pass_interval(30)
    assert pool.ejected == []
    fail_one()
    pool.pass_interval()
    assert pool.ejected == [4]
    pool.pass_interval(59)
    assert pool.ejected == [4]
    pool.pass_interval(1)
    assert pool.ejected == []
