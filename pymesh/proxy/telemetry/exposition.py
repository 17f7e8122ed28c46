"""All metrics of a proxy as Prometheus' text: the body of `/stats/prometheus`."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from pymesh.prometheus import bound_texts, family_lines, histogram_lines, label_text, sample_line
from pymesh.proxy.telemetry.metric_names import BUCKETS, HTTP_LABELS, REQUESTS_TOTAL, TCP_LABELS, Metric
from pymesh.proxy.telemetry.metric_series import MetricSeries
from pymesh.proxy.telemetry.proxy_metrics import ProxyMetrics
from pymesh.proxy.telemetry.stats import (
    HTTP_HISTOGRAMS,
    TCP_COUNTERS,
    HttpSeries,
    SeriesSource,
    TcpSeries,
    shown_counters,
)

PIECE = 64 * 1024  # characters; below a millisecond

_BOUNDS = bound_texts(BUCKETS)


def expose(stats: SeriesSource, metrics: ProxyMetrics) -> Iterator[bytes]:
    """Pieces of about PIECE: a thousand series are 54 MB, which nobody should hold at once or write in one go."""
    lines: list[str] = []
    size = 0
    custom: dict[str, list[MetricSeries]] = {}
    for series in tuple(stats.custom_series()):
        custom.setdefault(series.metric.name, []).append(series)
    tcp, http = _tcp_lines(stats.tcp_series(), custom), _http_lines(stats.http_series(), custom)
    for line in chain(_own_lines(metrics), tcp, http):
        lines.append(line)
        size += len(line)
        if size >= PIECE:
            yield "".join(lines).encode()
            lines, size = [], 0
    yield "".join(lines).encode()


def _http_lines(all_series: Iterable[HttpSeries], custom: dict[str, list[MetricSeries]]) -> Iterator[str]:
    """Series that come meanwhile are left to the next scrape. What a series never counted is no metric of it."""
    labelled: list[tuple[str, HttpSeries]] = []
    yield from _family(REQUESTS_TOTAL, _request_lines(tuple(all_series), labelled), custom)
    for metric, values in HTTP_HISTOGRAMS:
        yield from _family(metric, _histogram_lines(metric, values, labelled), custom)


def _request_lines(all_series: tuple[HttpSeries, ...], labelled: list[tuple[str, HttpSeries]]) -> Iterator[str]:
    """Adds to `labelled`, as the text of the labels is what most of the time goes into."""
    for series in all_series:
        labels = label_text(HTTP_LABELS, series.labels)
        labelled.append((labels, series))
        requests = series.requests
        if requests:
            yield sample_line(REQUESTS_TOTAL.name, labels, requests)


def _histogram_lines(
    metric: Metric, values: Callable[[HttpSeries], tuple[list[int], float]], labelled: list[tuple[str, HttpSeries]]
) -> Iterator[str]:
    for labels, series in labelled:
        counts, total = values(series)
        if any(counts):
            yield from histogram_lines(metric.name, labels, _BOUNDS, counts, total)


def _tcp_lines(all_series: Iterable[TcpSeries], custom: dict[str, list[MetricSeries]]) -> Iterator[str]:
    lines: dict[str, list[str]] = {}
    for series in all_series:
        labels = label_text(TCP_LABELS, series.labels)
        for _, metric, value in shown_counters(series):
            lines.setdefault(metric.name, []).append(sample_line(metric.name, labels, value))
    for metric, _ in TCP_COUNTERS:
        yield from _family(metric, lines.get(metric.name, ()), custom)


def _family(metric: Metric, lines: Iterable[str], custom: dict[str, list[MetricSeries]]) -> Iterator[str]:
    """The samples of a metric stand together; without any, it is not shown."""
    is_begun = False
    for line in chain(lines, _custom_lines(custom.get(metric.name, ()))):
        if not is_begun:
            is_begun = True
            yield _head(metric)
        yield line


def _custom_lines(all_series: Iterable[MetricSeries]) -> Iterator[str]:
    for series in all_series:
        name, labels = series.metric.name, label_text(series.names, series.values)
        if series.counts:
            yield from histogram_lines(name, labels, _BOUNDS, series.counts, series.total)
        else:
            yield sample_line(name, labels, series.total)


def _own_lines(metrics: ProxyMetrics) -> Iterator[str]:
    for metric, value in tuple(metrics.samples()):
        yield _head(metric)
        yield sample_line(metric.name, "", value)


def _head(metric: Metric) -> str:
    return family_lines(metric.name, metric.kind, metric.help)
