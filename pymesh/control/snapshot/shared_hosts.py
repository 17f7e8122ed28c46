"""ServiceEntries of one namespace that speak of the same host, each of its own ports or endpoints: one service.

Istio: canMergeServices in pilot/pkg/model/sidecar.go; endpoints are kept by host and namespace, whoever declared them.
"""

from collections.abc import Iterable
from dataclasses import replace

from pymesh.control.snapshot.mesh_service import Endpoint, MeshService


def merge_shared_hosts(candidates: Iterable[MeshService]) -> tuple[MeshService, ...]:
    """`candidates` are of one host, the best first. Of Services there is one in a namespace, and it stays as it is."""
    merged: list[MeshService] = []
    for service in candidates:
        index = next((place for place, other in enumerate(merged) if _can_merge(other, service)), None)
        if index is None:
            merged.append(service)
        else:
            merged[index] = _merge(merged[index], service)
    return tuple(merged)


def _can_merge(older: MeshService, younger: MeshService) -> bool:
    return (
        not older.is_kubernetes
        and not younger.is_kubernetes
        and older.namespace == younger.namespace
        and older.resolution is younger.resolution
        and older.is_unresolved == younger.is_unresolved
        and older.selector == younger.selector
        and older.visibility == younger.visibility
    )


def _merge(older: MeshService, younger: MeshService) -> MeshService:
    """A port that both have is the older's; its endpoints are those of both."""
    known = {port.number for port in older.ports}
    added = tuple(port for port in younger.ports if port.number not in known)
    numbers = dict.fromkeys((*older.endpoints, *younger.endpoints))
    return replace(
        older,
        ports=(*older.ports, *added),
        endpoints={number: _endpoints(older, younger, number) for number in numbers},
        service_accounts=_union(older.service_accounts, younger.service_accounts),
        subject_alt_names=_union(older.subject_alt_names, younger.subject_alt_names),
        addresses=_union(older.addresses, younger.addresses),
        subnets=_union(older.subnets, younger.subnets),
    )


def _endpoints(older: MeshService, younger: MeshService, number: int) -> tuple[Endpoint, ...]:
    found = (*older.endpoints.get(number, ()), *younger.endpoints.get(number, ()))
    by_place = {(endpoint.address, endpoint.port): endpoint for endpoint in reversed(found)}
    return tuple(by_place[place] for place in sorted(by_place))


def _union(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*one, *other)))
