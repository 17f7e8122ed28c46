"""MeshConfig as a file or Istio's ConfigMap writes it -> the typed one, valid."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from pymesh.control.model.core import MESH_CONFIG_KEY, MESH_CONFIG_MAP, ConfigMap
from pymesh.control.model.document import DocumentError, read_documents
from pymesh.control.model.kinds import CONFIG_MAP
from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.model.mesh_config_overlay import Fields, overlay_mesh_config
from pymesh.control.model.message_decoder import decode_message
from pymesh.control.model.not_implemented import check_implemented
from pymesh.control.model.proto_names import with_json_names
from pymesh.control.model.pruning import prune
from pymesh.control.model.resource import Resource
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation.mesh_config import check_mesh_config
from pymesh.errors import ValidationError, Violation
from pymesh.names import ROOT_NAMESPACE


class DecodedMeshConfig(NamedTuple):
    """`fields`: what of it was said, and not its defaults. `warnings`: what was left out of account."""

    mesh: MeshConfig
    fields: Fields
    warnings: tuple[Violation, ...]


ISTIOS_DEFAULTS = DecodedMeshConfig(MeshConfig(), {}, ())


def decode_mesh_config(fields: Any) -> MeshConfig:
    """Raises ValidationError; a field of Istio's MeshConfig that pymesh does not know is refused."""
    at = _as_proto_json(Scope())
    fields = with_json_names(MeshConfig, fields)
    mesh = decode_message(MeshConfig, fields, at)
    check_implemented("MeshConfig", fields, at)
    check_mesh_config(mesh, at)
    if at.violations:
        raise ValidationError("MeshConfig", "", at.violations)
    return mesh


def is_mesh_config_map(resource: Resource[Any]) -> bool:
    """Whether it is the ConfigMap in which Istio keeps its MeshConfig."""
    return resource.kind == CONFIG_MAP and resource.key[1:] == (ROOT_NAMESPACE, MESH_CONFIG_MAP)


def find_mesh_config_map(resources: Iterable[Resource[Any]]) -> Resource[ConfigMap] | None:
    return next((resource for resource in resources if is_mesh_config_map(resource)), None)


def decode_mesh_config_map(config_map: ConfigMap, base: DecodedMeshConfig | None = None) -> DecodedMeshConfig:
    """The MeshConfig of Istio's ConfigMap, over `base`. It was not written for pymesh: what pymesh does not know or not
    obey is a warning, and so is a provider that may be in the base where that is not known. Raises ValidationError."""
    said, warnings = _decode_alone(config_map)
    merged = overlay_mesh_config(base.fields if base is not None else {}, said)
    at = _in_config_map()
    mesh = decode_message(MeshConfig, merged, at)
    if base is not None:
        check_mesh_config(mesh, at)
    _raise_violations(at)
    return DecodedMeshConfig(mesh, merged, warnings)


def _decode_alone(config_map: ConfigMap) -> tuple[Fields, tuple[Violation, ...]]:
    """What the ConfigMap says that pymesh knows, and warnings."""
    at = _in_config_map()
    fields = _read_key(config_map, at)
    unknown = _in_config_map()
    decode_message(MeshConfig, fields, unknown)
    fields = prune(fields, [steps[2:] for steps in unknown.notes.unknown])
    check_mesh_config(decode_message(MeshConfig, fields, at), at, is_whole=False)
    _raise_violations(at)
    check_implemented("MeshConfig", fields, at)
    left_out = [Violation(one.path, one.message) for one in unknown.violations if one.message.startswith("unknown")]
    return fields, (*left_out, *at.violations, *at.warnings)


def _raise_violations(at: Scope) -> None:
    if at.violations:
        raise ValidationError("ConfigMap", f"{ROOT_NAMESPACE}/{MESH_CONFIG_MAP}", at.violations)


def _in_config_map() -> Scope:
    return _as_proto_json(Scope("data")[MESH_CONFIG_KEY])


def _as_proto_json(at: Scope) -> Scope:
    """Istio reads a MeshConfig as proto3 JSON, and its documentation has `port: "9000"`."""
    at.notes.takes_quoted_numbers = True
    return at


def _read_key(config_map: ConfigMap, at: Scope) -> Any:
    try:
        documents = read_documents(config_map.data.get(MESH_CONFIG_KEY, ""))
    except DocumentError as error:
        at.fail(str(error))
        return {}
    fields = documents[0].value if documents else {}
    return {} if fields is None else with_json_names(MeshConfig, fields)
