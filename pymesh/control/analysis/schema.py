"""What validation says: violations for which an object is refused, and warnings."""

from collections.abc import Iterator

from pymesh.control.analysis.analyzed_mesh import AnalyzedMesh
from pymesh.control.analysis.message import Message, report
from pymesh.control.analysis.message_types import SCHEMA_VALIDATION_ERROR, SCHEMA_WARNING
from pymesh.control.analysis.unreachable_rules import find_unreachable
from pymesh.control.model.kinds import VIRTUAL_SERVICE


def check_schema(mesh: AnalyzedMesh) -> Iterator[Message]:
    for invalid in mesh.invalid.values():
        for violation in invalid.violations:
            yield report(SCHEMA_VALIDATION_ERROR, invalid.key, violation.path, violation)
    for key, warnings in mesh.warnings.items():
        resource = mesh.resources.get(key)
        told = find_unreachable(resource) if resource is not None and resource.kind == VIRTUAL_SERVICE else []
        for warning in warnings:
            if warning not in told:
                yield report(SCHEMA_WARNING, key, warning.path, warning)
