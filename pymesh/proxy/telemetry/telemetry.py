"""The facade: what the data plane tells of a finished stream, and who hears of it."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from pymesh.names import INBOUND_PASSTHROUGH_CLUSTER
from pymesh.proxy.telemetry.direction import INBOUND, OUTBOUND, Direction
from pymesh.proxy.telemetry.exposition import expose
from pymesh.proxy.telemetry.labels import LocalPeer
from pymesh.proxy.telemetry.metric_names import ACCESS_LOG_DROPPED, SERIES_OVERFLOW, SPANS_DROPPED
from pymesh.proxy.telemetry.process_metrics import register_process_metrics
from pymesh.proxy.telemetry.proxy_metrics import ProxyMetrics
from pymesh.proxy.telemetry.stats import Stats
from pymesh.proxy.telemetry.stats_config import StatsConfig
from pymesh.proxy.telemetry.stream_info import StreamInfo
from pymesh.proxy.telemetry.workload import UNKNOWN_WORKLOAD, Workload


class Log(Protocol):
    """AccessLog is one. `dropped` counts lines that were not written."""

    @property
    def dropped(self) -> int: ...

    def log(self, info: StreamInfo) -> None: ...


OnComplete = Callable[[StreamInfo, Direction], None]


class StreamCounts(Protocol):
    """Stats is one, and OverriddenStats."""

    def on_request(self, info: StreamInfo, direction: Direction) -> None: ...

    def on_tcp_open(self, info: StreamInfo, direction: Direction) -> None: ...

    def on_tcp_close(self, info: StreamInfo, direction: Direction) -> None: ...


class Spans(Protocol):
    """SpanExporter is one. `dropped` counts spans that never arrived."""

    @property
    def dropped(self) -> int: ...

    def on_span(self, info: StreamInfo, direction: Direction) -> None: ...


class Telemetry:
    """Every stream passes here once, when it is complete and its StreamInfo will not change any more.

    Without arguments it counts only, and knows nothing of its own workload: enough for tests.
    """

    def __init__(
        self,
        workload: Workload = UNKNOWN_WORKLOAD,
        *,
        principal: str = "",
        is_gateway: bool = False,
        access_log: Log | None = None,
        spans: Spans | None = None,
    ) -> None:
        self.stats = Stats(LocalPeer(workload, principal, is_gateway))
        self.metrics = ProxyMetrics()
        self._access_log = access_log
        self._spans = spans
        self._register()

    def on_request(self, info: StreamInfo, direction: Direction) -> None:
        """An HTTP stream is complete; `info.end` is set."""
        self.stats.on_request(info, direction)
        if info.sampled and self._spans is not None:
            self._spans.on_span(info, direction)
        if self._access_log is not None:
            self._access_log.log(info)

    def build_counts(self, config: StatsConfig | None) -> StreamCounts | None:
        """What counts as this configuration says; None where it says nothing."""
        if config is None:
            return None
        from pymesh.proxy.telemetry.overridden_stats import OverriddenStats  # which most proxies never need

        return OverriddenStats(config, self.stats)

    def on_complete(
        self, logs: Sequence[Log] = (), counts: StreamCounts | None = None, spans: Spans | None = None
    ) -> OnComplete:
        """`on_request` that writes to these access logs, too, counts so and tells those of spans. Without any it costs
        nothing more."""
        is_plain = counts is None and spans is None
        on_request = self.on_request if is_plain else self._telling(counts or self.stats, spans or self._spans)
        if not logs:
            return on_request
        writes = tuple(log.log for log in logs)

        def on_logged_request(info: StreamInfo, direction: Direction) -> None:
            on_request(info, direction)
            for write in writes:
                write(info)

        return on_logged_request

    def _telling(self, counts: StreamCounts, spans: Spans | None) -> OnComplete:
        count = counts.on_request

        def on_request(info: StreamInfo, direction: Direction) -> None:
            count(info, direction)
            if info.sampled and spans is not None:
                spans.on_span(info, direction)
            if self._access_log is not None:
                self._access_log.log(info)

        return on_request

    def on_tcp_open(
        self, info: StreamInfo, direction: Direction | None = None, counts: StreamCounts | None = None
    ) -> None:
        """A TCP connection has its upstream; the fields that are labels are filled."""
        (counts or self.stats).on_tcp_open(info, direction or _direction_of(info))

    def on_tcp_close(
        self, info: StreamInfo, direction: Direction | None = None, counts: StreamCounts | None = None
    ) -> None:
        """Also for a connection that never got an upstream."""
        (counts or self.stats).on_tcp_close(info, direction or _direction_of(info))
        if self._access_log is not None:
            self._access_log.log(info)

    def expose(self) -> Iterator[bytes]:
        """The body of `/stats/prometheus`, in pieces."""
        return expose(self.stats, self.metrics)

    def _register(self) -> None:
        register_process_metrics(self.metrics)
        self.metrics.read(SERIES_OVERFLOW, lambda: self.stats.overflows)
        if self._access_log is not None:
            access_log = self._access_log
            self.metrics.read(ACCESS_LOG_DROPPED, lambda: access_log.dropped)
        if self._spans is not None:
            spans = self._spans
            self.metrics.read(SPANS_DROPPED, lambda: spans.dropped)


def _direction_of(info: StreamInfo) -> Direction:
    cluster = info.upstream_cluster
    is_inbound = cluster.startswith("inbound|") or cluster == INBOUND_PASSTHROUGH_CLUSTER
    return INBOUND if is_inbound else OUTBOUND


__all__ = ["INBOUND", "OUTBOUND", "Direction", "Telemetry"]
