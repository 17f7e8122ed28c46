"""Istio's standard metrics as a StatsConfig changes them: left out, with fewer labels, or with other values.

What keeps the names of the standard labels is counted in the standard series of Stats, anything else in series of its
own, so that no two have the same labels. Plans are made once for a configuration, and who adds to what once for the
labels of a stream.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from pymesh.cel import METRIC_ATTRIBUTES
from pymesh.proxy.telemetry.attributes import compile_value
from pymesh.proxy.telemetry.direction import INBOUND, Direction
from pymesh.proxy.telemetry.labels import UNKNOWN, has_host_fallback, http_labels, tcp_labels
from pymesh.proxy.telemetry.metric_names import (
    HTTP_LABELS,
    REQUEST_BYTES,
    REQUEST_DURATION,
    REQUESTS_TOTAL,
    RESPONSE_BYTES,
    TCP_LABELS,
    Metric,
)
from pymesh.proxy.telemetry.series_adders import Add, custom_adder, http_adder, tcp_adder
from pymesh.proxy.telemetry.stats import MAX_CACHED, TCP_COUNTERS, Stats
from pymesh.proxy.telemetry.stats_config import MetricConfig, StatsConfig
from pymesh.proxy.telemetry.stream_info import StreamInfo

Labels = tuple[str, ...]

_HTTP_FIGURES: tuple[tuple[Metric, Callable[[StreamInfo], float]], ...] = (
    (REQUESTS_TOTAL, lambda info: 1),
    (REQUEST_DURATION, lambda info: (info.end - info.start) * 1000.0),
    (REQUEST_BYTES, lambda info: info.bytes_received),
    (RESPONSE_BYTES, lambda info: info.bytes_sent),
)
_BAD_CHARACTER = re.compile(r"[^a-zA-Z0-9_]")
_LONGEST_VALUE = 255


class _Plan(NamedTuple):
    """How a metric's labels come from the standard ones and, behind them, the values of the expressions."""

    metric: Metric
    names: Labels
    places: tuple[int, ...]

    def values(self, found: Labels) -> Labels:
        return tuple(found[place] for place in self.places)


class OverriddenStats:
    """Counts what Stats would count, and in `stats`."""

    def __init__(self, config: StatsConfig, stats: Stats) -> None:
        self._stats = stats
        texts = tuple(dict.fromkeys(text for metric in config.metrics for _, text in metric.dimensions))
        self._expressions = tuple(compile_value(text, METRIC_ATTRIBUTES) for text in texts)
        http, tcp = _Planner(config, HTTP_LABELS, texts), _Planner(config, TCP_LABELS, texts)
        self._http = tuple((http.plan(metric), read) for metric, read in _HTTP_FIGURES)
        self._tcp = tuple(tcp.plan(metric) for metric, _ in TCP_COUNTERS)
        # What a stream shows -> its service and standard labels; those and the expressions' values -> who adds what.
        self._labels: dict[Any, tuple[Any, Labels]] = {}
        self._adders: dict[Labels, tuple[tuple[Add, Callable[[StreamInfo], float]], ...]] = {}

    def on_request(self, info: StreamInfo, direction: Direction) -> None:
        found = self._http_labels(info, direction) + self._values(info)
        adders = self._adders.get(found)
        if adders is None:
            if len(self._adders) >= MAX_CACHED:
                self._adders.clear()
            adders = self._adders[found] = tuple(
                (self._http_adder(plan, found, direction), read) for plan, read in self._http if plan is not None
            )
        for add, read in adders:
            add(read(info))

    def on_tcp_open(self, info: StreamInfo, direction: Direction) -> None:
        """As in Istio's filter, expressions are evaluated once for a connection."""
        found = tcp_labels(info, direction, self._stats.local) + self._values(info)
        self._stats.track(info, _OpenConnection([self._tcp_adder(plan, found, direction) for plan in self._tcp]))

    def on_tcp_close(self, info: StreamInfo, direction: Direction) -> None:
        if not self._stats.is_tracked(info):
            self.on_tcp_open(info, direction)
        self._stats.on_tcp_close(info, direction)

    def _values(self, info: StreamInfo) -> Labels:
        return tuple(_text(read(info)) for read in self._expressions)

    def _http_labels(self, info: StreamInfo, direction: Direction) -> Labels:
        """The standard ones, kept as Stats keeps its series."""
        key = _stream_key(info, direction)
        entry = self._labels.get(key)
        if entry is None or entry[0] is not info.service:
            entry = (info.service, http_labels(info, direction, self._stats.local))
            if not has_host_fallback(info, direction, self._stats.local):
                if len(self._labels) >= MAX_CACHED:
                    self._labels.clear()
                self._labels[key] = entry
        return entry[1]

    def _http_adder(self, plan: _Plan, found: Labels, direction: Direction) -> Add:
        values = plan.values(found)
        if plan.names == HTTP_LABELS:
            return http_adder(plan.metric, self._stats.http_series_of(values, direction))
        return custom_adder(self._stats.custom_series_of(plan.metric, plan.names, values, direction))

    def _tcp_adder(self, plan: _Plan | None, found: Labels, direction: Direction) -> Add:
        if plan is None:
            return _nothing
        values = plan.values(found)
        if plan.names == TCP_LABELS:
            return tcp_adder(plan.metric, self._stats, values, direction)
        return custom_adder(self._stats.custom_series_of(plan.metric, plan.names, values, direction))


