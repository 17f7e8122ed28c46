"""Objects that say something to workloads at three levels: the mesh, a namespace, and the workloads of a selector."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Generic, TypeVar

from pymesh.control.model.proxy_config import ProxyConfig
from pymesh.control.model.resource import Resource
from pymesh.control.model.telemetry import Telemetry

Spec = TypeVar("Spec", ProxyConfig, Telemetry)


class WorkloadLevels(Generic[Spec]):
    """Of each level the oldest object counts. A selector of the root namespace chooses workloads of that namespace."""

    def __init__(self, resources: Iterable[Resource[Spec]], root_namespace: str) -> None:
        """`resources` come oldest first."""
        self._root = root_namespace
        self._by_namespace: dict[str, list[Spec]] = {}
        for resource in resources:
            self._by_namespace.setdefault(resource.namespace, []).append(resource.spec)

    def label_keys(self) -> Iterator[str]:
        """The labels of a workload on which some object depends."""
        for specs in self._by_namespace.values():
            for spec in specs:
                yield from _selector(spec)

    def applicable(self, namespace: str, labels: dict[str, str]) -> list[Spec]:
        """From the mesh down to the workload."""
        own = self._by_namespace.get(namespace, [])
        root = self._by_namespace.get(self._root, []) if namespace != self._root else []
        levels = (
            (spec for spec in root if not _selector(spec)),
            (spec for spec in own if not _selector(spec)),
            (spec for spec in own if _selector(spec) and _selector(spec).items() <= labels.items()),
        )
        return [spec for level in levels for spec in islice(level, 1)]


def _selector(spec: ProxyConfig | Telemetry) -> dict[str, str]:
    return spec.selector.match_labels if spec.selector is not None else {}
