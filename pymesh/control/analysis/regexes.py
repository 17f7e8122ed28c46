"""Regexes of VirtualServices that RE2 does not take."""

from collections.abc import Iterator
from typing import Any

from pymesh.control.analysis.analyzed_mesh import AnalyzedMesh
from pymesh.control.analysis.message import Message, report
from pymesh.control.analysis.message_types import INVALID_REGEXP
from pymesh.control.model.kinds import VIRTUAL_SERVICE
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation.syntax import check_regex


def check_regexes(mesh: AnalyzedMesh) -> Iterator[Message]:
    """Of invalid objects, as validation refuses each with a wrong one."""
    for invalid in mesh.invalid.values():
        spec = invalid.fields.get("spec") if isinstance(invalid.fields, dict) else None
        for at, pattern in _regexes(spec, Scope("spec")) if invalid.key.kind == VIRTUAL_SERVICE.name else ():
            problem = Scope("regex")
            check_regex(pattern, problem)
            for violation in problem.violations:
                yield report(INVALID_REGEXP, invalid.key, at.path, at.path, pattern, violation.message)


def _regexes(value: Any, at: Scope) -> Iterator[tuple[Scope, str]]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _regexes(item, at[index])
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "regex" and isinstance(item, str) and item not in ("", "*"):
                yield at[key], item
            else:
                yield from _regexes(item, at[key])
