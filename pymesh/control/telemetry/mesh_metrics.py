"""Istio's metrics of the whole mesh: what every proxy has counted, added up over all proxies and all their runs.

A proxy reports totals since its start. The mesh's total of a series grows by what such a report has more than the last
one of the same run; so a report that comes twice counts once, a restarted proxy begins at zero and the mesh's total
goes on, and a proxy that is gone leaves behind what it counted. Pure: time is an argument.
"""

import re
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from pymesh import otlp
from pymesh.control.telemetry.attributes import attribute_texts
from pymesh.prometheus import bound_texts, family_lines, histogram_lines, label_text, sample_line

MAX_SERIES = 50_000
MAX_INSTANCES = 5_000
IDLE_SECONDS = 600.0  # after which an instance's last report is forgotten
_MAX_FORGOTTEN = 20_000

_NAME = re.compile(r"istio_[a-z0-9_]{1,100}")
_BAD_LABEL_CHARACTER = re.compile(r"[^a-zA-Z0-9_]")

Values = tuple[float, ...]  # of a counter its value; of a histogram its sum and then one count a bucket


class _Family:
    """A metric. `bounds` is None for a counter."""

    __slots__ = ("bounds", "description", "name", "series")

    def __init__(self, name: str, description: str, bounds: tuple[float, ...] | None) -> None:
        self.name = name
        self.description = description
        self.bounds = bounds
        self.series: dict[str, Values] = {}  # by label text

    def lines(self) -> Iterator[str]:
        if self.bounds is None:
            yield family_lines(self.name, "counter", self.description)
            for labels, (value,) in self.series.items():
                yield sample_line(self.name, labels, value)
            return
        yield family_lines(self.name, "histogram", self.description)
        bounds = bound_texts(self.bounds)
        for labels, (total, *counts) in self.series.items():
            yield from histogram_lines(self.name, labels, bounds, [int(count) for count in counts], total)


class _Point:
    """A data point of a report: of which series, since when, and its values."""

    __slots__ = ("family", "labels", "start", "values")

    def __init__(self, family: _Family, labels: str, start: int, values: Values) -> None:
        self.family = family
        self.labels = labels
        self.start = start
        self.values = values


class _Instance:
    """What one proxy reported last."""

    __slots__ = ("points", "seen")

    def __init__(self) -> None:
        self.seen = 0.0
        self.points: dict[tuple[str, str], _Point] = {}

    @property
    def start(self) -> int:
        return max((point.start for point in self.points.values()), default=0)


