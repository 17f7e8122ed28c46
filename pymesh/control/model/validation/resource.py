"""Rules of whole resources: metadata, then what the kind demands."""

from collections.abc import Callable
from typing import Any

from pymesh.control.model import kinds
from pymesh.control.model.resource import Metadata, Resource
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation.destination_rule import check_destination_rule
from pymesh.control.model.validation.gateway import check_gateway
from pymesh.control.model.validation.metadata import check_metadata
from pymesh.control.model.validation.peer_authentication import check_peer_authentication
from pymesh.control.model.validation.secret import check_secret
from pymesh.control.model.validation.service import check_service
from pymesh.control.model.validation.service_entry import check_service_entry
from pymesh.control.model.validation.virtual_service import check_virtual_service
from pymesh.control.model.validation.workload_entry import check_workload_entry
from pymesh.errors import Violation

_CHECKS: dict[kinds.Kind, Callable[[Any, Metadata, Scope], None]] = {
    kinds.VIRTUAL_SERVICE: check_virtual_service,
    kinds.DESTINATION_RULE: check_destination_rule,
    kinds.GATEWAY: check_gateway,
    kinds.SERVICE_ENTRY: check_service_entry,
    kinds.WORKLOAD_ENTRY: check_workload_entry,
    kinds.PEER_AUTHENTICATION: check_peer_authentication,
    kinds.SERVICE: check_service,
    kinds.SECRET: check_secret,
}


def validate(resource: Resource[Any]) -> list[Violation]:
    """What the resource violates; empty if it may be stored. The namespace must be filled in."""
    at = Scope()
    check_metadata(resource.kind, resource.metadata, at["metadata"])
    _CHECKS[resource.kind](resource.spec, resource.metadata, at if resource.kind.is_inline else at["spec"])
    return at.violations
