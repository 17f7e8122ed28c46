from dataclasses import replace

import pytest

from pymesh.errors import DecodeError
from pymesh.protojson import Reader
from pymesh.proxy.telemetry.workload import Workload
from pymesh.proxy.upstream.endpoint import ClusterLoadAssignment, EndpointConfig, HealthCheckAddress, Locality
from pymesh.proxy.xds.eds import decode_cluster_load_assignment

NAME = "outbound|80||payment.default.svc.cluster.local"


def endpoint(address: str = "10.0.0.1", port: int = 15006, **fields) -> dict:
    return {"endpoint": {"address": {"socket_address": {"address": address, "port_value": port}}}, **fields}


def assignment(*endpoints: dict, **locality) -> dict:
    return {"cluster_name": NAME, "endpoints": [{"lb_endpoints": list(endpoints), **locality}]}


def decode(value: dict) -> ClusterLoadAssignment:
    reader = Reader(value)
    decoded = decode_cluster_load_assignment(reader)
    reader.reject_unread()
    return decoded


def test_an_endpoint_of_the_mesh_is_understood_whole():
    metadata = {
        "filter_metadata": {
            "istio": {"workload": "payment-v1;default;payment;v1;pymesh"},
            "envoy.transport_socket_match": {"tlsMode": "istio"},
        }
    }
    value = assignment(
        endpoint(metadata=metadata, load_balancing_weight=3),
        locality={"region": "r", "zone": "z", "sub_zone": "s"},
        load_balancing_weight=3,
        priority=1,
    )
    assert decode({"@type": "x", **value}) == ClusterLoadAssignment(
        NAME,
        (
            EndpointConfig(
                "10.0.0.1",
                15006,
                workload=Workload("payment-v1", "default", "payment", "v1", "pymesh"),
                weight=3,
                priority=1,
                locality=Locality("r", "z", "s"),
                locality_weight=3,
                transport_socket_match={"tlsMode": "istio"},
            ),
        ),
    )


def test_an_endpoint_may_be_no_more_than_an_address():
    assert decode(assignment(endpoint())).endpoints == (EndpointConfig("10.0.0.1", 15006),)


@pytest.mark.parametrize(
    ("status", "is_healthy"),
    [
        ("UNKNOWN", True),
        ("HEALTHY", True),
        ("DEGRADED", True),
        ("UNHEALTHY", False),
        ("DRAINING", False),
        ("TIMEOUT", False),
    ],
)
def test_health_says_who_is_used(status, is_healthy):
    expected = replace(EndpointConfig("10.0.0.1", 15006), is_healthy=is_healthy, is_degraded=status == "DEGRADED")
    assert decode(assignment(endpoint(health_status=status))).endpoints == (expected,)


def test_an_assignment_may_be_empty():
    assert decode({"cluster_name": NAME}) == ClusterLoadAssignment(NAME)


def test_strange_metadata_is_nobodys_error():
    metadata = {"filter_metadata": {"istio": "text", "other": {"a": 1}, "envoy.transport_socket_match": None}}
    assert decode(assignment(endpoint(metadata=metadata))).endpoints == (EndpointConfig("10.0.0.1", 15006),)


def test_the_policy_is_read():
    found = decode({"cluster_name": NAME, "policy": {"overprovisioning_factor": 200, "weighted_priority_health": True}})
    assert found == ClusterLoadAssignment(NAME, overprovisioning_factor=200, weighted_priority_health=True)


def test_a_locality_has_a_weight_only_if_it_is_named():
    named = assignment(endpoint(), locality={"zone": "a"}, load_balancing_weight=3)
    assert decode(named).endpoints[0].locality_weight == 3
    assert decode(assignment(endpoint(), load_balancing_weight=3)).endpoints[0].locality_weight == 0


def test_metadata_for_subsets_is_kept():
    metadata = {"filter_metadata": {"envoy.lb": {"version": "v1", "canary": True}}}
    assert decode(assignment(endpoint(metadata=metadata))).endpoints[0].lb_metadata == {"version": "v1", "canary": True}


def test_where_health_checks_go_is_read():
    plain = endpoint()
    plain["endpoint"]["health_check_config"] = {
        "port_value": 8081,
        "hostname": "check.example.com",
        "address": {"socket_address": {"address": "10.0.0.9", "port_value": 1}},
    }
    assert decode(assignment(plain)).endpoints[0].health_check == HealthCheckAddress(
        "10.0.0.9", 8081, "check.example.com"
    )
    plain["endpoint"]["health_check_config"] = {"disable_active_health_check": True}
    assert decode(assignment(plain)).endpoints[0].health_check.is_disabled


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({}, "cluster_name"),
        (assignment({}), "endpoints[0].lb_endpoints[0].endpoint"),
        (assignment(endpoint(port=0)), "endpoints[0].lb_endpoints[0].endpoint.address.socket_address.port_value"),
        (assignment(endpoint(load_balancing_weight=0)), "endpoints[0].lb_endpoints[0].load_balancing_weight"),
        (assignment(endpoint(), priority=129), "endpoints[0].priority"),
        (
            assignment({"endpoint": {"address": {"internal": {}}}}),
            "endpoints[0].lb_endpoints[0].endpoint.address.socket_address",
        ),
        ({"cluster_name": NAME, "policy": {"overprovisioning_factor": 0}}, "policy.overprovisioning_factor"),
        ({"cluster_name": NAME, "named_endpoints": {}}, "named_endpoints"),
        ({"cluster_name": NAME, "policy": {"drop_overloads": []}}, "policy.drop_overloads"),
    ],
)
def test_what_cannot_be_obeyed_is_rejected_by_its_path(value, path):
    with pytest.raises(DecodeError) as error:
        decode(value)
    assert error.value.path == path
