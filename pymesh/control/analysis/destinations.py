"""Where VirtualServices lead: each destination with its place, and the service that it names."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pymesh.control.analysis.analyzed_mesh import AnalyzedMesh
from pymesh.control.model.messages import Destination
from pymesh.control.model.resource import Resource
from pymesh.control.model.virtual_service import HTTPRoute, HTTPRouteDestination, RouteDestination, VirtualService
from pymesh.control.snapshot.host_index import covering_hosts
from pymesh.control.snapshot.mesh_service import MeshService
from pymesh.names import resolve_host


class PlacedDestination(NamedTuple):
    """`path` is `spec.http[0].route[0].destination`."""

    destination: Destination
    path: str
    is_mirror: bool = False


def destinations_of(spec: VirtualService) -> Iterator[PlacedDestination]:
    for index, http in enumerate(spec.http):
        yield from _routed(http.route, f"spec.http[{index}]")
        yield from _mirrors(http, f"spec.http[{index}]")
    for index, tls in enumerate(spec.tls):
        yield from _routed(tls.route, f"spec.tls[{index}]")
    for index, tcp in enumerate(spec.tcp):
        yield from _routed(tcp.route, f"spec.tcp[{index}]")


def _routed(targets: Sequence[HTTPRouteDestination | RouteDestination], path: str) -> Iterator[PlacedDestination]:
    for number, target in enumerate(targets):
        if target.destination is not None:
            yield PlacedDestination(target.destination, f"{path}.route[{number}].destination")


def _mirrors(http: HTTPRoute, path: str) -> Iterator[PlacedDestination]:
    if http.mirror is not None:
        yield PlacedDestination(http.mirror, f"{path}.mirror", is_mirror=True)
    for number, mirror in enumerate(http.mirrors):
        if mirror.destination is not None:
            yield PlacedDestination(mirror.destination, f"{path}.mirrors[{number}].destination", is_mirror=True)


def clients_of(resource: Resource[VirtualService]) -> tuple[str, ...]:
    """The namespaces whose view decides: those that it names in exportTo, or else its own."""
    namespace, export_to = resource.namespace, resource.spec.export_to
    named = [namespace if item == "." else item for item in export_to if item not in ("*", "~")]
    return tuple(dict.fromkeys(named if named and "*" not in export_to else (namespace,)))


def find_service(mesh: AnalyzedMesh, host: str, namespace: str, clients: tuple[str, ...]) -> MeshService | None:
    """The service of a host that an object in `namespace` names, if one of the clients sees it; else the narrowest
    wildcard that covers it."""
    for candidate in covering_hosts(resolve_host(host, namespace).lower()):
        for service in mesh.snapshot.services_by_host.get(candidate, ()):
            if any(service.visibility.includes(client) for client in clients):
                return service
    return None


def is_of_invalid(mesh: AnalyzedMesh, host: str, namespace: str) -> bool:
    """Whether an invalid object is for this host; what is missing because of that is not worth a message."""
    covering = covering_hosts(resolve_host(host, namespace).lower())
    return any(candidate in mesh.hosts_of_invalid for candidate in covering)
