"""A proxy's view of a mesh, from YAML."""

from collections.abc import Callable
from typing import Any

import pytest

from pymesh import xds
from pymesh.control.model.manifest import read_manifest
from pymesh.control.model.mesh_config_decoder import decode_mesh_config
from pymesh.control.model.resource import Resource
from pymesh.control.snapshot.mesh_snapshot import MeshSnapshot
from pymesh.control.snapshot.proxy_view import ProxyView

MTLS = {"security.istio.io/tlsMode": "istio"}


@pytest.fixture
def view_of() -> Callable[..., ProxyView]:
    """Of a sidecar, or with `router=True` of a gateway; `metadata` changes what the node tells of itself.

    `more` are resources besides those of the YAML.
    """

    def make(
        yaml: str,
        router: bool = False,
        mesh: dict[str, object] | None = None,
        more: tuple[Resource[Any], ...] = (),
        **metadata: object,
    ) -> ProxyView:
        told = xds.NodeMetadata(**{"labels": MTLS, **metadata})  # type: ignore[arg-type]
        node_type = "router" if router else "sidecar"
        node = xds.Node(id=f"{node_type}~1.2.3.4~x.{told.namespace}~d", metadata=told)
        snapshot = MeshSnapshot.build(
            [*read_manifest(yaml, "test").resources, *more], decode_mesh_config(mesh or {}), 1
        )
        return ProxyView(snapshot, node)

    return make
