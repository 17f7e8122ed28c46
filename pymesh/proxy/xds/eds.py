"""ClusterLoadAssignment -> the endpoints of a cluster. Pure.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/endpoint/v3/endpoint.proto
https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/endpoint/v3/endpoint_components.proto
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pymesh.names import ISTIO_METADATA, LB_METADATA, TRANSPORT_SOCKET_MATCH
from pymesh.protojson import Reader
from pymesh.proxy.telemetry.workload import UNKNOWN_WORKLOAD, parse_workload
from pymesh.proxy.upstream.endpoint import (
    SAME_ADDRESS,
    ClusterLoadAssignment,
    EndpointConfig,
    HealthCheckAddress,
    Locality,
)
from pymesh.proxy.upstream.priority_load import OVERPROVISIONING
from pymesh.xds import UNIX_PREFIX

# core.v3.HealthStatus
_HEALTH = ("UNKNOWN", "HEALTHY", "UNHEALTHY", "DRAINING", "TIMEOUT", "DEGRADED")
_UNHEALTHY = ("UNHEALTHY", "DRAINING", "TIMEOUT")
_HIGHEST_PRIORITY = 128
_HIGHEST_WEIGHT = 2**32 - 1


class _Place(NamedTuple):
    """What the endpoints of one LocalityLbEndpoints have in common."""

    priority: int
    locality: Locality
    weight: int


def decode_cluster_load_assignment(reader: Reader) -> ClusterLoadAssignment:
    """Raises DecodeError."""
    reader.ignore("@type")
    overprovisioning, is_weighted = OVERPROVISIONING, False
    policy = reader.object("policy")
    if policy is not None:
        overprovisioning = policy.integer("overprovisioning_factor", OVERPROVISIONING)
        is_weighted = policy.boolean("weighted_priority_health")
        # ClusterLoadAssignment.Policy: "validate.rules: uint32 {gt: 0}"
        if overprovisioning <= 0:
            policy.fail("overprovisioning_factor", "must be above 0")
    return ClusterLoadAssignment(
        cluster_name=reader.required_string("cluster_name"),
        endpoints=tuple(endpoint for group in reader.objects("endpoints") for endpoint in _decode_locality(group)),
        overprovisioning_factor=overprovisioning,
        weighted_priority_health=is_weighted,
    )


def _decode_locality(reader: Reader) -> list[EndpointConfig]:
    reader.ignore("metadata")
    priority = reader.integer("priority")
    if not 0 <= priority <= _HIGHEST_PRIORITY:
        reader.fail("priority", f"must be 0..{_HIGHEST_PRIORITY}")
    found = reader.object("locality")
    fields = Locality._fields
    locality = Locality() if found is None else Locality(*(found.string(field) for field in fields))
    weight = reader.integer("load_balancing_weight")
    if not 0 <= weight <= _HIGHEST_WEIGHT:
        reader.fail("load_balancing_weight", "must not be negative")
    place = _Place(priority, locality, weight if found is not None else 0)  # Envoy: no locality, no weight
    return [_decode_endpoint(item, place) for item in reader.objects("lb_endpoints")]


def _decode_endpoint(reader: Reader, place: _Place) -> EndpointConfig:
    endpoint = reader.required_object("endpoint")
    host, port = _decode_address(endpoint.required_object("address"))
    metadata = _filter_metadata(reader)
    workload = metadata.get(ISTIO_METADATA, {}).get("workload")
    status = reader.enum("health_status", _HEALTH)
    return EndpointConfig(
        host=host,
        port=port,
        hostname=endpoint.string("hostname"),
        workload=UNKNOWN_WORKLOAD if workload is None else parse_workload(str(workload)),
        weight=_decode_weight(reader),
        priority=place.priority,
        locality=place.locality,
        locality_weight=place.weight,
        is_healthy=status not in _UNHEALTHY,
        is_degraded=status == "DEGRADED",
        transport_socket_match=metadata.get(TRANSPORT_SOCKET_MATCH, {}),
        lb_metadata=metadata.get(LB_METADATA, {}),
        health_check=_decode_health_check(endpoint.object("health_check_config")),
    )


def _decode_address(reader: Reader) -> tuple[str, int]:
    """envoy.config.core.v3.Address: an IP address and port, or a Unix socket."""
    pipe = reader.object("pipe")
    if pipe is not None:
        return UNIX_PREFIX + pipe.required_string("path"), 0
    address = reader.required_object("socket_address")
    return address.required_string("address"), _decode_port(address)


def _decode_health_check(reader: Reader | None) -> HealthCheckAddress:
    if reader is None:
        return SAME_ADDRESS
    address = reader.object("address")
    socket_address = None if address is None else address.required_object("socket_address")
    own_port = 0 if socket_address is None else _decode_port(socket_address)
    port = reader.integer("port_value") or own_port
    if not 0 <= port < 65536:
        reader.fail("port_value", "must be 0..65535")
    return HealthCheckAddress(
        host="" if socket_address is None else socket_address.required_string("address"),
        port=port,
        hostname=reader.string("hostname"),
        is_disabled=reader.boolean("disable_active_health_check"),
    )


def _decode_port(address: Reader) -> int:
    if address.enum("protocol", ("TCP", "UDP")) != "TCP":
        address.fail("protocol", "must be TCP")
    port = address.integer("port_value")
    return port if 0 < port < 65536 else address.fail("port_value", "must be 1..65535")


def _decode_weight(reader: Reader) -> int:
    # LbEndpoint.load_balancing_weight: "the load balancing weight of the upstream host must be at least 1".
    weight = reader.integer("load_balancing_weight", 1)
    return weight if 1 <= weight <= _HIGHEST_WEIGHT else reader.fail("load_balancing_weight", "must be at least 1")


def _filter_metadata(reader: Reader) -> dict[str, dict[str, Any]]:
    """By filter; what is not an object is not metadata. Metadata is anybody's, so that unknown keys are no error."""
    metadata = reader.object("metadata")
    if metadata is None:
        return {}
    metadata.ignore("typed_filter_metadata")
    found = metadata.map("filter_metadata")
    return {key: dict(value) for key, value in found.items() if isinstance(value, Mapping)}
