"""Kinds of Kubernetes that mean nothing here, as pymesh runs no containers: taken with a warning and dropped.

So a file that was written for Istio can be applied whole.
"""

from typing import NamedTuple


class ForeignKind(NamedTuple):
    """`versions`: the preferred one first; a file may say any other."""

    name: str
    group: str
    versions: tuple[str, ...]
    plural: str
    short_names: tuple[str, ...] = ()
    is_namespaced: bool = True

    @property
    def singular(self) -> str:
        return self.name.lower()


_APPS, _BATCH, _RBAC = "apps", "batch", "rbac.authorization.k8s.io"
_NETWORKING, _ADMISSION = "networking.k8s.io", "admissionregistration.k8s.io"
_V1 = ("v1",)

FOREIGN_KINDS = (
    ForeignKind("Deployment", _APPS, _V1, "deployments", ("deploy",)),
    ForeignKind("ReplicaSet", _APPS, _V1, "replicasets", ("rs",)),
    ForeignKind("StatefulSet", _APPS, _V1, "statefulsets", ("sts",)),
    ForeignKind("DaemonSet", _APPS, _V1, "daemonsets", ("ds",)),
    ForeignKind("Job", _BATCH, _V1, "jobs"),
    ForeignKind("CronJob", _BATCH, _V1, "cronjobs", ("cj",)),
    ForeignKind("Pod", "", _V1, "pods", ("po",)),
    ForeignKind("PodTemplate", "", _V1, "podtemplates"),
    ForeignKind("ReplicationController", "", _V1, "replicationcontrollers", ("rc",)),
    ForeignKind("PersistentVolume", "", _V1, "persistentvolumes", ("pv",), is_namespaced=False),
    ForeignKind("PersistentVolumeClaim", "", _V1, "persistentvolumeclaims", ("pvc",)),
    ForeignKind("LimitRange", "", _V1, "limitranges", ("limits",)),
    ForeignKind("ResourceQuota", "", _V1, "resourcequotas", ("quota",)),
    ForeignKind("Role", _RBAC, _V1, "roles"),
    ForeignKind("RoleBinding", _RBAC, _V1, "rolebindings"),
    ForeignKind("ClusterRole", _RBAC, _V1, "clusterroles", is_namespaced=False),
    ForeignKind("ClusterRoleBinding", _RBAC, _V1, "clusterrolebindings", is_namespaced=False),
    ForeignKind("HorizontalPodAutoscaler", "autoscaling", ("v2", "v1"), "horizontalpodautoscalers", ("hpa",)),
    ForeignKind("PodDisruptionBudget", "policy", _V1, "poddisruptionbudgets", ("pdb",)),
    ForeignKind("NetworkPolicy", _NETWORKING, _V1, "networkpolicies", ("netpol",)),
    ForeignKind("Ingress", _NETWORKING, _V1, "ingresses", ("ing",)),
    ForeignKind("IngressClass", _NETWORKING, _V1, "ingressclasses", is_namespaced=False),
    ForeignKind("PriorityClass", "scheduling.k8s.io", _V1, "priorityclasses", ("pc",), is_namespaced=False),
    ForeignKind("StorageClass", "storage.k8s.io", _V1, "storageclasses", ("sc",), is_namespaced=False),
    ForeignKind(
        "CustomResourceDefinition",
        "apiextensions.k8s.io",
        _V1,
        "customresourcedefinitions",
        ("crd", "crds"),
        is_namespaced=False,
    ),
    ForeignKind("MutatingWebhookConfiguration", _ADMISSION, _V1, "mutatingwebhookconfigurations", is_namespaced=False),
    ForeignKind(
        "ValidatingWebhookConfiguration", _ADMISSION, _V1, "validatingwebhookconfigurations", is_namespaced=False
    ),
)

_BY_NAME = {(kind.group, kind.name): kind for kind in FOREIGN_KINDS}
_BY_PLURAL = {(kind.group, kind.plural): kind for kind in FOREIGN_KINDS}


def foreign_kind_of(api_version: object, name: object) -> ForeignKind | None:
    """The kind that a file means with `apiVersion` and `kind`, in any version."""
    if not isinstance(api_version, str) or not isinstance(name, str):
        return None
    return _BY_NAME.get((api_version.rpartition("/")[0], name))


def foreign_kind_at(group: str, plural: str) -> ForeignKind | None:
    """The kind that a URL means, in any version."""
    return _BY_PLURAL.get((group, plural))


def skip_warning(kind: ForeignKind, name: str) -> str:
    """What its author is told."""
    return f"{kind.name} {name} is skipped: pymesh runs no containers and has no use for a {kind.name}"
