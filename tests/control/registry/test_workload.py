import pytest

from pymesh.control.model.serializer import decode
from pymesh.control.registry.workload import build_service, build_workload_entry
from pymesh.errors import ValidationError


def test_a_registration_becomes_a_workload_entry(registration):
    entry = build_workload_entry("shop", "payment-v1-8080-abcde", registration(locality="eu/a"))
    assert (entry.spec.address, entry.spec.service_account, entry.spec.locality) == ("10.0.0.1", "payment", "eu/a")
    assert entry.metadata.annotations == {
        "pymesh.dev/service": "payment",
        "pymesh.dev/inbound-port": "15006",
        "pymesh.dev/app-port": "8080",
        "pymesh.dev/app-protocol": "http",
        "pymesh.dev/workload-name": "payment-v1",
        "pymesh.dev/lease": "true",
    }
    assert entry.spec.labels == {
        "app": "payment",
        "version": "v1",
        "security.istio.io/tlsMode": "istio",
        "service.istio.io/canonical-name": "payment",
        "service.istio.io/canonical-revision": "v1",
    }
    assert entry.status == {"conditions": [{"type": "Healthy", "status": "True"}]}


def test_labels_of_the_user_win(registration):
    entry = build_workload_entry("shop", "p", registration(labels={"app": "billing", "version": "v2"}))
    assert (entry.spec.labels["app"], entry.spec.labels["version"]) == ("billing", "v2")


def test_an_unhealthy_workload_says_so(registration):
    entry = build_workload_entry("shop", "p", registration(healthy=False))
    assert entry.status == {"conditions": [{"type": "Healthy", "status": "False"}]}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"service": "Payment!"}, "service"),
        ({"port": 0}, "port"),
        ({"app_port": 70000}, "app_port"),
        ({"app_protocol": "udp"}, "app_protocol"),
        ({"service_account": "a/b"}, "service_account"),
        ({"address": ""}, "spec.address"),
        ({"labels": {"bad key": "x"}}, "spec.labels"),
        ({"locality": "a/b/c/d"}, "spec.locality"),
    ],
)
def test_a_bad_registration_names_its_field(registration, fields, path):
    with pytest.raises(ValidationError) as caught:
        build_workload_entry("shop", "p", registration(**fields))
    assert any(violation.path.startswith(path) for violation in caught.value.violations)


def test_the_service_of_an_http_workload_has_port_80(registration):
    service = build_service("shop", "payment", [build_workload_entry("shop", "p", registration())])
    assert [(port.name, port.port) for port in service.spec.ports] == [("http", 80)]
    assert service.spec.selector == {"app": "payment"}
    assert service.metadata.labels == {"pymesh.dev/managed-by": "registry"}


@pytest.mark.parametrize(
    ("protocols", "name"), [(["grpc"], "grpc"), (["http2", "http2"], "http2"), (["grpc", "http"], "auto")]
)
def test_the_port_of_http_is_named_after_what_is_spoken(registration, protocols, name):
    entries = [build_workload_entry("shop", "p", registration(app_protocol=protocol)) for protocol in protocols]
    assert [(port.name, port.port) for port in build_service("shop", "payment", entries).spec.ports] == [(name, 80)]


def test_the_service_of_a_tcp_workload_has_the_applications_port(registration):
    entry = build_workload_entry("shop", "p", registration(app_protocol="tcp", app_port=5432))
    assert [(port.name, port.port) for port in build_service("shop", "db", [entry]).spec.ports] == [("tcp", 5432)]


def test_the_service_of_several_tcp_workloads_has_all_their_ports(registration):
    entries = [
        build_workload_entry("shop", "p", registration(app_protocol="tcp", app_port=port)) for port in (5433, 5432)
    ]
    ports = build_service("shop", "db", entries).spec.ports
    assert [(port.name, port.port) for port in ports] == [("tcp-5432", 5432), ("tcp-5433", 5433)]


@pytest.fixture
def group():
    spec = {
        "metadata": {"labels": {"tier": "of-metadata", "zone": "of-metadata"}, "annotations": {"note": "x"}},
        "template": {
            "labels": {"app": "billing", "tier": "of-template", "zone": "of-template", "version": "of-template"},
            "locality": "eu/berlin",
            "weight": 10,
            "ports": {"http": 8080},
        },
    }
    metadata = {"name": "payments", "namespace": "shop"}
    return decode({"apiVersion": "networking.istio.io/v1", "kind": "WorkloadGroup", "metadata": metadata, "spec": spec})


def test_labels_of_the_workload_go_before_the_groups_and_those_before_the_templates(registration, group):
    entry = build_workload_entry("shop", "p", registration(labels={"zone": "own"}), group)
    assert entry.spec.labels == {
        "app": "billing",
        "tier": "of-metadata",
        "zone": "own",
        "version": "of-template",
        "service.istio.io/canonical-name": "payment",
        "service.istio.io/canonical-revision": "of-template",
    }
    assert entry.metadata.labels == entry.spec.labels


def test_the_template_tells_what_the_workload_does_not(registration, group):
    spec = build_workload_entry("shop", "p", registration(), group).spec
    assert (spec.weight, spec.locality, spec.ports) == (10, "eu/berlin", {"http": 8080})
    assert (spec.address, spec.service_account) == ("10.0.0.1", "payment")
    assert build_workload_entry("shop", "p", registration(locality="us"), group).spec.locality == "us"


def test_annotations_of_the_group_do_not_replace_those_of_the_registry(registration, group):
    group.spec.metadata.annotations["pymesh.dev/lease"] = "false"
    notes = build_workload_entry("shop", "p", registration(), group).metadata.annotations
    assert (notes["note"], notes["istio.io/autoRegistrationGroup"]) == ("x", "payments")
    assert notes["pymesh.dev/lease"] == "true"
