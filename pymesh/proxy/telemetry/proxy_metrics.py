"""Counters and gauges of the proxy itself, without labels. Whoever owns a figure registers it under its Metric."""

from collections.abc import Callable, Iterator

from pymesh.proxy.telemetry.metric_names import Metric


class Counter:
    """Only goes up: `counter.value += 1`."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0


class ProxyMetrics:
    """Read at a scrape, so a gauge costs nothing until then."""

    def __init__(self) -> None:
        self._read: dict[Metric, Callable[[], float]] = {}
        self._counters: dict[Metric, Counter] = {}

    def counter(self, metric: Metric) -> Counter:
        """The counter of this name, the same one for everybody who asks."""
        counter = self._counters.get(metric)
        if counter is None:
            counter = self._counters[metric] = Counter()
            self._read[metric] = lambda: counter.value
        return counter

    def read(self, metric: Metric, value: Callable[[], float]) -> None:
        """Register a gauge, or a counter that somebody else keeps. A second call replaces the first."""
        self._read[metric] = value

    def samples(self) -> Iterator[tuple[Metric, float]]:
        for metric, value in self._read.items():
            yield metric, value()
