"""Objects as commands name them: in files, by kind and name, and as paths of the API."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from pymesh.config_files import read_files
from pymesh.control.model.document import DocumentError, read_documents
from pymesh.control.model.foreign_kinds import foreign_kind_of, skip_warning
from pymesh.control.model.kinds import KINDS, SERVICE, Kind, kind_named, kind_of
from pymesh.control.model.source import Source, objects_of
from pymesh.errors import PymeshError, UsageError
from pymesh.names import DEFAULT_NAMESPACE

_CATEGORIES = {
    "all": (SERVICE,),
    "istio-io": tuple(kind for kind in KINDS if kind.group.endswith(".istio.io")),
}


class Problem(NamedTuple):
    """Why a place in a file cannot be used."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class FileObject(NamedTuple):
    """One object of a file. `source.place(path)`: `shop.yaml: document 2 (line 14)`."""

    source: Source
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
    if namespace is None or not kind.is_namespaced:
        return f"{root}/{kind.plural}"
    return f"{root}/namespaces/{quote(namespace, '')}/{kind.plural}"


def object_path(kind: Kind, namespace: str, name: str) -> str:
    return f"{collection_path(kind, namespace)}/{quote(name, '')}"


def expect_kinds(words: str) -> list[Kind]:
    """Of `vs,dr`; `istio-io` and `all` are categories, as with kubectl."""
    kinds = [kind for word in words.split(",") for kind in _CATEGORIES.get(word) or (expect_kind(word),)]
    return list(dict.fromkeys(kinds))


def expect_kind(word: str) -> Kind:
    kind = kind_named(word)
    if kind is None:
        known = ", ".join(kind.plural for kind in KINDS)
        raise UsageError(f"unknown kind {word!r}; the kinds are {known}")
    return kind


class FileObjects(NamedTuple):
    """What is in files. `skipped`: what means nothing here."""

    objects: list[FileObject]
    skipped: list[Problem]
    problems: list[Problem]


def read_objects(sources: Sequence[str], namespace: str | None) -> FileObjects:
    """The objects of files, directories and `-` (standard input), in order, and what cannot be read as one.

    `namespace` is that of `-n`: it is for objects that name none, and must not differ from those that do. Raises
    UsageError for a file that cannot be read.
    """
    found = FileObjects([], [], [])
    for source in sources:
        for name, content in read_files(source):
            _read_file(name, content, namespace, found)
    return found


def expect_objects(sources: Sequence[str], namespace: str | None) -> list[FileObject]:
    """Raises PymeshError for what cannot be read as an object, too."""
    found = read_objects(sources, namespace)
    if found.problems:
        raise PymeshError("\n".join(map(str, found.problems)))
    return found.objects


def _read_file(name: str, content: bytes, namespace: str | None, found: FileObjects) -> None:
    try:
        documents = read_documents(content)
    except DocumentError as error:
        found.problems.append(Problem(name, str(error)))
        return
    for document in documents:
        for fields, lines in objects_of(document):
            _take(Source(name, document.number, lines), fields, namespace, found)


def _take(source: Source, fields: Any, namespace: str | None, found: FileObjects) -> None:
    place = source.place()
    metadata = fields.get("metadata") if isinstance(fields, dict) else None
    if not isinstance(metadata, dict):
        found.problems.append(Problem(place, "is not an object with apiVersion, kind and metadata"))
        return
    foreign = foreign_kind_of(fields.get("apiVersion"), fields.get("kind"))
    if foreign is not None:
        found.skipped.append(Problem(place, skip_warning(foreign, str(metadata.get("name")))))
        return
    taken = _file_object(source, fields, metadata, namespace)
    if isinstance(taken, Problem):
        found.problems.append(taken)
    else:
        found.objects.append(taken)


def _file_object(
    source: Source, fields: dict[str, Any], metadata: dict[str, Any], namespace: str | None
) -> FileObject | Problem:
    place, api_version, kind_name = source.place(), str(fields.get("apiVersion")), str(fields.get("kind"))
    kind = kind_of(api_version, kind_name)
    if kind is None:
        return Problem(place, f"pymesh does not know {api_version} {kind_name}")
    name, own_namespace = metadata.get("name"), metadata.get("namespace")
    if not name or not isinstance(name, str):
        return Problem(f"{place}: {kind_name}", "metadata.name: is required")
    if not kind.is_namespaced:
        return FileObject(source, kind, "", name, fields)
    if namespace and own_namespace and own_namespace != namespace:
        return Problem(f"{place}: {kind_name} {name}", f"is in namespace {own_namespace}, -n says {namespace}")
    return FileObject(source, kind, str(own_namespace or namespace or DEFAULT_NAMESPACE), name, fields)
