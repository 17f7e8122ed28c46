"""ClusterLoadAssignments: the endpoints of a cluster, by locality."""

from collections.abc import Iterable
from typing import Any

from pymesh.control.snapshot.instance import Locality
from pymesh.control.snapshot.mesh_service import Endpoint
from pymesh.control.translate.config_source import socket_address
from pymesh.control.translate.locality import NO_LOCALITY_LB, LocalityGroup, LocalityLb
from pymesh.names import ISTIO_METADATA, TLS_MODE, TRANSPORT_SOCKET_MATCH
from pymesh.xds import ENDPOINT, Resource


def build_load_assignment(
    cluster: str, endpoints: Iterable[Endpoint], allows_mtls: bool, locality_lb: LocalityLb = NO_LOCALITY_LB
) -> Resource:
    """`allows_mtls`: not where the cluster's policy speaks against it; then no endpoint says that it could."""
    localities: dict[Locality, list[Endpoint]] = {}
    for endpoint in endpoints:
        localities.setdefault(endpoint.instance.locality, []).append(endpoint)
    groups = [
        LocalityGroup(locality, tuple(members), sum(member.instance.weight or 1 for member in members))
        for locality, members in sorted(localities.items())
    ]
    return {
        "@type": ENDPOINT,
        "cluster_name": cluster,
        "endpoints": [_locality(group, allows_mtls) for group in locality_lb.apply(groups)],
    }


def inline_assignment(assignment: Resource) -> dict[str, Any]:
    """The form that stands inside a cluster."""
    return {key: value for key, value in assignment.items() if key != "@type"}


def _locality(group: LocalityGroup, allows_mtls: bool) -> dict[str, Any]:
    built: dict[str, Any] = {}
    named = {key: value for key, value in group.locality._asdict().items() if value}
    if named:
        built["locality"] = named
    built["lb_endpoints"] = [_endpoint(member, allows_mtls and member.is_mtls) for member in group.endpoints]
    built["load_balancing_weight"] = group.weight
    if group.priority:
        built["priority"] = group.priority
    return built


def _endpoint(endpoint: Endpoint, is_mtls: bool) -> dict[str, Any]:
    built: dict[str, Any] = {"endpoint": {"address": socket_address(endpoint.address, endpoint.port)}}
    metadata: dict[str, Any] = {}
    if endpoint.instance.workload:
        metadata[ISTIO_METADATA] = {"workload": endpoint.instance.workload}
    if is_mtls:
        metadata[TRANSPORT_SOCKET_MATCH] = {TLS_MODE: "istio"}
    if metadata:
        built["metadata"] = {"filter_metadata": metadata}
    built["load_balancing_weight"] = endpoint.instance.weight or 1
    return built
