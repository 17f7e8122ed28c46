"""Files and answers of the API -> AnalyzedMesh, with the places of the objects. What is invalid is kept and told of."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pymesh.control.analysis.analyzed_mesh import AnalyzedMesh, Annotated, InvalidObject
from pymesh.control.analysis.workload import Workload, metadata_texts, pod_workload, workloads_of
from pymesh.control.model.document import read_documents
from pymesh.control.model.foreign_kinds import foreign_kind_of
from pymesh.control.model.kinds import kind_of
from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.model.mesh_config_decoder import decode_mesh_config_map, find_mesh_config_map
from pymesh.control.model.resource import Key, Resource
from pymesh.control.model.serializer import decode_stored, decode_with_warnings, word_at
from pymesh.control.model.source import Source, objects_of
from pymesh.errors import ValidationError, Violation
from pymesh.names import DEFAULT_NAMESPACE

SUPPRESS_ANNOTATION = "galley.istio.io/analyze-suppress"


class Collector:
    """Of several objects with the same kind, namespace and name the last counts, as if they were applied one by one.

    `sources` say where objects stand; those of a running mesh stand nowhere. `suppressed` has the codes that an object
    itself asks not to be told of, or `*`.
    """

    def __init__(self) -> None:
        self.sources: dict[Key, Source] = {}
        self.suppressed: dict[Key, frozenset[str]] = {}
        self._resources: dict[Key, Resource[Any]] = {}
        self._invalid: dict[Key, InvalidObject] = {}
        self._refused: dict[Key, Resource[Any]] = {}
        self._warnings: dict[Key, tuple[Violation, ...]] = {}
        self._pods: dict[Key, Workload] = {}
        self._annotated: dict[Key, Annotated] = {}

    def add_text(self, file: str, text: str | bytes, namespace: str = DEFAULT_NAMESPACE) -> None:
        """`namespace` is for objects that name none. Raises DocumentError for text that is no YAML."""
        for document in read_documents(text):
            for fields, lines in objects_of(document):
                self.add_object(fields, namespace, Source(file, document.number, lines))

    def add_object(self, fields: Any, namespace: str = DEFAULT_NAMESPACE, source: Source | None = None) -> None:
        key = _key_of(fields, namespace)
        if source is not None:
            key = key if key.name else key._replace(name=f"<line {source.line}>")
            self.sources[key] = source
        self.suppressed[key] = _suppressed(fields)
        if isinstance(fields, dict) and foreign_kind_of(fields.get("apiVersion"), fields.get("kind")) is not None:
            pod = pod_workload(fields, key)
            if pod is not None:
                self._pods[key] = pod
                self._annotated[key] = Annotated(
                    key, metadata_texts(fields, "annotations"), metadata_texts(fields, "labels")
                )
            return
        for table in (self._resources, self._invalid, self._refused, self._warnings):
            table.pop(key, None)
        self._decode(fields, key, namespace)

    def build(
        self, mesh: MeshConfig | None = None, is_running: bool = False, now: datetime | None = None
    ) -> AnalyzedMesh:
        """`mesh` counts for more than Istio's ConfigMap."""
        found = mesh or self._mesh_config()
        objects = (*self._resources.values(), *self._refused.values())
        workloads = [one for resource in objects for one in workloads_of(resource)]
        return AnalyzedMesh(
            resources=self._resources,
            invalid=self._invalid,
            refused=self._refused,
            warnings=self._warnings,
            workloads=(*workloads, *self._pods.values()),
            pods=tuple(self._annotated.values()),
            mesh=found,
            is_running=is_running,
            now=now,
        )

    def _decode(self, fields: Any, key: Key, namespace: str) -> None:
        try:
            decoded = decode_with_warnings(fields, namespace)
        except ValidationError as error:
            self._invalid[key] = InvalidObject(key, fields, error.violations)
            self._add_refused(fields, key)
            return
        self._resources[key] = decoded.resource
        if decoded.warnings:
            self._warnings[key] = decoded.warnings

    def _add_refused(self, fields: Any, key: Key) -> None:
        """An invalid object whose fields are known and of the right types can be looked at all the same."""
        metadata = fields.get("metadata") if isinstance(fields, dict) else None
        if not isinstance(metadata, dict):
            return
        try:
            resource = decode_stored({**fields, "metadata": {**metadata, "name": key.name, "namespace": key.namespace}})
        except ValidationError:  # which is among the violations that are told of
            return
        self._refused[key] = resource

    def _mesh_config(self) -> MeshConfig:
        config_map = find_mesh_config_map(self._resources.values())
        return decode_mesh_config_map(config_map.spec).mesh if config_map is not None else MeshConfig()


def _key_of(fields: Any, namespace: str) -> Key:
    """The object's own; words that it lacks are empty."""
    kind = kind_of(word_at(fields, "apiVersion"), word_at(fields, "kind"))
    foreign = foreign_kind_of(word_at(fields, "apiVersion"), word_at(fields, "kind"))
    known = kind or foreign
    is_namespaced = known is None or known.is_namespaced
    owner = (word_at(fields, "metadata", "namespace") or namespace) if is_namespaced else ""
    return Key(word_at(fields, "kind") or "object", owner, word_at(fields, "metadata", "name"))


def _suppressed(fields: Any) -> frozenset[str]:
    return frozenset(_words(word_at(fields, "metadata", "annotations", SUPPRESS_ANNOTATION)))


def _words(text: str) -> Iterator[str]:
    return (word.strip() for word in text.split(",") if word.strip())
