"""Which Telemetry a workload obeys: its own, its namespace's, the root namespace's, field by field."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from pymesh.control.model.resource import Resource
from pymesh.control.model.telemetry import Telemetry, Tracing
from pymesh.control.snapshot.access_logging import LogProviders, Mode, log_providers
from pymesh.control.snapshot.metric_settings import MetricSettings, metric_settings

_BOTH = "CLIENT_AND_SERVER"


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

    def sampling(self, namespace: str, labels: dict[str, str], mode: Mode, default: float) -> float:
        """Percent of the traces beginning at this workload whose spans are sent."""
        sampling, is_off = None, None
        for tracing in self._tracing(namespace, labels, mode):
            sampling = tracing.random_sampling_percentage if sampling is None else sampling
            is_off = tracing.disable_span_reporting if is_off is None else is_off
        if is_off:
            return 0.0
        return default if sampling is None else sampling

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

    def _tracing(self, namespace: str, labels: dict[str, str], mode: Mode) -> Iterator[Tracing]:
        """From the workload up to the mesh; of each the first entry that is for this direction of traffic."""
        for spec in self._applicable(namespace, labels):
            fitting = (one for one in spec.tracing if one.match is None or one.match.mode in (mode, _BOTH))
            yield from islice(fitting, 1)

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
