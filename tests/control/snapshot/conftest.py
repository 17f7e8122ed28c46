"""A snapshot, or a proxy's view of it, from YAML."""

from collections.abc import Callable

import pytest

from pymesh import xds
from pymesh.control.model.manifest import read_manifest
from pymesh.control.model.mesh_config_decoder import decode_mesh_config
from pymesh.control.snapshot.mesh_snapshot import MeshSnapshot
from pymesh.control.snapshot.proxy_view import ProxyView

MTLS = {"security.istio.io/tlsMode": "istio"}


@pytest.fixture
def snapshot_of() -> Callable[..., MeshSnapshot]:
    def make(yaml: str, **mesh: object) -> MeshSnapshot:
        return MeshSnapshot.build(read_manifest(yaml, "test").resources, decode_mesh_config(mesh), 1)

    return make


@pytest.fixture
def view_of(snapshot_of) -> Callable[..., ProxyView]:
    """Of a sidecar in `namespace` with `labels`, of a workload that was started as `service`."""

    def make(
        yaml: str,
        namespace: str = "default",
        labels: dict[str, str] | None = None,
        service: str = "",
        locality: str = "",
        **mesh: object,
    ) -> ProxyView:
        metadata = xds.NodeMetadata(namespace=namespace, labels={**MTLS, **(labels or {})}, service=service)
        node = xds.Node(f"sidecar~1.2.3.4~x.{namespace}~d", "", metadata, xds.parse_node_locality(locality))
        return ProxyView(snapshot_of(yaml, **mesh), node)

    return make
