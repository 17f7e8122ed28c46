"""Kinds of Kubernetes that mean nothing here, as pymesh runs no containers: skipped with a warning, wherever they are.

So a file that was written for Istio can be applied whole. The API keeps them as they are written, so that its clients
find again what they have applied.
"""

from pymesh.control.model.kinds import Kind
from pymesh.control.model.messages import Message


class ForeignBody(Message):
    """What stands beside the metadata of such an object: nobody here reads it."""


def _kind(
    name: str,
    group: str,
    versions: tuple[str, ...],
    plural: str,
    short_names: tuple[str, ...] = (),
    is_namespaced: bool = True,
) -> Kind:
    return Kind(name, group, versions, plural, name.lower(), short_names, ForeignBody, True, is_namespaced)


_APPS, _BATCH, _RBAC = "apps", "batch", "rbac.authorization.k8s.io"
_NETWORKING, _ADMISSION = "networking.k8s.io", "admissionregistration.k8s.io"
_EXTENSIONS = "extensions"  # where Kubernetes had many of them until 1.16, and Istio's older samples still have them
_V1 = ("v1",)
_V1_OR_BETA = ("v1", "v1beta1")
_V1BETA1 = ("v1beta1",)
_APPS_VERSIONS = ("v1", "v1beta2", "v1beta1")

FOREIGN_KINDS = (
    _kind("Deployment", _APPS, _APPS_VERSIONS, "deployments", ("deploy",)),
    _kind("ReplicaSet", _APPS, ("v1", "v1beta2"), "replicasets", ("rs",)),
    _kind("StatefulSet", _APPS, _APPS_VERSIONS, "statefulsets", ("sts",)),
    _kind("DaemonSet", _APPS, ("v1", "v1beta2"), "daemonsets", ("ds",)),
    _kind("Job", _BATCH, _V1, "jobs"),
    _kind("CronJob", _BATCH, _V1_OR_BETA, "cronjobs", ("cj",)),
    _kind("Pod", "", _V1, "pods", ("po",)),
    _kind("PodTemplate", "", _V1, "podtemplates"),
    _kind("ReplicationController", "", _V1, "replicationcontrollers", ("rc",)),
    _kind("PersistentVolume", "", _V1, "persistentvolumes", ("pv",), is_namespaced=False),
    _kind("PersistentVolumeClaim", "", _V1, "persistentvolumeclaims", ("pvc",)),
    _kind("LimitRange", "", _V1, "limitranges", ("limits",)),
    _kind("ResourceQuota", "", _V1, "resourcequotas", ("quota",)),
    _kind("Role", _RBAC, _V1_OR_BETA, "roles"),
    _kind("RoleBinding", _RBAC, _V1_OR_BETA, "rolebindings"),
    _kind("ClusterRole", _RBAC, _V1_OR_BETA, "clusterroles", is_namespaced=False),
    _kind("ClusterRoleBinding", _RBAC, _V1_OR_BETA, "clusterrolebindings", is_namespaced=False),
    _kind(
        "HorizontalPodAutoscaler",
        "autoscaling",
        ("v2", "v2beta2", "v2beta1", "v1"),
        "horizontalpodautoscalers",
        ("hpa",),
    ),
    _kind("PodDisruptionBudget", "policy", _V1_OR_BETA, "poddisruptionbudgets", ("pdb",)),
    _kind("NetworkPolicy", _NETWORKING, _V1, "networkpolicies", ("netpol",)),
    _kind("Ingress", _NETWORKING, _V1_OR_BETA, "ingresses", ("ing",)),
    _kind("IngressClass", _NETWORKING, _V1_OR_BETA, "ingressclasses", is_namespaced=False),
    _kind("PriorityClass", "scheduling.k8s.io", _V1_OR_BETA, "priorityclasses", ("pc",), is_namespaced=False),
    _kind("StorageClass", "storage.k8s.io", _V1_OR_BETA, "storageclasses", ("sc",), is_namespaced=False),
    _kind(
        "CustomResourceDefinition",
        "apiextensions.k8s.io",
        _V1_OR_BETA,
        "customresourcedefinitions",
        ("crd", "crds"),
        is_namespaced=False,
    ),
    _kind(
        "MutatingWebhookConfiguration", _ADMISSION, _V1_OR_BETA, "mutatingwebhookconfigurations", is_namespaced=False
    ),
    _kind(
        "ValidatingWebhookConfiguration",
        _ADMISSION,
        _V1_OR_BETA,
        "validatingwebhookconfigurations",
        is_namespaced=False,
    ),
    # Without short names: kubectl warns of one that two groups have.
    _kind("Deployment", _EXTENSIONS, _V1BETA1, "deployments"),
    _kind("ReplicaSet", _EXTENSIONS, _V1BETA1, "replicasets"),
    _kind("DaemonSet", _EXTENSIONS, _V1BETA1, "daemonsets"),
    _kind("Ingress", _EXTENSIONS, _V1BETA1, "ingresses"),
    _kind("NetworkPolicy", _EXTENSIONS, _V1BETA1, "networkpolicies"),
    _kind("PodSecurityPolicy", _EXTENSIONS, _V1BETA1, "podsecuritypolicies", is_namespaced=False),
    _kind("PodSecurityPolicy", "policy", _V1BETA1, "podsecuritypolicies", ("psp",), is_namespaced=False),
)

_BY_NAME = {(kind.group, kind.name): kind for kind in FOREIGN_KINDS}


def is_foreign(kind: Kind) -> bool:
    return kind.spec_type is ForeignBody


def foreign_kind_of(api_version: object, name: object) -> Kind | None:
    """The kind that a file means with `apiVersion` and `kind`, in any version."""
    if not isinstance(api_version, str) or not isinstance(name, str):
        return None
    return _BY_NAME.get((api_version.rpartition("/")[0], name))


def skip_warning(kind: Kind, name: str, more: int = 0) -> str:
    """What the author of such an object is told, and of `more` like it."""
    skipped = f"{name} and {more} more are skipped" if more else f"{name} is skipped"
    return f"{kind.name} {skipped}: pymesh runs no containers and has no use for a {kind.name}"
