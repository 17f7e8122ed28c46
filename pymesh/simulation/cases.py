"""Cases of `pymesh test`: a call and what is expected of it. Reads them, runs them, and says what differs."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pymesh.config_files import SUFFIXES
from pymesh.control.model.document import Document, DocumentError, read_documents
from pymesh.control.model.document_lines import node_of
from pymesh.errors import UsageError
from pymesh.simulation.call import FIELDS, Call, parse_call
from pymesh.simulation.decision import Decision
from pymesh.simulation.expectation import EXPECTATIONS, differences
from pymesh.simulation.mesh import SimulatedMesh

_OWN_FIELDS = ("name", "expect")
_CAMEL = re.compile(r"(?<=[a-z])[A-Z]")


@dataclass(frozen=True, slots=True)
class Case:
    """`place`: `cases.yaml:12`."""

    name: str
    place: str
    call: Call
    expect: Mapping[str, Any]


class CaseFile(NamedTuple):
    """`config` are files and directories that the file names, relative to its own directory."""

    path: str
    config: tuple[str, ...]
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`differences` are lines such as `timeout: expected 2s, got none`; empty: the case passed."""

    case: Case
    decision: Decision
    differences: tuple[str, ...]


def is_case_file(path: Path) -> bool:
    """Whether a YAML file has cases, and not objects: a list, or a map with `cases`."""
    try:
        documents = read_documents(path.read_bytes())
    except (DocumentError, OSError):
        return False
    return any(isinstance(item.value, list) or _has_cases(item.value) for item in documents)


def case_files(path: str) -> list[Path]:
    """The file, or those of a directory, and of the directories in it, that have cases. Raises UsageError."""
    root = Path(path)
    if not root.is_dir():
        return [root]
    found = sorted(file for file in root.rglob("*") if file.suffix in SUFFIXES and is_case_file(file))
    if not found:
        raise UsageError(f"{path}: has no file with cases")
    return found


def read_cases(path: Path) -> CaseFile:
    """Raises UsageError with the place of what is wrong."""
    try:
        documents = read_documents(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except DocumentError as error:
        raise UsageError(f"{path}: {error}") from error
    config: list[str] = []
    cases: list[Case] = []
    for document in documents:
        config += _config(path, document)
        cases += _cases(path, document)
    if not cases:
        raise UsageError(f"{path}: has no cases")
    return CaseFile(str(path), tuple(config), tuple(cases))


def run_case(mesh: SimulatedMesh, case: Case) -> Outcome:
    decision = mesh.decide(case.call)
    return Outcome(case, decision, tuple(differences(case.expect, case.call, decision)))


def _config(path: Path, document: Document) -> list[str]:
    if not isinstance(document.value, dict):
        return []
    given = document.value.get("config", [])
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UsageError(f"{path}:{document.lines.line_of('config')}: config must be a list of files and directories")
    return [str(path.parent / name) for name in names]


def _cases(path: Path, document: Document) -> Iterator[Case]:
    value, lines = document.value, document.lines
    if _has_cases(value):
        unknown = sorted(value.keys() - {"cases", "config"})
        if unknown:
            raise UsageError(f"{path}:{lines.line_of(unknown[0])}: unknown field {unknown[0]!r}")
        value, lines = value["cases"], node_of(lines.children["cases"])
    if not isinstance(value, list):
        raise UsageError(f"{path}:{lines.line}: must be a list of cases")
    for i, fields in enumerate(value):
        yield _case(f"{path}:{node_of(lines.children[i]).line}", i, fields)


def _case(place: str, index: int, fields: Any) -> Case:
    if not isinstance(fields, dict):
        raise UsageError(f"{place}: a case must be a map with request and expect")
    call = {name: value for name, value in fields.items() if name not in _OWN_FIELDS}
    unknown = [name for name in call if name.replace("_", "-") not in FIELDS]
    if unknown:
        known = ", ".join((*_OWN_FIELDS, *FIELDS))
        raise UsageError(f"{place}: unknown field {unknown[0]!r}; the fields of a case are {known}")
    try:
        parsed = parse_call(call)
    except UsageError as error:
        raise UsageError(f"{place}: {error}") from error
    expect = fields.get("expect")
    if not isinstance(expect, dict) or not expect:
        raise UsageError(f"{place}: expect is required: what must become of the request")
    for name in expect:
        if _snake(name) not in EXPECTATIONS:
            raise UsageError(f"{place}: unknown expectation {name!r}; there are {', '.join(EXPECTATIONS)}")
    return Case(str(fields.get("name") or f"case {index + 1}"), place, parsed, _snake_keys(expect))


def _has_cases(value: Any) -> bool:
    return isinstance(value, dict) and "cases" in value


def _snake(name: str) -> str:
    return _CAMEL.sub(lambda match: f"_{match[0].lower()}", str(name))


def _snake_keys(value: Any, is_verbatim: bool = False) -> Any:
    """Fields may be written as in Istio's YAML (`perTryTimeout`); names of headers and clusters stay as they are."""
    if isinstance(value, dict):
        verbatim = ("headers", "weights", "request_headers", "response_headers")
        return {
            (name if is_verbatim else _snake(name)): _snake_keys(item, is_verbatim or name in verbatim)
            for name, item in value.items()
        }
    return [_snake_keys(item, is_verbatim) for item in value] if isinstance(value, list) else value
