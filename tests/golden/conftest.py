"""A golden case is `cases/<name>.yaml`: a document that says who asks, then Istio's objects; `<name>.json` is the xDS.

Who asks is a `sidecar` or a `gateway`, whose metadata changes a default one, in a `locality`; `mesh` is the MeshConfig,
and `types` are those that the JSON file tells of (all are checked against Envoy).

`pytest tests/golden --update-golden` writes the JSON files anew; read the diff.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
import yaml

from pymesh import xds
from pymesh.control.model.manifest import read_manifest
from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.model.mesh_config_decoder import decode_mesh_config
from pymesh.control.snapshot.mesh_snapshot import MeshSnapshot
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.build import Resources, build

CASES = Path(__file__).parent / "cases"


_MTLS = {"security.istio.io/tlsMode": "istio"}
_SIDECAR = {
    "NAME": "web-v1-abcde",
    "NAMESPACE": "default",
    "SERVICE": "web",
    "APP_PORT": 8001,
    "INBOUND": {"host": "0.0.0.0", "port": 15006},
    "OUTBOUND": {"host": "127.0.0.1", "port": 15001},
    "LABELS": {"app": "web", "version": "v1", **_MTLS},
}
_GATEWAY = {
    "NAME": "ingressgateway-abcde",
    "NAMESPACE": "istio-system",
    "LABELS": {"istio": "ingressgateway", **_MTLS},
    "UNPRIVILEGED": True,
}


class Case(NamedTuple):
    name: str
    node: xds.Node
    mesh: MeshConfig
    objects: str
    types: tuple[str, ...]

    def build(self) -> Resources:
        snapshot = MeshSnapshot.build(read_manifest(self.objects, self.name).resources, self.mesh, 1)
        return build(ProxyView(snapshot, self.node))

    @property
    def golden(self) -> Path:
        return CASES / f"{self.name}.json"


def read_case(path: Path) -> Case:
    head, _, objects = path.read_text().partition("\n---\n")
    about = yaml.safe_load(head)
    return Case(
        name=path.stem,
        node=_read_node(about),
        mesh=decode_mesh_config(about.get("mesh", {})),
        objects=objects,
        types=tuple(about.get("types", xds.SHORT_NAMES.values())),
    )


def _read_node(about: dict[str, Any]) -> xds.Node:
    node_type, default = ("router", _GATEWAY) if "gateway" in about else ("sidecar", _SIDECAR)
    metadata = default | (about.get("gateway") or about.get("sidecar") or {})
    instance = f"{metadata['NAME']}.{metadata['NAMESPACE']}"
    locality = msgspec.to_builtins(xds.parse_node_locality(about.get("locality", "")))
    node = {"id": f"{node_type}~127.0.0.1~{instance}~cluster.local", "metadata": metadata, "locality": locality}
    return msgspec.convert(node, xds.Node)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden JSON files anew")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        paths = sorted(CASES.glob("*.yaml"))
        metafunc.parametrize("case", [read_case(path) for path in paths], ids=[path.stem for path in paths])


@pytest.fixture
def compare_golden(request: pytest.FixtureRequest) -> Callable[[Path, Any], None]:
    def compare(path: Path, value: Any) -> None:
        if request.config.getoption("--update-golden"):
            path.write_text(json.dumps(value, indent=1) + "\n")
        assert value == json.loads(path.read_text())

    return compare
