"""One metric with label names of its own: what configuration makes of the standard metrics. Only counted here."""

from bisect import bisect_left

from pymesh.proxy.telemetry.metric_names import BUCKETS, HISTOGRAM, Metric


class MetricSeries:
    """`counts` of a histogram are one integer a bucket, not cumulative; a counter has none. `total` is its sum."""

    __slots__ = ("counts", "metric", "names", "total", "values")

    def __init__(self, metric: Metric, names: tuple[str, ...], values: tuple[str, ...]) -> None:
        self.metric = metric
        self.names = names
        self.values = values
        self.counts = [0] * (len(BUCKETS) + 1) if metric.kind == HISTOGRAM else []
        self.total: float = 0

    def add(self, value: float) -> None:
        """Of a counter."""
        self.total += value

    def observe(self, value: float) -> None:
        """Of a histogram."""
        self.counts[bisect_left(BUCKETS, value)] += 1
        self.total += value
