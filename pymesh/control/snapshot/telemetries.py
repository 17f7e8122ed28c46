"""Which Telemetry a workload obeys: its own, its namespace's, the root namespace's, field by field."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from pymesh.control.model.resource import Resource
from pymesh.control.model.telemetry import Telemetry
from pymesh.control.snapshot.access_logging import LogProviders, Mode, log_providers
from pymesh.control.snapshot.metric_settings import MetricSettings, metric_settings
from pymesh.control.snapshot.tracing import TracingSpec, merge_tracing


class Telemetries:
    """Of each level the oldest one counts. Istio: applicableTelemetries in pilot/pkg/model/telemetry.go."""

    def __init__(self, resources: Iterable[Resource[Telemetry]], root_namespace: str) -> None:
        """`resources` come oldest first."""
        self._root = root_namespace
        self._by_namespace: dict[str, list[Telemetry]] = {}
        for resource in resources:
            self._by_namespace.setdefault(resource.namespace, []).append(resource.spec)

    def label_keys(self) -> Iterator[str]:
        """The labels of a workload on which some Telemetry depends."""
        for specs in self._by_namespace.values():
            for spec in specs:
                yield from _selector(spec)

    def tracing(self, namespace: str, labels: dict[str, str], mode: Mode, default: str | None) -> TracingSpec:
        """What holds of this workload's traces; `default` is the name of MeshConfig's provider."""
        levels = [*self._applicable(namespace, labels)][::-1]
        return merge_tracing((entry for level in levels for entry in level.tracing), default, mode)

    def log_providers(
        self, namespace: str, labels: dict[str, str], mode: Mode, defaults: tuple[str, ...]
    ) -> LogProviders:
        """Who gets this workload's access logs; `defaults` are MeshConfig's."""
        return log_providers([*self._applicable(namespace, labels)][::-1], defaults, mode)

    def metric_settings(
        self,
        namespace: str,
        labels: dict[str, str],
        mode: Mode,
        defaults: tuple[str, ...],
        is_prometheus: Callable[[str], bool],
    ) -> MetricSettings:
        """What is changed of this workload's metrics; `defaults` are MeshConfig's providers."""
        return metric_settings([*self._applicable(namespace, labels)][::-1], defaults, mode, is_prometheus)

    def _applicable(self, namespace: str, labels: dict[str, str]) -> Iterator[Telemetry]:
        own = self._by_namespace.get(namespace, [])
        root = self._by_namespace.get(self._root, []) if namespace != self._root else []
        levels = (
            (spec for spec in own if _selector(spec) and _selector(spec).items() <= labels.items()),
            (spec for spec in own if not _selector(spec)),
            (spec for spec in root if not _selector(spec)),
        )
        for level in levels:
            yield from islice(level, 1)


def _selector(spec: Telemetry) -> dict[str, str]:
    return spec.selector.match_labels if spec.selector is not None else {}
