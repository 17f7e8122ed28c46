"""What `pymesh control` reads at its start: the mesh config and the resources of `--config`. Nothing is stored here."""

import logging
from pathlib import Path
from typing import Any

from pymesh.config_files import list_files, read_file
from pymesh.control.model.document import Document, DocumentError, read_documents
from pymesh.control.model.kinds import CONFIG_MAP
from pymesh.control.model.manifest import InvalidDocumentsError, read_manifest
from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.model.mesh_config_decoder import (
    ISTIOS_DEFAULTS,
    DecodedMeshConfig,
    decode_mesh_config,
    decode_mesh_config_map,
)
from pymesh.control.model.proto_names import with_json_names
from pymesh.control.model.resource import Key, Resource
from pymesh.control.model.serializer import decode
from pymesh.control.store.store import ConfigStore
from pymesh.errors import UsageError, ValidationError
from pymesh.names import ROOT_NAMESPACE

_logger = logging.getLogger(__name__)


def read_mesh_config(path: Path | None) -> DecodedMeshConfig:
    """Istio's MeshConfig, bare or in Istio's ConfigMap; the defaults without a file. Raises UsageError."""
    if path is None:
        return ISTIOS_DEFAULTS
    try:
        documents = read_documents(read_file(path))
    except DocumentError as error:
        raise UsageError(f"{path}: {error}") from error
    return _decode_mesh_config(path, documents[0]) if documents else ISTIOS_DEFAULTS


def _decode_mesh_config(path: Path, document: Document) -> DecodedMeshConfig:
    fields = document.value
    try:
        if not isinstance(fields, dict) or fields.get("kind") != CONFIG_MAP.name:
            return DecodedMeshConfig(decode_mesh_config(fields), with_json_names(MeshConfig, fields), ())
        read = decode_mesh_config_map(decode(fields, ROOT_NAMESPACE).spec, ISTIOS_DEFAULTS)
    except ValidationError as error:
        places = [f"{path}: line {document.lines.line_of(one.path)}: {one}" for one in error.violations]
        raise UsageError("\n".join(places)) from error
    for warning in read.warnings:
        _logger.warning("%s: line %d: %s", path, document.lines.line_of(warning.path), warning)
    return read


def read_resources(paths: tuple[Path, ...]) -> list[Resource[Any]]:
    """The valid resources of all files and directories; of equal names the last. Raises UsageError, a line for each
    violation of all files."""
    resources: dict[Key, Resource[Any]] = {}
    problems: list[str] = []
    for file in [file for path in paths for file in list_files(path)]:
        try:
            manifest = read_manifest(read_file(file), str(file))
        except InvalidDocumentsError as error:
            problems += error.problems
        except DocumentError as error:
            problems.append(f"{file}: {error}")
        else:
            resources |= {resource.key: resource for resource in manifest.resources}
            for warning in manifest.warnings:
                _logger.warning("%s", warning)
    if problems:
        raise UsageError("\n".join(problems))
    return list(resources.values())


async def upsert(store: ConfigStore, resources: list[Resource[Any]]) -> None:
    for resource in resources:
        if await store.get(*resource.key) is None:
            await store.create(resource)
        else:
            await store.replace(resource, None)