class MeshMetrics:
    """`rejected` counts data points that were not taken: a foreign name, too many series, not cumulative."""

    def __init__(self, max_series: int = MAX_SERIES, max_instances: int = MAX_INSTANCES) -> None:
        self.rejected = 0
        self._max_series = max_series
        self._max_instances = max_instances
        self._number_of_series = 0
        self._families: dict[str, _Family] = {}
        self._instances: OrderedDict[str, _Instance] = OrderedDict()  # the longest silent first
        # Of instances that were silent for too long: the start of the last run that is in the totals already.
        self._forgotten: OrderedDict[str, int] = OrderedDict()

    @property
    def instances(self) -> int:
        return len(self._instances)

    def add(self, request: Any, now: float) -> int:
        """Take an otlp.ExportMetricsServiceRequest; how many of its data points were rejected."""
        before = self.rejected
        for resource_metrics in request.resource_metrics:
            name = attribute_texts(resource_metrics.resource.attributes).get("service.instance.id", "")
            metrics = [metric for scope in resource_metrics.scope_metrics for metric in scope.metrics]
            if name:
                self._add_report(name, metrics, now)
            else:
                self.rejected += sum(len(_data_points(metric)) for metric in metrics)
        self._forget_silent(now)
        return self.rejected - before

    def lines(self) -> Iterator[str]:
        """In Prometheus' text format."""
        for family in self._families.values():
            yield from family.lines()

    def _add_report(self, name: str, metrics: list[Any], now: float) -> None:
        instance = self._instances.setdefault(name, _Instance())
        self._instances.move_to_end(name)
        instance.seen = now
        counted_start = self._forgotten.pop(name, 0)
        for metric in metrics:
            for point in self._points(metric):
                self._count(instance, point, counted_start)

    def _count(self, instance: _Instance, point: _Point, counted_start: int) -> None:
        key = (point.family.name, point.labels)
        last = instance.points.get(key)
        if last is not None and point.start < last.start:
            return  # a late report of an earlier run
        instance.points[key] = point
        if last is None and point.start <= counted_start:
            return  # heard of again after it was forgotten: what it has so far is in the totals
        is_same_run = last is not None and last.start == point.start
        previous = last.values if last is not None and is_same_run else (0.0,) * len(point.values)
        total = point.family.series[point.labels]
        point.family.series[point.labels] = tuple(
            old + max(0, new - before) for old, new, before in zip(total, point.values, previous, strict=True)
        )

    def _points(self, metric: Any) -> Iterator[_Point]:
        """Those data points that can be counted; the others go to `rejected`."""
        for data_point in _data_points(metric):
            point = self._point(metric, data_point)
            if point is None:
                self.rejected += 1
            else:
                yield point

    def _point(self, metric: Any, data_point: Any) -> _Point | None:
        kind = metric.WhichOneof("value")
        if kind not in ("sum", "histogram") or not _is_cumulative(getattr(metric, kind), kind):
            return None
        bounds = tuple(data_point.explicit_bounds) if kind == "histogram" else None
        values = _histogram_values(data_point) if kind == "histogram" else _counter_values(data_point)
        family = self._family(metric, bounds)
        labels = _labels(data_point)
        if family is None or values is None or not self._has_series(family, labels, len(values)):
            return None
        return _Point(family, labels, data_point.start_time_unix_nano, values)

    def _family(self, metric: Any, bounds: tuple[float, ...] | None) -> _Family | None:
        family = self._families.get(metric.name)
        if family is None and _NAME.fullmatch(metric.name):
            family = self._families[metric.name] = _Family(metric.name, metric.description[:200], bounds)
        return family if family is not None and family.bounds == bounds else None

    def _has_series(self, family: _Family, labels: str, width: int) -> bool:
        if labels not in family.series:
            if self._number_of_series >= self._max_series:
                return False
            self._number_of_series += 1
            family.series[labels] = (0.0,) * width
        return True

    def _forget_silent(self, now: float) -> None:
        while self._instances:
            name, instance = next(iter(self._instances.items()))
            if now - instance.seen < IDLE_SECONDS and len(self._instances) <= self._max_instances:
                return
            del self._instances[name]
            self._forgotten[name] = instance.start
            if len(self._forgotten) > _MAX_FORGOTTEN:
                self._forgotten.popitem(last=False)


def _data_points(metric: Any) -> Any:
    kind = metric.WhichOneof("value")
    return getattr(metric, kind).data_points if kind is not None else ()


def _is_cumulative(data: Any, kind: str) -> bool:
    is_cumulative = data.aggregation_temporality == otlp.AGGREGATION_TEMPORALITY_CUMULATIVE
    return is_cumulative and (kind == "histogram" or data.is_monotonic)


def _counter_values(point: Any) -> Values | None:
    kind = point.WhichOneof("value")
    value = getattr(point, kind) if kind is not None else -1
    return (value,) if value >= 0 else None


def _histogram_values(point: Any) -> Values | None:
    counts = tuple(point.bucket_counts)
    return (point.sum, *counts) if len(counts) == len(point.explicit_bounds) + 1 else None


def _labels(point: Any) -> str:
    """The same text for the same labels, in whatever order they came."""
    pairs = sorted(attribute_texts(point.attributes).items())
    return label_text([_BAD_LABEL_CHARACTER.sub("_", name) for name, _ in pairs], [value for _, value in pairs])