class _OpenConnection:
    """A TCP connection that still lives: who adds what, in the order of TCP_COUNTERS."""

    __slots__ = ("_add_closed", "_add_received", "_add_sent", "_received", "_sent")

    def __init__(self, adders: list[Add]) -> None:
        add_opened, self._add_closed, self._add_sent, self._add_received = adders
        add_opened(1)
        self._sent = 0
        self._received = 0

    def count(self, info: StreamInfo) -> None:
        self._add_sent(info.bytes_sent - self._sent)
        self._add_received(info.bytes_received - self._received)
        self._sent, self._received = info.bytes_sent, info.bytes_received

    def close(self) -> None:
        self._add_closed(1)


class _Planner:
    """Makes the plans of metrics that have the labels `names` where nothing changes them."""

    def __init__(self, config: StatsConfig, names: Labels, expressions: tuple[str, ...]) -> None:
        self._config = config
        self._names = names
        self._place = {text: len(names) + number for number, text in enumerate(expressions)}

    def plan(self, metric: Metric) -> _Plan | None:
        """None for a metric that is left out. What the configuration says later holds."""
        fitting = [one for one in self._config.metrics if not one.name or f"istio_{one.name}" == metric.name]
        if any(one.is_dropped for one in fitting):
            return None
        places: dict[str, int | None] = {name: place for place, name in enumerate(self._names)}
        for one in fitting:
            self._change(places, one)
        kept = {_BAD_CHARACTER.sub("_", name): place for name, place in places.items() if place is not None}
        return _Plan(metric, tuple(kept), tuple(kept.values()))

    def _change(self, places: dict[str, int | None], config: MetricConfig) -> None:
        """A label that a standard metric of the other protocol has is none of this one's."""
        for tag in config.tags_to_remove:
            if tag in places:
                places[tag] = None
        for tag, text in config.dimensions:
            if tag in self._names or tag not in HTTP_LABELS:
                places[tag] = self._place[text]


def _stream_key(info: StreamInfo, direction: Direction) -> Any:
    """All that the standard labels depend on, but for the service."""
    if direction is INBOUND:
        peer, principal = info.downstream_peer, info.downstream_principal
    else:
        peer = info.upstream_host.workload if info.upstream_host is not None else None
        principal = info.upstream_principal
    return info.upstream_cluster, peer, principal, info.response_code, info.response_flags, info.grpc_status


def _text(value: Any) -> str:
    """As Envoy prints a value; what cannot be told is unknown."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)[:_LONGEST_VALUE]
    return value.decode("utf-8", "replace")[:_LONGEST_VALUE] if isinstance(value, bytes) else UNKNOWN


def _nothing(value: float) -> None:
    """Of a metric that is left out."""
