"""How long a scrape holds the loop that also serves traffic: our writer, and prometheus_client with the same series."""

from collections.abc import Callable, Iterator
from itertools import accumulate
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from pymesh.prometheus import bound_texts
from pymesh.proxy.telemetry.direction import OUTBOUND
from pymesh.proxy.telemetry.metric_names import BUCKETS, HTTP_LABELS, REQUESTS_TOTAL
from pymesh.proxy.telemetry.stats import HTTP_HISTOGRAMS, Stats
from pymesh.proxy.telemetry.stream_info import StreamInfo
from pymesh.proxy.telemetry.telemetry import Telemetry
from pymesh.proxy.telemetry.workload import Workload

Benchmark = Callable[..., Any]

SERIES = 1_000
ROUNDS = 3
LE = bound_texts(BUCKETS)


class StatsCollector:
    """The same metrics in prometheus_client's own types."""

    def __init__(self, stats: Stats) -> None:
        self._stats = stats

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(REQUESTS_TOTAL.name, REQUESTS_TOTAL.help, labels=HTTP_LABELS)
        for series in self._stats.http_series():
            requests.add_metric(series.labels, series.requests)
        yield requests
        for metric, values in HTTP_HISTOGRAMS:
            histogram = HistogramMetricFamily(metric.name, metric.help, labels=HTTP_LABELS)
            for series in self._stats.http_series():
                counts, total = values(series)
                histogram.add_metric(series.labels, list(zip(LE, accumulate(counts), strict=True)), total)
            yield histogram


@pytest.fixture
def telemetry() -> Telemetry:
    """One request to each of SERIES services."""
    telemetry = Telemetry(Workload("web-v1", "default", "web", "v1", "pymesh"))
    for number in range(SERIES):
        telemetry.on_request(build_info(f"svc-{number}"), OUTBOUND)
    return telemetry


def build_info(name: str) -> StreamInfo:
    host = f"{name}.default.svc.cluster.local"
    info = StreamInfo(1.0, 1_790_000_000.0)
    info.end = 1.0034
    info.response_code = 200
    info.upstream_cluster = f"outbound|80||{host}"
    info.upstream_principal = "spiffe://cluster.local/ns/default/sa/default"
    info.service = SimpleNamespace(name=name, namespace="default", host=host)
    workload = Workload(f"{name}-v1", "default", name, "v1", "pymesh")
    info.upstream_host = SimpleNamespace(address="127.0.0.1:9001", workload=workload)
    return info


def test_scrape_of_a_thousand_series(benchmark: Benchmark, telemetry: Telemetry) -> None:
    body = benchmark.pedantic(lambda: b"".join(telemetry.expose()), rounds=ROUNDS)
    assert body.count(b"\nistio_requests_total{") == SERIES


def test_first_piece_of_a_scrape(benchmark: Benchmark, telemetry: Telemetry) -> None:
    """The longest, as it works out label texts. The page lets the loop serve requests between two pieces."""
    benchmark.pedantic(next, setup=lambda: ((telemetry.expose(),), {}), rounds=100)


def test_scrape_of_a_thousand_series_with_prometheus_client(benchmark: Benchmark, telemetry: Telemetry) -> None:
    registry = CollectorRegistry()
    registry.register(StatsCollector(telemetry.stats))
    body = benchmark.pedantic(generate_latest, (registry,), rounds=ROUNDS)
    assert body.count(b"\nistio_requests_total{") == SERIES
