"""All metrics of a proxy as Prometheus' text: the body of `/stats/prometheus`."""

from collections.abc import Iterable, Iterator
from itertools import chain

from pymesh.prometheus import bound_texts, family_lines, histogram_lines, label_text, sample_line
from pymesh.proxy.telemetry.metric_names import BUCKETS, HTTP_LABELS, REQUESTS_TOTAL, TCP_LABELS, Metric
from pymesh.proxy.telemetry.proxy_metrics import ProxyMetrics
from pymesh.proxy.telemetry.stats import HTTP_HISTOGRAMS, TCP_COUNTERS, HttpSeries, SeriesSource, TcpSeries

PIECE = 64 * 1024  # characters; below a millisecond

_BOUNDS = bound_texts(BUCKETS)


def expose(stats: SeriesSource, metrics: ProxyMetrics) -> Iterator[bytes]:
    """Pieces of about PIECE: a thousand series are 54 MB, which nobody should hold at once or write in one go."""
    lines: list[str] = []
    size = 0
    for line in chain(_own_lines(metrics), _tcp_lines(stats.tcp_series()), _http_lines(stats.http_series())):
        lines.append(line)
        size += len(line)
        if size >= PIECE:
            yield "".join(lines).encode()
            lines, size = [], 0
    yield "".join(lines).encode()


def _http_lines(all_series: Iterable[HttpSeries]) -> Iterator[str]:
    """Series that come meanwhile are left to the next scrape."""
    labelled: list[tuple[str, HttpSeries]] = []
    for series in tuple(all_series):
        if not labelled:
            yield _head(REQUESTS_TOTAL)
        labels = label_text(HTTP_LABELS, series.labels)
        labelled.append((labels, series))
        yield sample_line(REQUESTS_TOTAL.name, labels, series.requests)
    if not labelled:
        return
    for metric, values in HTTP_HISTOGRAMS:
        yield _head(metric)
        for labels, series in labelled:
            yield from histogram_lines(metric.name, labels, _BOUNDS, *values(series))


def _tcp_lines(all_series: Iterable[TcpSeries]) -> Iterator[str]:
    labelled = [(label_text(TCP_LABELS, series.labels), series) for series in all_series]
    for metric, value in TCP_COUNTERS if labelled else ():
        yield _head(metric)
        for labels, series in labelled:
            yield sample_line(metric.name, labels, value(series))


def _own_lines(metrics: ProxyMetrics) -> Iterator[str]:
    for metric, value in tuple(metrics.samples()):
        yield _head(metric)
        yield sample_line(metric.name, "", value)


def _head(metric: Metric) -> str:
    return family_lines(metric.name, metric.kind, metric.help)
