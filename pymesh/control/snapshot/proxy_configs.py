"""What ProxyConfigs say to a workload: its own, its namespace's, the root namespace's, field by field."""

from collections.abc import Iterable, Iterator

from pymesh.control.model.proxy_config import ProxyConfig
from pymesh.control.model.resource import Resource


class ProxyConfigs:
    """Of each level the oldest one counts. Istio: EffectiveProxyConfig in pilot/pkg/model/proxy_config.go."""

    def __init__(self, resources: Iterable[Resource[ProxyConfig]], root_namespace: str) -> None:
        """`resources` come oldest first."""
        self._root = root_namespace
        self._by_namespace: dict[str, list[ProxyConfig]] = {}
        for resource in resources:
            self._by_namespace.setdefault(resource.namespace, []).append(resource.spec)

    def label_keys(self) -> Iterator[str]:
        """The labels of a workload on which some ProxyConfig depends."""
        for specs in self._by_namespace.values():
            for spec in specs:
                yield from _selector(spec)

    def environment(self, namespace: str, labels: dict[str, str]) -> dict[str, str]:
        """The variables of the mesh, the namespace and the workload; the nearer one of a name counts."""
        found: dict[str, str] = {}
        for spec in self._applicable(namespace, labels):
            found |= spec.environment_variables
        return found

    def _applicable(self, namespace: str, labels: dict[str, str]) -> Iterator[ProxyConfig]:
        """From the mesh down to the workload."""
        own = self._by_namespace.get(namespace, [])
        root = self._by_namespace.get(self._root, []) if namespace != self._root else []
        levels = (
            (spec for spec in root if not _selector(spec)),
            (spec for spec in own if not _selector(spec)),
            (spec for spec in own if _selector(spec) and _selector(spec).items() <= labels.items()),
        )
        for level in levels:
            oldest = next(level, None)
            if oldest is not None:
                yield oldest


def _selector(spec: ProxyConfig) -> dict[str, str]:
    return spec.selector.match_labels if spec.selector is not None else {}
