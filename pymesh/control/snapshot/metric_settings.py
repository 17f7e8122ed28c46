"""What Telemetries change of a workload's metrics, merged level by level.

Istio: mergeMetrics in pilot/pkg/model/telemetry.go.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pymesh.control.model.telemetry import Metrics, MetricSelector, MetricsOverrides, Telemetry
from pymesh.control.snapshot.access_logging import Mode

# Istio's names of the standard metrics, and Prometheus' without `istio_`.
METRIC_NAMES = {
    "REQUEST_COUNT": "requests_total",
    "REQUEST_DURATION": "request_duration_milliseconds",
    "REQUEST_SIZE": "request_bytes",
    "RESPONSE_SIZE": "response_bytes",
    "TCP_OPENED_CONNECTIONS": "tcp_connections_opened_total",
    "TCP_CLOSED_CONNECTIONS": "tcp_connections_closed_total",
    "TCP_SENT_BYTES": "tcp_sent_bytes_total",
    "TCP_RECEIVED_BYTES": "tcp_received_bytes_total",
    "GRPC_REQUEST_MESSAGES": "request_messages_total",
    "GRPC_RESPONSE_MESSAGES": "response_messages_total",
}
_ALL = "ALL_METRICS"


class MetricOverride(NamedTuple):
    """`name` as Prometheus has it, without `istio_`. `tags`: label and expression, None for one that is removed."""

    name: str
    is_disabled: bool = False
    tags: tuple[tuple[str, str | None], ...] = ()


class MetricSettings(NamedTuple):
    """Of one direction of traffic. `is_disabled`: nothing is counted at all."""

    overrides: tuple[MetricOverride, ...] = ()
    is_disabled: bool = False
    reporting_interval: str = ""


@dataclass(slots=True)
class _Override:
    is_disabled: bool = False
    tags: dict[str, str | None] = field(default_factory=dict)


@dataclass(slots=True)
class _Provider:
    """What is said of one so far. `is_off`: all of its metrics, until a lower level says something of one."""

    overrides: dict[str, _Override] = field(default_factory=dict)
    is_off: bool = False
    reporting_interval: str = ""

    def obey(self, override: MetricsOverrides) -> None:
        names = _names(override.match)
        if override.disabled and names == tuple(METRIC_NAMES.values()):
            self.is_off = True
            return
        self.is_off = False
        for name in names:
            known = self.overrides.setdefault(name, _Override())
            if override.disabled is not None:
                known.is_disabled = override.disabled
            for tag, change in override.tag_overrides.items():
                known.tags[tag] = change.value if change.operation == "UPSERT" else None

    def settings(self) -> MetricSettings:
        found = sorted(self.overrides.items())
        overrides = (MetricOverride(name, one.is_disabled, tuple(sorted(one.tags.items()))) for name, one in found)
        return MetricSettings(() if self.is_off else tuple(overrides), self.is_off, self.reporting_interval)


def metric_settings(
    levels: Sequence[Telemetry], defaults: tuple[str, ...], mode: Mode, is_prometheus: Callable[[str], bool]
) -> MetricSettings:
    """`levels` from the mesh down to the workload; `defaults` are MeshConfig's providers. The last entry that names
    providers says which there may be; without one that is Prometheus, nothing is counted."""
    entries = [entry for level in levels for entry in level.metrics]
    in_scope = next((names for entry in reversed(entries) if (names := _providers(entry))), defaults)
    providers = {name: _Provider() for name in in_scope if is_prometheus(name)}
    names = defaults
    for entry in entries:
        names = _providers(entry) or names
        for provider in (providers[name] for name in names if name in providers):
            provider.reporting_interval = entry.reporting_interval or provider.reporting_interval
            for override in _of_mode(entry, mode):
                provider.obey(override)
    return providers[min(providers)].settings() if providers else MetricSettings(is_disabled=True)


def _providers(entry: Metrics) -> tuple[str, ...]:
    return tuple(provider.name for provider in entry.providers)


def _of_mode(entry: Metrics, mode: Mode) -> Iterator[MetricsOverrides]:
    for override in entry.overrides:
        if override.match is None or override.match.mode in (mode, "CLIENT_AND_SERVER"):
            yield override


def _names(match: MetricSelector | None) -> tuple[str, ...]:
    if match is not None and match.custom_metric is not None:
        return (match.custom_metric,)
    if match is None or match.metric is None or match.metric == _ALL:
        return tuple(METRIC_NAMES.values())
    return (METRIC_NAMES[match.metric],)
