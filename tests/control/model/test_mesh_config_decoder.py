"""MeshConfig of Istio's ConfigMap: what was not written for pymesh is a warning there."""

import pytest

from pymesh.control.model.core import ConfigMap
from pymesh.control.model.manifest import read_manifest
from pymesh.control.model.mesh_config_decoder import decode_mesh_config_map, is_mesh_config_map
from pymesh.errors import ValidationError

CONFIG_MAP = """
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data:
  mesh: |
    defaultConfig:
      discoveryAddress: istiod.istio-system.svc:15012
      noSuchField: 1
    configSources: []
    outboundTrafficPolicy: {mode: REGISTRY_ONLY}
  meshNetworks: 'networks: {}'
"""


def test_what_pymesh_does_not_know_is_a_warning() -> None:
    (config_map,) = read_manifest(CONFIG_MAP, "istio.yaml").resources
    assert is_mesh_config_map(config_map)
    mesh, warnings = decode_mesh_config_map(config_map.spec)
    assert mesh.outbound_traffic_policy.mode == "REGISTRY_ONLY"
    assert [str(warning) for warning in warnings] == [
        "data.mesh.defaultConfig.noSuchField: unknown field",
        "data.mesh.configSources: unknown field",
        "data.mesh.defaultConfig.discoveryAddress: pymesh does not implement data.mesh.defaultConfig.discoveryAddress",
    ]


@pytest.mark.parametrize("text", ["connectTimeout: soon", "connectTimeout: [", "- 1"])
def test_what_is_wrong_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match=r"ConfigMap istio-system/istio: data\.mesh"):
        decode_mesh_config_map(ConfigMap(data={"mesh": text}))


def test_an_absent_key_is_the_defaults() -> None:
    assert decode_mesh_config_map(ConfigMap()).mesh.connect_timeout == "10s"
