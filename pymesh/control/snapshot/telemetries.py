"""Which Telemetry a workload obeys: its own, its namespace's, the root namespace's, field by field."""

from collections.abc import Callable

from pymesh.control.model.telemetry import Telemetry
from pymesh.control.snapshot.access_logging import LogProviders, Mode, log_providers
from pymesh.control.snapshot.metric_settings import MetricSettings, metric_settings
from pymesh.control.snapshot.tracing import TracingSpec, merge_tracing
from pymesh.control.snapshot.workload_levels import WorkloadLevels


class Telemetries(WorkloadLevels[Telemetry]):
    """Istio: applicableTelemetries in pilot/pkg/model/telemetry.go."""

    def tracing(self, namespace: str, labels: dict[str, str], mode: Mode, default: str | None) -> TracingSpec:
        """What holds of this workload's traces; `default` is the name of MeshConfig's provider."""
        levels = self.applicable(namespace, labels)
        return merge_tracing((entry for level in levels for entry in level.tracing), default, mode)

    def log_providers(
        self, namespace: str, labels: dict[str, str], mode: Mode, defaults: tuple[str, ...]
    ) -> LogProviders:
        """Who gets this workload's access logs; `defaults` are MeshConfig's."""
        return log_providers(self.applicable(namespace, labels), defaults, mode)

    def metric_settings(
        self,
        namespace: str,
        labels: dict[str, str],
        mode: Mode,
        defaults: tuple[str, ...],
        is_prometheus: Callable[[str], bool],
    ) -> MetricSettings:
        """What is changed of this workload's metrics; `defaults` are MeshConfig's providers."""
        return metric_settings(self.applicable(namespace, labels), defaults, mode, is_prometheus)
