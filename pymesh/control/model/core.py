"""ConfigMap, Namespace and ServiceAccount: kinds of Kubernetes that Istio's files refer to. They steer nothing here but
for the ConfigMap that holds MeshConfig.

https://kubernetes.io/docs/reference/kubernetes-api/
"""

from typing import Any

from pymesh.control.model.messages import Message

MESH_CONFIG_MAP = "istio"
MESH_CONFIG_KEY = "mesh"
MESH_NETWORKS_KEY = "meshNetworks"


class ConfigMap(Message):
    data: dict[str, str] = {}
    """Texts by key."""
    binary_data: dict[str, bytes] = {}
    """Bytes by key, in base64."""
    immutable: bool | None = None
    """Whether it must not be changed."""


class Namespace(Message):
    finalizers: tuple[str, ...] = ()
    """Means nothing here: a namespace goes at once."""


class ServiceAccount(Message):
    """An identity: the name that certificates of workloads have."""

    secrets: tuple[dict[str, Any], ...] = ()
    """Means nothing here."""
    image_pull_secrets: tuple[dict[str, Any], ...] = ()
    """Means nothing here."""
    automount_service_account_token: bool | None = None
    """Means nothing here."""
