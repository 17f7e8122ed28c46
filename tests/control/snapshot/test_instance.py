import pytest

from pymesh.control.model.serializer import decode
from pymesh.control.model.workload_entry import WorkloadEntry
from pymesh.control.snapshot.instance import (
    Locality,
    build_inline_instance,
    build_instance,
    build_stand_in,
    parse_locality,
)

REGISTERED = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "WorkloadEntry",
    "metadata": {
        "name": "payment-v1-abcde",
        "annotations": {
            "pymesh.dev/service": "payment",
            "pymesh.dev/inbound-port": "15006",
            "pymesh.dev/app-port": "8080",
            "pymesh.dev/app-protocol": "http",
            "pymesh.dev/workload-name": "payment-v1",
        },
    },
    "spec": {
        "address": "10.0.0.1",
        "serviceAccount": "pay",
        "labels": {"app": "payment", "version": "v1", "security.istio.io/tlsMode": "istio"},
    },
}


def test_registered_sidecar_tells_its_ports_service_and_workload():
    instance = build_instance(decode(REGISTERED))
    assert (instance.inbound_port, instance.app_port, instance.app_protocol) == (15006, 8080, "http")
    assert instance.service == "payment"
    assert instance.workload == "payment-v1;default;payment;v1;pymesh"
    assert instance.has_mtls


def test_canonical_labels_beat_app_and_version():
    labels = {
        "app": "a",
        "version": "b",
        "service.istio.io/canonical-name": "c",
        "service.istio.io/canonical-revision": "d",
    }
    instance = build_instance(decode({**REGISTERED, "spec": {"address": "10.0.0.1", "labels": labels}}))
    assert instance.workload == "payment-v1;default;c;d;pymesh"


def test_workload_without_annotations_or_labels_is_its_entry():
    resource = decode({**REGISTERED, "metadata": {"name": "vm"}, "spec": {"address": "10.0.0.1"}})
    instance = build_instance(resource)
    assert instance.workload == "vm;default;vm;latest;pymesh"
    assert instance.service_account == "default"
    assert not instance.has_mtls


def test_condition_healthy_false_is_unhealthy_and_no_condition_is_healthy():
    sick = {"conditions": [{"type": "Healthy", "status": "False"}]}
    assert not build_instance(decode({**REGISTERED, "status": sick})).is_healthy
    well = {"conditions": [{"type": "Healthy", "status": "True"}]}
    assert build_instance(decode({**REGISTERED, "status": well})).is_healthy
    assert build_instance(decode(REGISTERED)).is_healthy


@pytest.mark.parametrize("conditions", [1, "Healthy", ["Healthy"], [None], {"type": "Healthy", "status": "False"}])
def test_conditions_that_are_none_say_nothing_of_health(conditions):
    """Nobody checks what is written to an object's status."""
    assert build_instance(decode({**REGISTERED, "status": {"conditions": conditions}})).is_healthy


def test_port_annotation_that_is_no_number_is_none():
    changed = {"name": "x", "annotations": {"pymesh.dev/inbound-port": "soon"}}
    assert build_instance(decode({**REGISTERED, "metadata": changed})).inbound_port == 0


def test_locality_may_be_cut_short():
    assert parse_locality("eu/eu-1/a") == Locality("eu", "eu-1", "a")
    assert parse_locality("eu") == Locality("eu")
    assert parse_locality("") == Locality()


def test_endpoint_of_a_service_entry_has_no_workload_name():
    instance = build_inline_instance(WorkloadEntry(labels={"app": "x"}), "default", "api.example.com")
    assert instance.address == "api.example.com"
    assert instance.workload.startswith(";default;x;")


def test_stand_in_has_no_workload():
    assert build_stand_in("api.example.com", "default").workload == ""
