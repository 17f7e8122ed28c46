"""Stats as an OTLP ExportMetricsServiceRequest.

The message is kept between exports: the attributes of a series, which are most of it, are written once.
"""

from collections.abc import Iterable
from typing import Any

from pymesh import otlp
from pymesh.proxy.telemetry.metric_names import (
    BUCKETS,
    HTTP_LABELS,
    REQUESTS_TOTAL,
    TCP_LABELS,
    Metric,
)
from pymesh.proxy.telemetry.resource import SCOPE, key_values, nanoseconds, resource_of
from pymesh.proxy.telemetry.stats import HTTP_HISTOGRAMS, TCP_COUNTERS, HttpSeries, SeriesSource, TcpSeries

Point = Any  # otlp's NumberDataPoint or HistogramDataPoint


class MetricsRequest:
    """Totals since `start_time` (seconds since the epoch), which with the node id names this run of the proxy: what is
    sent twice is counted once."""

    def __init__(self, stats: SeriesSource, node_id: str, start_time: float) -> None:
        self._stats = stats
        self._start = nanoseconds(start_time)
        self._message = otlp.ExportMetricsServiceRequest()
        resource_metrics = self._message.resource_metrics.add(resource=resource_of(stats.local.workload, node_id))
        self._scope_metrics = resource_metrics.scope_metrics.add(scope=SCOPE)
        self._metrics: dict[Metric, Any] = {}
        self._http: dict[HttpSeries, _HttpPoints] = {}
        self._tcp: dict[TcpSeries, tuple[Point, ...]] = {}

    def serialize(self, now: float) -> bytes | None:
        """The protobuf body, or None while nothing was counted."""
        time = nanoseconds(now)
        for http_series in self._stats.http_series():
            self._http_points(http_series).update(http_series, time)
        for tcp_series in self._stats.tcp_series():
            for (_, value), point in zip(TCP_COUNTERS, self._tcp_points(tcp_series), strict=True):
                point.as_int = value(tcp_series)
                point.time_unix_nano = time
        return self._message.SerializeToString() if self._metrics else None

    def _http_points(self, series: HttpSeries) -> "_HttpPoints":
        points = self._http.get(series)
        if points is None:
            attributes = key_values(zip(HTTP_LABELS, series.labels, strict=True))
            histograms = tuple(self._add_histogram(metric, attributes) for metric, _ in HTTP_HISTOGRAMS)
            points = self._http[series] = _HttpPoints(self._add_sum(REQUESTS_TOTAL, attributes), histograms)
        return points

    def _tcp_points(self, series: TcpSeries) -> tuple[Point, ...]:
        points = self._tcp.get(series)
        if points is None:
            attributes = key_values(zip(TCP_LABELS, series.labels, strict=True))
            points = self._tcp[series] = tuple(self._add_sum(metric, attributes) for metric, _ in TCP_COUNTERS)
        return points

    def _add_sum(self, metric: Metric, attributes: Iterable[Any]) -> Point:
        data = self._metric(metric).sum
        data.aggregation_temporality = otlp.AGGREGATION_TEMPORALITY_CUMULATIVE
        data.is_monotonic = True
        return data.data_points.add(attributes=attributes, start_time_unix_nano=self._start)

    def _add_histogram(self, metric: Metric, attributes: Iterable[Any]) -> Point:
        data = self._metric(metric).histogram
        data.aggregation_temporality = otlp.AGGREGATION_TEMPORALITY_CUMULATIVE
        return data.data_points.add(attributes=attributes, start_time_unix_nano=self._start, explicit_bounds=BUCKETS)

    def _metric(self, metric: Metric) -> Any:
        message = self._metrics.get(metric)
        if message is None:
            message = self._scope_metrics.metrics.add(name=metric.name, description=metric.help, unit=metric.unit)
            self._metrics[metric] = message
        return message


class _HttpPoints:
    """The data points of one HttpSeries within the message."""

    __slots__ = ("_histograms", "_requests")

    def __init__(self, requests: Point, histograms: tuple[Point, ...]) -> None:
        self._requests = requests
        self._histograms = histograms

    def update(self, series: HttpSeries, time: int) -> None:
        count = series.requests
        self._requests.as_int = count
        self._requests.time_unix_nano = time
        for (_, values), point in zip(HTTP_HISTOGRAMS, self._histograms, strict=True):
            counts, total = values(series)
            point.bucket_counts[:] = counts
            point.sum = total
            point.count = count
            point.time_unix_nano = time
