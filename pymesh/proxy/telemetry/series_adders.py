"""How one figure of a stream gets into a series: a function for each metric, made once for a series."""

from bisect import bisect_left
from collections.abc import Callable
from functools import partial

from pymesh.proxy.telemetry.direction import Direction
from pymesh.proxy.telemetry.metric_names import (
    BUCKETS,
    HISTOGRAM,
    REQUEST_BYTES,
    REQUEST_DURATION,
    REQUESTS_TOTAL,
    RESPONSE_BYTES,
    TCP_CLOSED,
    TCP_OPENED,
    TCP_RECEIVED_BYTES,
    TCP_SENT_BYTES,
    Metric,
)
from pymesh.proxy.telemetry.metric_series import MetricSeries
from pymesh.proxy.telemetry.stats import TCP_COUNTERS, HttpSeries, Stats, TcpSeries

Add = Callable[[float], None]


def custom_adder(series: MetricSeries) -> Add:
    return series.observe if series.metric.kind == HISTOGRAM else series.add


def http_adder(metric: Metric, series: HttpSeries) -> Add:
    return partial(_HTTP[metric], series)


def tcp_adder(metric: Metric, stats: Stats, labels: tuple[str, ...], direction: Direction) -> Add:
    """`labels` in the order of TCP_LABELS."""
    place = [one for one, _ in TCP_COUNTERS].index(metric)
    return partial(_TCP[metric], stats.tcp_series_of(labels, direction, 1 << place))


def _add_request(series: HttpSeries, value: float) -> None:
    series.untimed += 1


def _add_duration(series: HttpSeries, value: float) -> None:
    series.uncounted += 1
    series.duration_counts[bisect_left(BUCKETS, value)] += 1
    series.duration_sum += value


def _add_request_size(series: HttpSeries, value: float) -> None:
    series.request_counts[bisect_left(BUCKETS, value)] += 1
    series.request_sum += int(value)


def _add_response_size(series: HttpSeries, value: float) -> None:
    series.response_counts[bisect_left(BUCKETS, value)] += 1
    series.response_sum += int(value)


def _add_opened(series: TcpSeries, value: float) -> None:
    series.opened += 1


def _add_closed(series: TcpSeries, value: float) -> None:
    series.closed += 1


def _add_sent(series: TcpSeries, value: float) -> None:
    series.sent_bytes += int(value)


def _add_received(series: TcpSeries, value: float) -> None:
    series.received_bytes += int(value)


_HTTP: dict[Metric, Callable[[HttpSeries, float], None]] = {
    REQUESTS_TOTAL: _add_request,
    REQUEST_DURATION: _add_duration,
    REQUEST_BYTES: _add_request_size,
    RESPONSE_BYTES: _add_response_size,
}
_TCP: dict[Metric, Callable[[TcpSeries, float], None]] = {
    TCP_OPENED: _add_opened,
    TCP_CLOSED: _add_closed,
    TCP_SENT_BYTES: _add_sent,
    TCP_RECEIVED_BYTES: _add_received,
}
