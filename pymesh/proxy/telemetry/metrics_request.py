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
from pymesh.proxy.telemetry.metric_series import MetricSeries
from pymesh.proxy.telemetry.resource import SCOPE, key_values, nanoseconds, resource_of
from pymesh.proxy.telemetry.stats import HTTP_HISTOGRAMS, HttpSeries, SeriesSource, TcpSeries, shown_counters

Series = HttpSeries | TcpSeries | MetricSeries
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
        self._attributes: dict[Series, list[Any]] = {}
        self._points: dict[tuple[Series, Metric], Point] = {}

    def serialize(self, now: float) -> bytes | None:
        """The protobuf body, or None while nothing was counted."""
        time = nanoseconds(now)
        for http_series in self._stats.http_series():
            self._write_http(http_series, time)
        for tcp_series in self._stats.tcp_series():
            for _, metric, value in shown_counters(tcp_series):
                self._write_sum(tcp_series, metric, value, time)
        for series in self._stats.custom_series():
            if series.counts:
                self._write_histogram(series, series.metric, series.counts, series.total, time)
            else:
                self._write_sum(series, series.metric, int(series.total), time)
        return self._message.SerializeToString() if self._metrics else None

    def _write_http(self, series: HttpSeries, time: int) -> None:
        """What a series never counted is no metric of it."""
        requests = series.requests
        if requests:
            self._write_sum(series, REQUESTS_TOTAL, requests, time)
        for metric, values in HTTP_HISTOGRAMS:
            counts, total = values(series)
            if any(counts):
                self._write_histogram(series, metric, counts, total, time)

    def _write_sum(self, series: Series, metric: Metric, value: int, time: int) -> None:
        point = self._points.get((series, metric))
        if point is None:
            point = self._points[series, metric] = self._add_sum(metric, self._attributes_of(series))
        point.as_int = value
        point.time_unix_nano = time

    def _write_histogram(self, series: Series, metric: Metric, counts: list[int], total: float, time: int) -> None:
        point = self._points.get((series, metric))
        if point is None:
            point = self._points[series, metric] = self._add_histogram(metric, self._attributes_of(series))
        point.bucket_counts[:] = counts
        point.sum = total
        point.count = sum(counts)
        point.time_unix_nano = time

    def _attributes_of(self, series: Series) -> list[Any]:
        found = self._attributes.get(series)
        if found is None:
            found = self._attributes[series] = key_values(zip(*_labels(series), strict=True))
        return found

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


def _labels(series: Series) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names and values."""
    if isinstance(series, MetricSeries):
        return series.names, series.values
    return HTTP_LABELS if isinstance(series, HttpSeries) else TCP_LABELS, series.labels
