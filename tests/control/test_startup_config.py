"""What the control plane reads at its start."""

import logging
from pathlib import Path

import pytest

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
