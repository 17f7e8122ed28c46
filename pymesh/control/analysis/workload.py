"""What selectors choose: workloads, as WorkloadEntries, WorkloadGroups and Kubernetes' pod templates tell of them."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from pymesh.control.model.kinds import WORKLOAD_ENTRY, WORKLOAD_GROUP
from pymesh.control.model.resource import Key, Resource
from pymesh.names import APP_LABEL, ROOT_NAMESPACE

_TEMPLATES = {
    "Deployment": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicationController": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "Pod": (),
}


class Workload(NamedTuple):
    """`key` is that of the object which tells of it."""

    key: Key
    labels: dict[str, str]

    @property
    def namespace(self) -> str:
        return self.key.namespace

    def has(self, labels: dict[str, str]) -> bool:
        return labels.items() <= self.labels.items()


class Workloads:
    """Found by labels: a selector looks only at those that have its rarest one."""

    def __init__(self, workloads: Iterable[Workload]) -> None:
        self._by_namespace: dict[str, list[Workload]] = {}
        self._by_label: dict[tuple[str, str, str], list[Workload]] = {}
        for workload in workloads:
            self._by_namespace.setdefault(workload.namespace, []).append(workload)
            for item in workload.labels.items():
                self._by_label.setdefault((workload.namespace, *item), []).append(workload)

    def select(self, namespace: str, labels: dict[str, str]) -> list[Workload]:
        """The namespace's workloads that have all these labels."""
        candidates = [self._by_label.get((namespace, *item), []) for item in labels.items()]
        rarest = min(candidates, key=len, default=self._by_namespace.get(namespace, []))
        return [one for one in rarest if one.has(labels)]


# istioctl, too, takes for granted what Istio's own installation has.
DEFAULT_INGRESS_GATEWAY = Workload(
    Key("Pod", ROOT_NAMESPACE, "istio-ingressgateway"), {APP_LABEL: "istio-ingressgateway", "istio": "ingressgateway"}
)


def workloads_of(resource: Resource[Any]) -> Iterator[Workload]:
    """Those that a resource of pymesh tells of."""
    spec = resource.spec
    if resource.kind == WORKLOAD_ENTRY:
        yield Workload(resource.key, {**resource.metadata.labels, **spec.labels})
    elif resource.kind == WORKLOAD_GROUP:
        labels = spec.metadata.labels if spec.metadata is not None else {}
        yield Workload(resource.key, {**labels, **(spec.template.labels if spec.template is not None else {})})


def pod_workload(fields: Any, key: Key) -> Workload | None:
    """That of a Kubernetes object with a pod template, which pymesh does not run; None if it has none."""
    steps = _TEMPLATES.get(key.kind)
    if steps is None:
        return None
    for step in steps:
        fields = fields.get(step) if isinstance(fields, dict) else None
    return Workload(key, metadata_texts(fields, "labels"))


def metadata_texts(fields: Any, name: str) -> dict[str, str]:
    """Labels or annotations of an object of which nothing is known."""
    for step in ("metadata", name):
        fields = fields.get(step) if isinstance(fields, dict) else None
    return {str(key): str(value) for key, value in fields.items()} if isinstance(fields, dict) else {}
