"""Files of objects: what is in them, and where in them each part of an object stands."""

from typing import Any, NamedTuple

from pymesh.control.model.document import read_documents
from pymesh.control.model.foreign_kinds import foreign_kind_of, skip_warning
from pymesh.control.model.kinds import Kind
from pymesh.control.model.resource import Key, Resource
from pymesh.control.model.serializer import decode_with_warnings, word_at
from pymesh.control.model.source import Source, objects_of
from pymesh.errors import PymeshError, ValidationError, Violation
from pymesh.names import DEFAULT_NAMESPACE


class Manifest(NamedTuple):
    """`sources` has each of the resources, by key; of several objects with the same key the last one. `warnings` are
    lines for the user."""

    resources: tuple[Resource[Any], ...]
    sources: dict[Key, Source]
    warnings: tuple[str, ...]


class InvalidDocumentsError(PymeshError):
    """Violations in one or several documents, a line each: file, document, line, object, path and reason."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def read_manifest(text: str | bytes, file: str, namespace: str = DEFAULT_NAMESPACE) -> Manifest:
    """All resources of a YAML stream, Lists taken apart; Kubernetes' kinds that mean nothing here are left out with a
    warning.

    Raises DocumentError for text that is no YAML, and InvalidDocumentsError with the violations of all documents.
    """
    resources: list[Resource[Any]] = []
    sources: dict[Key, Source] = {}
    warnings: list[str] = []
    problems: list[str] = []
    skipped: dict[Kind, list[tuple[str, str]]] = {}
    for document in read_documents(text):
        for fields, lines in objects_of(document):
            source = Source(file, document.number, lines)
            foreign = _foreign_kind(fields)
            if foreign:
                skipped.setdefault(foreign, []).append((source.place(), word_at(fields, "metadata", "name")))
                continue
            try:
                decoded = decode_with_warnings(fields, namespace)
            except ValidationError as error:
                problems += _located(source, f"{error.kind} {error.name}".rstrip(), error.violations)
                continue
            resources.append(decoded.resource)
            sources[decoded.resource.key] = source
            warnings += _located(source, _title(decoded.resource), decoded.warnings)
    if problems:
        raise InvalidDocumentsError(problems)
    return Manifest(tuple(resources), sources, (*warnings, *_skip_warnings(skipped)))


def _foreign_kind(fields: Any) -> Kind | None:
    return foreign_kind_of(fields.get("apiVersion"), fields.get("kind")) if isinstance(fields, dict) else None


def _skip_warnings(skipped: dict[Kind, list[tuple[str, str]]]) -> list[str]:
    """One for each kind, at the place of the first: a sample has six Deployments, and who asks where a request goes
    need not read of each."""
    return [
        f"{place}: {skip_warning(kind, name, more=len(others))}" for kind, ((place, name), *others) in skipped.items()
    ]


def _located(source: Source, title: str, notes: tuple[Violation, ...]) -> list[str]:
    return [f"{source.place(note.path)}: {title}: {note}" for note in notes]


def _title(resource: Resource[Any]) -> str:
    return f"{resource.kind.name} {resource.namespace}/{resource.name}"
