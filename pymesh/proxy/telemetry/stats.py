"""Istio's standard metrics: series of plain integers, found by a small key. No label text is made per request.

A series is found in two steps. A cache maps what a stream shows (cluster, peer, code, flags) to its series; on a miss
the label values are worked out and name the series. A cache is emptied when full; series are kept, and bounded.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from pymesh.proxy.telemetry.direction import INBOUND, Direction
from pymesh.proxy.telemetry.labels import LocalPeer, has_host_fallback, http_labels, overflow_labels, tcp_labels
from pymesh.proxy.telemetry.metric_names import (
    BUCKETS,
    HTTP_LABELS,
    REQUEST_BYTES,
    REQUEST_DURATION,
    RESPONSE_BYTES,
    TCP_CLOSED,
    TCP_LABELS,
    TCP_OPENED,
    TCP_RECEIVED_BYTES,
    TCP_SENT_BYTES,
    Metric,
)
from pymesh.proxy.telemetry.metric_series import MetricSeries
from pymesh.proxy.telemetry.stream_info import StreamInfo

MAX_SERIES = 2_000  # of each of the two kinds
MAX_CACHED = 4_096
_METRICS_PER_STREAM = 4


class HttpSeries:
    """Three histograms that share their label values; the number of requests is the number of durations.

    `*_counts` are one integer a bucket, not cumulative, the last one above every bound. Where a configuration leaves
    metrics out, some requests have no duration (`untimed`), or are no request of `istio_requests_total` (`uncounted`).
    """

    __slots__ = (
        "duration_counts",
        "duration_sum",
        "labels",
        "request_counts",
        "request_sum",
        "response_counts",
        "response_sum",
        "uncounted",
        "untimed",
    )

    def __init__(self, labels: tuple[str, ...]) -> None:
        self.labels = labels
        self.duration_counts = [0] * (len(BUCKETS) + 1)
        self.duration_sum = 0.0  # milliseconds
        self.request_counts = [0] * (len(BUCKETS) + 1)
        self.request_sum = 0  # bytes
        self.response_counts = [0] * (len(BUCKETS) + 1)
        self.response_sum = 0  # bytes
        self.untimed = 0
        self.uncounted = 0

    @property
    def requests(self) -> int:
        return sum(self.duration_counts) + self.untimed - self.uncounted


class TcpSeries:
    """`shown`: a bit for each of TCP_COUNTERS that is not left out by configuration."""

    __slots__ = ("closed", "labels", "opened", "received_bytes", "sent_bytes", "shown")

    def __init__(self, labels: tuple[str, ...], shown: int = 0) -> None:
        self.labels = labels
        self.shown = shown
        self.opened = 0
        self.closed = 0
        self.sent_bytes = 0
        self.received_bytes = 0


# Which metric shows which figures of a series.
HTTP_HISTOGRAMS: tuple[tuple[Metric, Callable[[HttpSeries], tuple[list[int], float]]], ...] = (
    (REQUEST_DURATION, lambda series: (series.duration_counts, series.duration_sum)),
    (REQUEST_BYTES, lambda series: (series.request_counts, series.request_sum)),
    (RESPONSE_BYTES, lambda series: (series.response_counts, series.response_sum)),
)
TCP_COUNTERS: tuple[tuple[Metric, Callable[[TcpSeries], int]], ...] = (
    (TCP_OPENED, lambda series: series.opened),
    (TCP_CLOSED, lambda series: series.closed),
    (TCP_SENT_BYTES, lambda series: series.sent_bytes),
    (TCP_RECEIVED_BYTES, lambda series: series.received_bytes),
)
ALL_SHOWN = (1 << len(TCP_COUNTERS)) - 1


def shown_counters(series: TcpSeries) -> Iterator[tuple[int, Metric, int]]:
    """Place among TCP_COUNTERS, metric, value."""
    for place, (metric, value) in enumerate(TCP_COUNTERS):
        if series.shown >> place & 1:
            yield place, metric, value(series)


class SeriesSource(Protocol):
    """What exposition and export read: Stats is one. A series is the same object each time."""

    @property
    def local(self) -> LocalPeer: ...

    def http_series(self) -> Iterable[HttpSeries]: ...

    def tcp_series(self) -> Iterable[TcpSeries]: ...

    def custom_series(self) -> Iterable[MetricSeries]:
        """Those whose label names are not the standard ones."""
        ...


class TcpConnectionCounts(Protocol):
    """A TCP connection that still lives, and its series."""

    def count(self, info: StreamInfo) -> None:
        """The bytes that are not counted yet."""

    def close(self) -> None:
        """The connection is over."""


class _OpenConnection:
    """In the standard series. Remembers how many of its bytes are counted already."""

    __slots__ = ("received", "sent", "series")

    def __init__(self, series: TcpSeries) -> None:
        self.series = series
        self.series.opened += 1
        self.sent = 0
        self.received = 0

    def count(self, info: StreamInfo) -> None:
        self.series.sent_bytes += info.bytes_sent - self.sent
        self.series.received_bytes += info.bytes_received - self.received
        self.sent, self.received = info.bytes_sent, info.bytes_received

    def close(self) -> None:
        self.series.closed += 1


class Stats:
    """`overflows` counts the streams that went to the catch-all series because MAX_SERIES were there."""

    def __init__(self, local: LocalPeer, max_series: int = MAX_SERIES) -> None:
        self.local = local
        self.overflows = 0
        self._max_series = max_series
        self._http: dict[tuple[str, ...], HttpSeries] = {}
        self._tcp: dict[tuple[str, ...], TcpSeries] = {}
        self._open: dict[StreamInfo, TcpConnectionCounts] = {}
        self._custom: dict[tuple[str, tuple[str, ...], tuple[str, ...]], MetricSeries] = {}
        # What a stream shows -> (its service, series). The service is compared by identity: a cluster keeps its name
        # when the service behind it gets another one.
        self._outbound: dict[Any, tuple[Any, HttpSeries]] = {}
        self._inbound: dict[Any, tuple[Any, HttpSeries]] = {}

    def on_request(self, info: StreamInfo, direction: Direction) -> None:
        key: Any
        if direction is INBOUND:
            cache = self._inbound
            key = (
                info.upstream_cluster,
                info.downstream_peer,
                info.downstream_principal,
                info.response_code,
                info.response_flags,
            )
        else:
            cache = self._outbound
            host = info.upstream_host
            key = (
                info.upstream_cluster,
                host.workload if host is not None else None,
                info.upstream_principal,
                info.response_code,
                info.response_flags,
            )
        if info.grpc_status is not None:
            key = (key, info.grpc_status)
        entry = cache.get(key)
        if entry is None or entry[0] is not info.service:
            entry = self._resolve(cache, key, info, direction)
        series = entry[1]
        duration = (info.end - info.start) * 1000.0
        series.duration_counts[bisect_left(BUCKETS, duration)] += 1
        series.duration_sum += duration
        if size := info.bytes_received:
            series.request_counts[bisect_left(BUCKETS, size)] += 1
            series.request_sum += size
        else:
            series.request_counts[0] += 1
        if size := info.bytes_sent:
            series.response_counts[bisect_left(BUCKETS, size)] += 1
            series.response_sum += size
        else:
            series.response_counts[0] += 1

    def on_tcp_open(self, info: StreamInfo, direction: Direction) -> None:
        labels = tcp_labels(info, direction, self.local)
        self.track(info, _OpenConnection(self.tcp_series_of(labels, direction, ALL_SHOWN)))

    def on_tcp_close(self, info: StreamInfo, direction: Direction) -> None:
        """A connection that was refused before it was ever open is opened and closed here, as Istio counts it."""
        if info not in self._open:
            self.on_tcp_open(info, direction)
        connection = self._open.pop(info)
        connection.count(info)
        connection.close()

    def track(self, info: StreamInfo, connection: TcpConnectionCounts) -> None:
        """Ask it for what has moved, whenever somebody reads, until the connection closes."""
        self._open[info] = connection

    def is_tracked(self, info: StreamInfo) -> bool:
        return info in self._open

    def http_series(self) -> Iterable[HttpSeries]:
        return self._http.values()

    def tcp_series(self) -> Iterable[TcpSeries]:
        """Counts what open connections have moved up to now first: a connection pool to a database never closes."""
        for info, connection in self._open.items():
            connection.count(info)
        return self._tcp.values()

    def custom_series(self) -> Iterable[MetricSeries]:
        return self._custom.values()

    @property
    def open_tcp_connections(self) -> int:
        return len(self._open)

    def _resolve(
        self, cache: dict[Any, tuple[Any, HttpSeries]], key: Any, info: StreamInfo, direction: Direction
    ) -> tuple[Any, HttpSeries]:
        entry = (info.service, self._http_series(info, direction))
        # The key does not hold the Host, of which there may be any number.
        if not has_host_fallback(info, direction, self.local):
            if len(cache) >= MAX_CACHED:
                cache.clear()
            cache[key] = entry
        return entry

    def _http_series(self, info: StreamInfo, direction: Direction) -> HttpSeries:
        return self.http_series_of(http_labels(info, direction, self.local), direction)

    def http_series_of(self, labels: tuple[str, ...], direction: Direction) -> HttpSeries:
        """`labels` in the order of HTTP_LABELS. The catch-all series, where there are too many."""
        series = self._http.get(labels)
        if series is None:
            if len(self._http) >= self._max_series:
                self.overflows += 1
                labels = overflow_labels(HTTP_LABELS, direction)
            series = self._http.setdefault(labels, HttpSeries(labels))
        return series

    def tcp_series_of(self, labels: tuple[str, ...], direction: Direction, shown: int) -> TcpSeries:
        """`labels` in the order of TCP_LABELS."""
        series = self._tcp.get(labels)
        if series is None:
            if len(self._tcp) >= self._max_series:
                self.overflows += 1
                labels = overflow_labels(TCP_LABELS, direction)
            series = self._tcp.setdefault(labels, TcpSeries(labels))
        series.shown |= shown
        return series

    def custom_series_of(
        self, metric: Metric, names: tuple[str, ...], values: tuple[str, ...], direction: Direction
    ) -> MetricSeries:
        key = (metric.name, names, values)
        series = self._custom.get(key)
        if series is None:
            if len(self._custom) >= self._max_series * _METRICS_PER_STREAM:
                self.overflows += 1
                values = overflow_labels(names, direction)
                key = (metric.name, names, values)
            series = self._custom.setdefault(key, MetricSeries(metric, names, values))
        return series
