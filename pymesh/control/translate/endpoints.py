"""ClusterLoadAssignments: the endpoints of a cluster, by locality."""

from collections.abc import Iterable
from typing import Any

from pymesh.control.snapshot.instance import Locality
from pymesh.control.snapshot.mesh_service import Endpoint
from pymesh.control.translate.config_source import socket_address
from pymesh.names import ISTIO_METADATA, TLS_MODE, TRANSPORT_SOCKET_MATCH
from pymesh.xds import ENDPOINT, Resource


def build_load_assignment(cluster: str, endpoints: Iterable[Endpoint], allows_mtls: bool) -> Resource:
    """`allows_mtls`: not where the cluster's policy speaks against it; then no endpoint says that it could."""
    localities: dict[Locality, list[dict[str, Any]]] = {}
    for endpoint in endpoints:
        built = _endpoint(endpoint, allows_mtls and endpoint.is_mtls)
        localities.setdefault(endpoint.instance.locality, []).append(built)
    return {
        "@type": ENDPOINT,
        "cluster_name": cluster,
        "endpoints": [_locality(locality, members) for locality, members in sorted(localities.items())],
    }


def inline_assignment(assignment: Resource) -> dict[str, Any]:
    """The form that stands inside a cluster."""
    return {key: value for key, value in assignment.items() if key != "@type"}


def _locality(locality: Locality, members: list[dict[str, Any]]) -> dict[str, Any]:
    group: dict[str, Any] = {}
    named = {key: value for key, value in locality._asdict().items() if value}
    if named:
        group["locality"] = named
    group["lb_endpoints"] = members
    group["load_balancing_weight"] = sum(member["load_balancing_weight"] for member in members)
    return group


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
