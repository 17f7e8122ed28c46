"""Destinations of VirtualServices: services, ports, subsets and delegates that are not there."""

from collections.abc import Iterator

from pymesh.control.analysis.analyzed_mesh import AnalyzedMesh
from pymesh.control.analysis.destinations import (
    PlacedDestination,
    clients_of,
    destinations_of,
    find_service,
    is_of_invalid,
)
from pymesh.control.analysis.message import Message, report
from pymesh.control.analysis.message_types import (
    REFERENCED_RESOURCE_NOT_FOUND,
    VIRTUAL_SERVICE_DESTINATION_PORT_SELECTOR_REQUIRED,
)
from pymesh.control.model.destination_rule import DestinationRule
from pymesh.control.model.kinds import DESTINATION_RULE, VIRTUAL_SERVICE
from pymesh.control.model.resource import Resource
from pymesh.control.model.virtual_service import VirtualService
from pymesh.control.snapshot.host_index import covering_hosts
from pymesh.control.snapshot.mesh_service import MeshService
from pymesh.names import resolve_host


def check_destination_hosts(mesh: AnalyzedMesh) -> Iterator[Message]:
    for resource in mesh.of(VIRTUAL_SERVICE, VirtualService):
        for placed in destinations_of(resource.spec):
            host = placed.destination.host
            service = find_service(mesh, host, resource.namespace, clients_of(resource))
            if service is not None:
                yield from _check_port(resource, placed, service)
            elif not is_of_invalid(mesh, host, resource.namespace):
                what = "mirror host" if placed.is_mirror else "host"
                yield report(REFERENCED_RESOURCE_NOT_FOUND, resource.key, f"{placed.path}.host", what, host)


def _check_port(
    resource: Resource[VirtualService], placed: PlacedDestination, service: MeshService
) -> Iterator[Message]:
    destination, ports = placed.destination, [port.number for port in service.ports]
    if destination.port is None:
        if len(ports) > 1:
            listed = ", ".join(map(str, ports))
            kind = VIRTUAL_SERVICE_DESTINATION_PORT_SELECTOR_REQUIRED
            yield report(kind, resource.key, f"{placed.path}.host", destination.host, listed)
    elif destination.port.number not in ports:
        named = f"{destination.host}:{destination.port.number}"
        yield report(REFERENCED_RESOURCE_NOT_FOUND, resource.key, f"{placed.path}.port.number", "host:port", named)


def check_destination_subsets(mesh: AnalyzedMesh) -> Iterator[Message]:
    known = _subsets(mesh)
    for resource in mesh.of(VIRTUAL_SERVICE, VirtualService):
        for placed in destinations_of(resource.spec):
            host, subset = placed.destination.host, placed.destination.subset
            covering = covering_hosts(resolve_host(host, resource.namespace).lower())
            if not subset or any((candidate, subset) in known for candidate in covering):
                continue
            if not is_of_invalid(mesh, host, resource.namespace):
                what = "mirror+subset in destinationrule" if placed.is_mirror else "host+subset in destinationrule"
                yield report(
                    REFERENCED_RESOURCE_NOT_FOUND, resource.key, f"{placed.path}.subset", what, f"{host}+{subset}"
                )


def _subsets(mesh: AnalyzedMesh) -> set[tuple[str, str]]:
    """Host and name of all subsets."""
    return {
        (resolve_host(resource.spec.host, resource.namespace).lower(), subset.name)
        for resource in mesh.of(DESTINATION_RULE, DestinationRule)
        for subset in resource.spec.subsets
    }


def check_delegates(mesh: AnalyzedMesh) -> Iterator[Message]:
    for resource in mesh.of(VIRTUAL_SERVICE, VirtualService):
        for index, http in enumerate(resource.spec.http):
            if http.delegate is None:
                continue
            namespace, name = http.delegate.namespace or resource.namespace, http.delegate.name
            if not mesh.has(VIRTUAL_SERVICE, namespace, name):
                path, named = f"spec.http[{index}].delegate", f"{namespace}/{name}"
                yield report(REFERENCED_RESOURCE_NOT_FOUND, resource.key, path, "delegate", named)
