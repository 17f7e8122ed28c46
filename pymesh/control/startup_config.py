"""What `pymesh control` reads at its start: the mesh config and the resources of `--config`. Nothing is stored here."""

import logging
from pathlib import Path
from typing import Any

from pymesh.control.model.document import DocumentError, read_documents
from pymesh.control.model.manifest import InvalidDocumentsError, read_manifest
from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.model.mesh_config_decoder import decode_mesh_config
from pymesh.control.model.resource import Key, Resource
from pymesh.control.store.store import ConfigStore
from pymesh.errors import UsageError, ValidationError
from pymesh.names import DEFAULT_DOMAIN

_logger = logging.getLogger(__name__)

_SUFFIXES = (".yaml", ".yml", ".json")


def read_mesh_config(path: Path | None) -> MeshConfig:
    """Istio's MeshConfig; the defaults without a file. Raises UsageError."""
    if path is None:
        return MeshConfig()
    try:
        documents = read_documents(_read(path))
        mesh = decode_mesh_config(documents[0].value) if documents else MeshConfig()
    except ValidationError as error:
        raise UsageError("\n".join(f"{path}: {violation}" for violation in error.violations)) from error
    except DocumentError as error:
        raise UsageError(f"{path}: {error}") from error
    if mesh.trust_domain != DEFAULT_DOMAIN:
        # Proxies ask for certificates of the default one, before they know anything of the mesh.
        raise UsageError(f"{path}: trustDomain: pymesh does not implement another one than {DEFAULT_DOMAIN}")
    return mesh


def read_resources(paths: tuple[Path, ...]) -> list[Resource[Any]]:
    """The valid resources of all files and directories; of equal names the last. Raises UsageError, a line for each
    violation of all files."""
    resources: dict[Key, Resource[Any]] = {}
    problems: list[str] = []
    for file in [file for path in paths for file in _files(path)]:
        try:
            manifest = read_manifest(_read(file), str(file))
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


def _files(path: Path) -> list[Path]:
    """A file itself; of a directory, what kubectl would apply: its YAML and JSON files, not those below it."""
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES and file.is_file())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
