"""Objects as commands name them: in files, by kind and name, and as paths of the API."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from pymesh.control.model.document import Document, DocumentError, read_documents
from pymesh.control.model.kinds import KINDS, Kind, kind_named, kind_of
from pymesh.errors import UsageError
from pymesh.names import DEFAULT_NAMESPACE

SUFFIXES = (".yaml", ".yml", ".json")


class Problem(NamedTuple):
    """Why a place in a file cannot be used."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class FileObject(NamedTuple):
    """One object of a file. `place`: `shop.yaml: document 2 (line 14)`."""

    place: str
    kind: Kind
    namespace: str
    name: str
    fields: dict[str, Any]

    @property
    def path(self) -> str:
        return object_path(self.kind, self.namespace, self.name)


def collection_path(kind: Kind, namespace: str | None) -> str:
    """`namespace` None: of all namespaces."""
    root = f"/apis/{kind.group}/{kind.versions[0]}" if kind.group else f"/api/{kind.versions[0]}"
    return f"{root}/{kind.plural}" if namespace is None else f"{root}/namespaces/{quote(namespace, '')}/{kind.plural}"


def object_path(kind: Kind, namespace: str, name: str) -> str:
    return f"{collection_path(kind, namespace)}/{quote(name, '')}"


def expect_kind(word: str) -> Kind:
    kind = kind_named(word)
    if kind is None:
        known = ", ".join(kind.plural for kind in KINDS)
        raise UsageError(f"unknown kind {word!r}; the kinds are {known}")
    return kind


def read_objects(sources: Sequence[str], namespace: str | None) -> tuple[list[FileObject], list[Problem]]:
    """The objects of files, directories and `-` (standard input), in order, and what cannot be read as one.

    `namespace` is that of `-n`: it is for objects that name none, and must not differ from those that do. Raises
    UsageError for a file that cannot be read.
    """
    objects: list[FileObject] = []
    problems: list[Problem] = []
    for source in sources:
        for name, content in _read_source(source):
            _read_file(name, content, namespace, objects, problems)
    return objects, problems


def _read_source(source: str) -> Iterator[tuple[str, bytes]]:
    if source == "-":
        yield "-", sys.stdin.buffer.read()
        return
    path = Path(source)
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES and file.is_file())
        if not files:
            raise UsageError(f"{path}: has no {', '.join(SUFFIXES)} file")
    for file in files:
        try:
            yield str(file), file.read_bytes()
        except OSError as error:
            raise UsageError(f"{file}: {error.strerror}") from error


def _read_file(
    name: str, content: bytes, namespace: str | None, objects: list[FileObject], problems: list[Problem]
) -> None:
    try:
        documents = read_documents(content)
    except DocumentError as error:
        problems.append(Problem(name, str(error)))
        return
    for document in documents:
        place = f"{name}: document {document.number} (line {document.line})"
        for fields in _items(document):
            found = _file_object(place, fields, namespace)
            if isinstance(found, Problem):
                problems.append(found)
            else:
                objects.append(found)


def _items(document: Document) -> list[Any]:
    """The objects of a document; those of a List, if it is one."""
    value = document.value
    is_list = isinstance(value, dict) and str(value.get("kind", "")).endswith("List")
    return list(value["items"]) if is_list and isinstance(value.get("items"), list) else [value]


def _file_object(place: str, fields: Any, namespace: str | None) -> FileObject | Problem:
    metadata = fields.get("metadata") if isinstance(fields, dict) else None
    api_version, kind_name = (str(fields.get(key)) for key in ("apiVersion", "kind")) if metadata else ("", "")
    if not isinstance(metadata, dict):
        return Problem(place, "is not an object with apiVersion, kind and metadata")
    kind = kind_of(api_version, kind_name)
    if kind is None:
        return Problem(place, f"pymesh does not know {api_version} {kind_name}")
    name, own_namespace = metadata.get("name"), metadata.get("namespace")
    if not name or not isinstance(name, str):
        return Problem(f"{place}: {kind_name}", "metadata.name: is required")
    if namespace and own_namespace and own_namespace != namespace:
        return Problem(f"{place}: {kind_name} {name}", f"is in namespace {own_namespace}, -n says {namespace}")
    return FileObject(place, kind, str(own_namespace or namespace or DEFAULT_NAMESPACE), name, fields)
