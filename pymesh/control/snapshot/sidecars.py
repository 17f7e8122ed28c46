"""Which Sidecar a workload obeys: one that selects it, its namespace's, the root namespace's."""

from collections.abc import Iterable

from pymesh.control.model.resource import Resource
from pymesh.control.model.sidecar import Sidecar

SidecarResource = Resource[Sidecar]


class Sidecars:
    """Of several candidates the oldest one. Istio: addSidecarScopes in pilot/pkg/model/push_context.go."""

    def __init__(self, resources: Iterable[SidecarResource], root_namespace: str) -> None:
        """`resources` come oldest first."""
        self._root = root_namespace
        self._selecting: dict[str, list[SidecarResource]] = {}
        self._of_namespace: dict[str, SidecarResource] = {}
        for resource in resources:
            if _selector(resource):
                self._selecting.setdefault(resource.namespace, []).append(resource)
            else:
                self._of_namespace.setdefault(resource.namespace, resource)

    def find(self, namespace: str, labels: dict[str, str]) -> SidecarResource | None:
        """None: the workload sees all that is exported to it."""
        for resource in self._selecting.get(namespace, ()):
            if _selector(resource).items() <= labels.items():
                return resource
        return self._of_namespace.get(namespace) or self._of_namespace.get(self._root)


def _selector(resource: SidecarResource) -> dict[str, str]:
    selector = resource.spec.workload_selector
    return selector.labels if selector is not None else {}
