"""What the control plane reads at its start."""

import logging
from pathlib import Path

import pytest

from pymesh.control.mesh_config_source import MeshConfigSource
from pymesh.control.model import kinds
from pymesh.control.model.core import ConfigMap
from pymesh.control.model.resource import Metadata, Resource
from pymesh.control.startup_config import read_mesh_config, read_resources
from pymesh.errors import UsageError

CONFIG_MAP = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: istio}
data:
  mesh: |
    outboundTrafficPolicy: {mode: REGISTRY_ONLY}
    ingressClass: istio
"""


def test_the_mesh_config_may_stand_in_istios_config_map(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "istio.yaml"
    file.write_text(CONFIG_MAP)
    with caplog.at_level(logging.WARNING):
        assert read_mesh_config(file).mesh.outbound_traffic_policy.mode == "REGISTRY_ONLY"
    assert [record.getMessage() for record in caplog.records] == [
        f"{file}: line 5: data.mesh.ingressClass: unknown field"
    ]


def test_a_field_under_the_name_of_the_proto_outlasts_the_config_map(tmp_path: Path) -> None:
    file = tmp_path / "mesh.yaml"
    file.write_text("trust_domain: foo\ndefault_config: {termination_drain_duration: 7s}\n")
    source = MeshConfigSource(read_mesh_config(file))
    spec = ConfigMap(data={"mesh": "accessLogFile: /dev/stdout"})
    source.update(Resource(kind=kinds.CONFIG_MAP, metadata=Metadata(name="istio", namespace="istio-system"), spec=spec))
    assert source.mesh.access_log_file == "/dev/stdout"
    assert source.mesh.trust_domain == "foo"
    assert source.mesh.default_config.termination_drain_duration == "7s"


def test_each_mistake_of_a_mesh_config_has_its_line(tmp_path: Path) -> None:
    file = tmp_path / "mesh.yaml"
    file.write_text("connectTimeout: 10s\noutboundTrafficPolicy:\n  mode: NEVER\nconectTimeout: 1s\n")
    with pytest.raises(UsageError) as caught:
        read_mesh_config(file)
    assert str(caught.value).splitlines() == [
        f"{file}: line 3: outboundTrafficPolicy.mode: must be one of REGISTRY_ONLY, ALLOW_ANY, not 'NEVER'",
        f"{file}: line 4: conectTimeout: unknown field; did you mean connectTimeout?",
    ]


def test_what_is_skipped_in_a_file_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n")
    with caplog.at_level(logging.WARNING):
        assert read_resources((tmp_path,)) == []
    assert caplog.records[0].getMessage().startswith(f"{file}: document 1 (line 1): Deployment web is skipped")
