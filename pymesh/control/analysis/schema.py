"""What validation says: violations for which an object is refused, warnings, and rules that are never reached."""

from collections.abc import Iterator

from pymesh.control.analysis.analyzed_mesh import AnalyzedMesh
from pymesh.control.analysis.message import Message, report
from pymesh.control.analysis.message_types import (
    SCHEMA_VALIDATION_ERROR,
    SCHEMA_WARNING,
    VIRTUAL_SERVICE_INEFFECTIVE_MATCH,
    VIRTUAL_SERVICE_UNREACHABLE_RULE,
)
from pymesh.control.model.document_lines import steps_of
from pymesh.control.model.kinds import VIRTUAL_SERVICE
from pymesh.control.model.resource import Resource
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation.unreachable import warn_of_unreachable
from pymesh.control.model.virtual_service import VirtualService
from pymesh.errors import Violation


def check_schema(mesh: AnalyzedMesh) -> Iterator[Message]:
    for invalid in mesh.invalid.values():
        for violation in invalid.violations:
            yield report(SCHEMA_VALIDATION_ERROR, invalid.key, violation.path, violation)
    for key, warnings in mesh.warnings.items():
        resource = mesh.resources.get(key)
        told = _unreachable(resource) if resource is not None and resource.kind == VIRTUAL_SERVICE else []
        for warning in warnings:
            if warning not in told:
                yield report(SCHEMA_WARNING, key, warning.path, warning)


def check_unreachable_rules(mesh: AnalyzedMesh) -> Iterator[Message]:
    for resource in mesh.of(VIRTUAL_SERVICE, VirtualService):
        for warning in _unreachable(resource):
            yield _unreachable_message(resource, warning)


def _unreachable(resource: Resource[VirtualService]) -> list[Violation]:
    spec, at = resource.spec, Scope("spec")
    for name, routes in (("http", spec.http), ("tls", spec.tls), ("tcp", spec.tcp)):
        warn_of_unreachable(routes, at[name])
    return at.warnings


def _unreachable_message(resource: Resource[VirtualService], warning: Violation) -> Message:
    """Of `spec.http[2]` the rule is not used, of `spec.http[2].match[0]` the match."""
    _, protocol, number, *rest = steps_of(warning.path)
    route = resource.spec.http[int(number)] if protocol == "http" else None
    name = f'"{route.name}"' if route is not None and route.name else f"#{number}"
    reason = warning.message.partition(": ")[2] or warning.message
    if rest:
        _, match = rest
        return report(VIRTUAL_SERVICE_INEFFECTIVE_MATCH, resource.key, warning.path, name, f"#{match}", reason)
    return report(VIRTUAL_SERVICE_UNREACHABLE_RULE, resource.key, warning.path, name, reason)
