"""Rules and matches of VirtualServices that are not used, as validation finds them."""

from collections.abc import Iterator, Sequence

from pymesh.control.analysis.analyzed_mesh import AnalyzedMesh
from pymesh.control.analysis.message import Message, report
from pymesh.control.analysis.message_types import VIRTUAL_SERVICE_INEFFECTIVE_MATCH, VIRTUAL_SERVICE_UNREACHABLE_RULE
from pymesh.control.model.document_lines import steps_of
from pymesh.control.model.kinds import VIRTUAL_SERVICE
from pymesh.control.model.resource import Resource
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation.unreachable import warn_of_unreachable
from pymesh.control.model.virtual_service import HTTPRoute, TCPRoute, TLSRoute, VirtualService
from pymesh.errors import Violation

_Route = HTTPRoute | TLSRoute | TCPRoute


def find_unreachable(resource: Resource[VirtualService]) -> list[Violation]:
    """Those of the object's warnings that are about rules and matches that are not used."""
    at = Scope("spec")
    for protocol, routes in _routes(resource.spec).items():
        warn_of_unreachable(routes, at[protocol])
    return at.warnings


def check_unreachable_rules(mesh: AnalyzedMesh) -> Iterator[Message]:
    for resource in mesh.of(VIRTUAL_SERVICE, VirtualService):
        for warning in find_unreachable(resource):
            yield from _messages(resource, warning)


def _routes(spec: VirtualService) -> dict[str, Sequence[_Route]]:
    return {"http": spec.http, "tls": spec.tls, "tcp": spec.tcp}


def _messages(resource: Resource[VirtualService], warning: Violation) -> Iterator[Message]:
    """Of `spec.http[2]` the rule and, if its matches are the reason, each of them is not used; of
    `spec.http[2].match[0]` the match."""
    _, protocol, index, *rest = steps_of(warning.path)
    number, routes = int(index), _routes(resource.spec)[str(protocol)]
    name, reason = _name(routes[number], number), warning.message.partition(": ")[2] or warning.message
    unused = rest[1:]
    if not rest:
        yield report(VIRTUAL_SERVICE_UNREACHABLE_RULE, resource.key, warning.path, name, reason)
        unused = list(range(len(routes[number].match))) if not any(map(_takes_all, routes[:number])) else []
    for match in unused:
        path = f"spec.{protocol}[{number}].match[{match}]"
        yield report(VIRTUAL_SERVICE_INEFFECTIVE_MATCH, resource.key, path, name, f"#{match}", reason)


def _takes_all(route: _Route) -> bool:
    return not route.match and not (isinstance(route, HTTPRoute) and route.delegate is not None)


def _name(route: _Route, number: int) -> str:
    return f'"{route.name}"' if isinstance(route, HTTPRoute) and route.name else f"#{number}"
