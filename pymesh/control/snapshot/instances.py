"""All instances of the mesh, found by the labels that a selector asks for."""

from collections.abc import Iterable

from pymesh.control.snapshot.instance import Instance


class Instances:
    """Indexed by namespace and label, so that a selector looks only at those that have its rarest label."""

    def __init__(self, instances: Iterable[Instance]) -> None:
        self._by_label: dict[tuple[str, str, str], list[Instance]] = {}
        self._by_namespace: dict[str, list[Instance]] = {}
        self._by_service: dict[tuple[str, str], list[Instance]] = {}
        for instance in instances:
            self._add(instance)

    def select(self, namespace: str, selector: dict[str, str]) -> list[Instance]:
        """Those of the namespace with all these labels; an empty selector selects nothing."""
        if not selector:
            return []
        rarest = min((self._by_label.get((namespace, *item), []) for item in selector.items()), key=len)
        return [instance for instance in rarest if selector.items() <= instance.labels.items()]

    def in_namespace(self, namespace: str) -> list[Instance]:
        return list(self._by_namespace.get(namespace, ()))

    def registered_as(self, namespace: str, service: str) -> list[Instance]:
        """Those whose sidecar was started with `--service`."""
        return list(self._by_service.get((namespace, service), ()))

    def _add(self, instance: Instance) -> None:
        self._by_namespace.setdefault(instance.namespace, []).append(instance)
        for item in instance.labels.items():
            self._by_label.setdefault((instance.namespace, *item), []).append(instance)
        if instance.service:
            self._by_service.setdefault((instance.namespace, instance.service), []).append(instance)
