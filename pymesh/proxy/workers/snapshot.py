"""What one worker has counted, as it is told to the supervisor."""

from pymesh.proxy.data_plane import DataPlane
from pymesh.proxy.telemetry.metric_series import MetricSeries
from pymesh.proxy.telemetry.stats import HttpSeries, TcpSeries
from pymesh.proxy.workers.messages import HttpCounts, MetricCounts, StatsSnapshot, TcpCounts


def take_snapshot(data_plane: DataPlane) -> StatsSnapshot:
    return StatsSnapshot(
        [_http_counts(series) for series in data_plane.stats.http_series()],
        [_tcp_counts(series) for series in data_plane.stats.tcp_series()],
        list(data_plane.metrics.samples()),
        [_custom_counts(series) for series in data_plane.stats.custom_series()],
    )


def _http_counts(series: HttpSeries) -> HttpCounts:
    return HttpCounts(
        series.labels,
        series.duration_counts,
        series.duration_sum,
        series.request_counts,
        series.request_sum,
        series.response_counts,
        series.response_sum,
        series.untimed,
        series.uncounted,
    )


def _tcp_counts(series: TcpSeries) -> TcpCounts:
    return TcpCounts(
        series.labels, series.opened, series.closed, series.sent_bytes, series.received_bytes, series.shown
    )


def _custom_counts(series: MetricSeries) -> MetricCounts:
    return MetricCounts(series.metric, series.names, series.values, series.counts, series.total)
