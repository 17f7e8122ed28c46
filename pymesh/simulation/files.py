"""The configuration of a simulated mesh: files, directories, standard input -> resources, MeshConfig, places."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pymesh.config_files import read_files
from pymesh.control.model.document import DocumentError
from pymesh.control.model.manifest import InvalidDocumentsError, read_manifest
from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.model.mesh_config_decoder import decode_mesh_config_map, find_mesh_config_map
from pymesh.control.model.resource import Key, Resource
from pymesh.control.model.source import Source
from pymesh.errors import ValidationError


@dataclass(frozen=True, slots=True)
class Configuration:
    """`sources` say where each of the resources stands; `warnings` are lines for the user."""

    resources: tuple[Resource[Any], ...]
    mesh: MeshConfig = field(default_factory=MeshConfig)
    sources: Mapping[Key, Source] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def place(self, key: Key, path: str = "") -> str:
        """`shop.yaml:14`; empty for an object of no file."""
        source = self.sources.get(key)
        return f"{source.file}:{source.line_of(path)}" if source is not None else ""


def read_configuration(paths: Iterable[str]) -> Configuration:
    """Of several objects with one kind, namespace and name the last counts, as if they were applied one by one.

    Raises UsageError for a file that cannot be read, InvalidDocumentsError with all violations of all files.
    """
    return build_configuration(
        (name, content) for path in paths for name, content in read_files(path, is_recursive=True)
    )


def build_configuration(texts: Iterable[tuple[str, str | bytes]]) -> Configuration:
    """Of pairs of a file's name and its text."""
    resources: dict[Key, Resource[Any]] = {}
    sources: dict[Key, Source] = {}
    warnings: list[str] = []
    problems: list[str] = []
    for name, text in texts:
        try:
            manifest = read_manifest(text, name)
        except InvalidDocumentsError as error:
            problems.extend(error.problems)
            continue
        except DocumentError as error:
            problems.append(f"{name}: {error}")
            continue
        resources.update((resource.key, resource) for resource in manifest.resources)
        sources.update(manifest.sources)
        warnings.extend(manifest.warnings)
    mesh = _mesh_config(resources.values(), sources, warnings, problems)
    if problems:
        raise InvalidDocumentsError(problems)
    return Configuration(tuple(resources.values()), mesh, sources, tuple(warnings))


def _mesh_config(
    resources: Iterable[Resource[Any]], sources: Mapping[Key, Source], warnings: list[str], problems: list[str]
) -> MeshConfig:
    config_map = find_mesh_config_map(resources)
    if config_map is None:
        return MeshConfig()
    place = sources[config_map.key].place()
    try:
        decoded = decode_mesh_config_map(config_map.spec)
    except ValidationError as error:
        problems.extend(f"{place}: {violation}" for violation in error.violations)
        return MeshConfig()
    warnings.extend(f"{place}: {warning}" for warning in decoded.warnings)
    return decoded.mesh
