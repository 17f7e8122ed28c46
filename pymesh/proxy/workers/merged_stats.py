"""The sums of what workers have counted. Each snapshot adds what is new since the one before of the same worker.

So nothing goes down when a worker ends: what it had counted has been added, and it only adds no more. No IO.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from pymesh.proxy.telemetry.labels import LocalPeer
from pymesh.proxy.telemetry.metric_names import (
    BUCKETS,
    COUNTER,
    EJECTIONS_ACTIVE,
    MEMBERSHIP_DEGRADED,
    MEMBERSHIP_HEALTHY,
    MEMBERSHIP_TOTAL,
    PROCESS_START,
    Metric,
)
from pymesh.proxy.telemetry.metric_series import MetricSeries
from pymesh.proxy.telemetry.proxy_metrics import ProxyMetrics
from pymesh.proxy.telemetry.stats import HttpSeries, TcpSeries
from pymesh.proxy.workers.messages import HttpCounts, MetricCounts, StatsSnapshot, TcpCounts

# Each worker has the same endpoints; of their health, the worst opinion is shown.
_NOT_SUMS: dict[Metric, Callable[[list[float]], float]] = {
    MEMBERSHIP_TOTAL: max,
    MEMBERSHIP_HEALTHY: min,
    MEMBERSHIP_DEGRADED: max,
    EJECTIONS_ACTIVE: max,
}
_CustomKey = tuple[str, tuple[str, ...], tuple[str, ...]]  # metric, names and values of the labels
_NOTHING = [0] * (len(BUCKETS) + 1)


class MergedStats:
    """A SeriesSource. Each worker bounds its own series, and so the sum is bounded too."""

    def __init__(self, local: LocalPeer) -> None:
        self.local = local
        self._http: dict[tuple[str, ...], HttpSeries] = {}
        self._tcp: dict[tuple[str, ...], TcpSeries] = {}
        self._custom: dict[_CustomKey, MetricSeries] = {}
        self._seen: dict[int, _Seen] = {}

    def http_series(self) -> Iterable[HttpSeries]:
        return self._http.values()

    def tcp_series(self) -> Iterable[TcpSeries]:
        return self._tcp.values()

    def custom_series(self) -> Iterable[MetricSeries]:
        return self._custom.values()

    def add(self, worker: int, snapshot: StatsSnapshot) -> None:
        """`worker` names one process, not its place."""
        seen = self._seen.get(worker, _Seen({}, {}, {}))
        custom = {(c.metric.name, c.names, c.values): c for c in snapshot.custom}
        now = _Seen({c.labels: c for c in snapshot.http}, {c.labels: c for c in snapshot.tcp}, custom)
        for labels, http in now.http.items():
            series = self._http.setdefault(labels, HttpSeries(labels))
            _add_http(series, http, seen.http.get(labels) or _no_http(labels))
        for labels, tcp in now.tcp.items():
            _add_tcp(self._tcp.setdefault(labels, TcpSeries(labels)), tcp, seen.tcp.get(labels) or _no_tcp(labels))
        for key, counts in now.custom.items():
            made = MetricSeries(counts.metric, counts.names, counts.values)
            _add_custom(self._custom.setdefault(key, made), counts, seen.custom.get(key))
        self._seen[worker] = now

    def forget(self, worker: int) -> None:
        """It has ended; what it counted stays."""
        self._seen.pop(worker, None)


class MergedMetrics(ProxyMetrics):
    """The supervisor's own figures, and with them those of the workers: counters of all there ever were, gauges of
    those that live. The process began when the supervisor did."""

    def __init__(self) -> None:
        super().__init__()
        self._totals: dict[Metric, float] = {}
        self._seen: dict[int, dict[Metric, float]] = {}

    def add(self, worker: int, samples: Iterable[tuple[Metric, float]]) -> None:
        now = dict(samples)
        seen = self._seen.get(worker, {})
        for metric, value in now.items():
            increase = value - seen.get(metric, 0) if metric.kind == COUNTER else 0
            self._totals[metric] = self._totals.get(metric, 0) + increase
        self._seen[worker] = now

    def forget(self, worker: int) -> None:
        self._seen.pop(worker, None)

    def of(self, worker: int, metric: Metric) -> float:
        """What this one said last."""
        return self._seen.get(worker, {}).get(metric, 0)

    def samples(self) -> Iterator[tuple[Metric, float]]:
        own = dict(super().samples())
        for metric in own | self._totals:
            value = own.get(metric, 0)
            yield metric, value if metric == PROCESS_START else value + self._of_workers(metric)

    def _of_workers(self, metric: Metric) -> float:
        if metric.kind == COUNTER:
            return self._totals.get(metric, 0)
        values = [samples[metric] for samples in self._seen.values() if metric in samples]
        return _NOT_SUMS[metric](values) if values and metric in _NOT_SUMS else sum(values)


class _Seen(NamedTuple):
    """The last snapshot of a worker, by labels."""

    http: dict[tuple[str, ...], HttpCounts]
    tcp: dict[tuple[str, ...], TcpCounts]
    custom: dict[_CustomKey, MetricCounts]


def _no_http(labels: tuple[str, ...]) -> HttpCounts:
    return HttpCounts(labels, _NOTHING, 0.0, _NOTHING, 0, _NOTHING, 0, 0, 0)


def _no_tcp(labels: tuple[str, ...]) -> TcpCounts:
    return TcpCounts(labels, 0, 0, 0, 0, 0)


def _add_http(series: HttpSeries, now: HttpCounts, before: HttpCounts) -> None:
    series.duration_counts = _increased(series.duration_counts, now.duration_counts, before.duration_counts)
    series.duration_sum += now.duration_sum - before.duration_sum
    series.request_counts = _increased(series.request_counts, now.request_counts, before.request_counts)
    series.request_sum += now.request_sum - before.request_sum
    series.response_counts = _increased(series.response_counts, now.response_counts, before.response_counts)
    series.response_sum += now.response_sum - before.response_sum
    series.untimed += now.untimed - before.untimed
    series.uncounted += now.uncounted - before.uncounted


def _add_tcp(series: TcpSeries, now: TcpCounts, before: TcpCounts) -> None:
    series.opened += now.opened - before.opened
    series.closed += now.closed - before.closed
    series.sent_bytes += now.sent_bytes - before.sent_bytes
    series.received_bytes += now.received_bytes - before.received_bytes
    series.shown |= now.shown


def _add_custom(series: MetricSeries, now: MetricCounts, before: MetricCounts | None) -> None:
    nothing = [0] * len(now.counts)
    series.counts = _increased(series.counts, now.counts, before.counts if before is not None else nothing)
    series.total += now.total - (before.total if before is not None else 0)


def _increased(total: list[int], now: list[int], before: list[int]) -> list[int]:
    return [t + n - b for t, n, b in zip(total, now, before, strict=True)]
