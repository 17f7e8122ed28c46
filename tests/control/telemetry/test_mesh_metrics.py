from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pymesh import otlp
from pymesh.control.telemetry.mesh_metrics import IDLE_SECONDS, MeshMetrics

Make = Callable[..., Any]


@pytest.fixture
def metrics() -> MeshMetrics:
    return MeshMetrics()


def samples(metrics: MeshMetrics) -> dict[str, list[tuple[dict[str, str], float]]]:
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families("".join(metrics.lines())):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def total(metrics: MeshMetrics) -> float:
    return sum(value for _, value in samples(metrics)["istio_requests_total"])


def test_the_reports_of_two_proxies_of_a_workload_are_added(metrics: MeshMetrics, make_report: Make) -> None:
    metrics.add(make_report(3, "web-1"), now=0.0)
    metrics.add(make_report(4, "web-2"), now=0.0)
    found = samples(metrics)
    assert found["istio_requests_total"] == [({"reporter": "source"}, 7)]
    assert found["istio_request_duration_milliseconds_bucket"] == [
        ({"reporter": "source", "le": "1"}, 0),
        ({"reporter": "source", "le": "+Inf"}, 7),
    ]
    assert found["istio_request_duration_milliseconds_sum"][0][1] == pytest.approx(10.5)


def test_a_report_that_comes_again_counts_once(metrics: MeshMetrics, make_report: Make) -> None:
    for requests in (3, 3, 5):
        metrics.add(make_report(requests), now=0.0)
    assert total(metrics) == 5


def test_a_restarted_proxy_adds_to_what_it_counted_before(metrics: MeshMetrics, make_report: Make) -> None:
    metrics.add(make_report(10, start=100), now=0.0)
    metrics.add(make_report(2, start=200), now=1.0)
    assert total(metrics) == 12


def test_a_late_report_of_an_earlier_run_is_not_counted(metrics: MeshMetrics, make_report: Make) -> None:
    metrics.add(make_report(10, start=100), now=0.0)
    metrics.add(make_report(2, start=200), now=1.0)
    metrics.add(make_report(11, start=100), now=2.0)
    metrics.add(make_report(3, start=200), now=3.0)
    assert total(metrics) == 13


def test_a_total_never_goes_backwards(metrics: MeshMetrics, make_report: Make) -> None:
    metrics.add(make_report(10), now=0.0)
    metrics.add(make_report(4), now=0.0)
    assert total(metrics) == 10


def test_what_a_vanished_proxy_counted_remains(metrics: MeshMetrics, make_report: Make) -> None:
    metrics.add(make_report(10, "web-1"), now=0.0)
    metrics.add(make_report(1, "web-2"), now=IDLE_SECONDS + 1)
    assert metrics.instances == 1
    assert total(metrics) == 11


def test_a_proxy_heard_of_again_after_it_was_forgotten_is_not_counted_twice(
    metrics: MeshMetrics, make_report: Make
) -> None:
    metrics.add(make_report(10, "web-1"), now=0.0)
    metrics.add(make_report(1, "web-2"), now=IDLE_SECONDS + 1)
    metrics.add(make_report(12, "web-1"), now=IDLE_SECONDS + 2)
    assert total(metrics) == 11
    metrics.add(make_report(15, "web-1"), now=IDLE_SECONDS + 3)
    assert total(metrics) == 14
    metrics.add(make_report(2, "web-1", start=200), now=IDLE_SECONDS + 4)
    assert total(metrics) == 16


def test_the_longest_silent_proxy_makes_room(make_report: Make) -> None:
    metrics = MeshMetrics(max_instances=2)
    for name in ("a", "b", "c"):
        metrics.add(make_report(1, name), now=0.0)
    assert metrics.instances == 2
    assert total(metrics) == 3


def test_labels_in_another_order_are_the_same_series(metrics: MeshMetrics, make_report: Make) -> None:
    metrics.add(make_report(1, "a", labels={"x": "1", "y": "2"}), now=0.0)
    metrics.add(make_report(1, "b", labels={"y": "2", "x": "1"}), now=0.0)
    assert len(samples(metrics)["istio_requests_total"]) == 1


def test_hostile_labels_do_not_break_the_text(metrics: MeshMetrics, make_report: Make) -> None:
    metrics.add(make_report(1, labels={'a"} 1\nb': 'c"} 2\nd\\'}), now=0.0)
    assert samples(metrics)["istio_requests_total"] == [({"a___1_b": 'c"} 2\nd\\'}, 1)]


def test_only_the_mesh_s_own_metrics_are_taken(metrics: MeshMetrics, make_report: Make) -> None:
    assert metrics.add(make_report(1, name="pilot_xds"), now=0.0) == 1
    assert "pilot_xds" not in "".join(metrics.lines())


def test_an_anonymous_report_is_rejected_whole(metrics: MeshMetrics, make_report: Make) -> None:
    assert metrics.add(make_report(1, instance=""), now=0.0) == 2
    assert list(metrics.lines()) == []


def test_too_many_series_are_rejected(make_report: Make) -> None:
    metrics = MeshMetrics(max_series=2)
    assert metrics.add(make_report(1), now=0.0) == 0
    assert metrics.add(make_report(1, labels={"reporter": "destination"}), now=0.0) == 2
    assert metrics.rejected == 2


def test_deltas_gauges_and_other_buckets_are_rejected(metrics: MeshMetrics, make_report: Make) -> None:
    metrics.add(make_report(1), now=0.0)
    report = make_report(1)
    counter, histogram = report.resource_metrics[0].scope_metrics[0].metrics
    counter.sum.aggregation_temporality = 1
    histogram.histogram.data_points[0].explicit_bounds[:] = [2.0]
    report.resource_metrics[0].scope_metrics[0].metrics.add(name="istio_build").gauge.data_points.add(as_int=1)
    assert metrics.add(report, now=0.0) == 3
    assert metrics.add(otlp.ExportMetricsServiceRequest(), now=0.0) == 0
