"""Services and ServiceEntries become MeshServices."""

import pytest

from pymesh.control.snapshot.mesh_service import Resolution

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: payment}
spec:
  selector: {app: payment}
  ports: [{name: http, port: 80, targetPort: %s}]
---
"""
ENTRY = """
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: %s, annotations: %s}
spec: {address: %s, labels: {app: payment, security.istio.io/tlsMode: istio}, ports: %s, serviceAccount: pay}
---
"""
SIDECAR = '{pymesh.dev/service: payment, pymesh.dev/inbound-port: "15006", pymesh.dev/app-port: "8080"}'
SERVICE_ENTRY = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: external}
spec:
  hosts: [%s]
  ports: [{number: 80, name: http, protocol: HTTP, targetPort: 8080}]
  resolution: %s
"""


def _entry(name: str = "vm", annotations: str = "{}", address: str = "10.0.0.1", ports: str = "{}") -> str:
    return ENTRY % (name, annotations, address, ports)


def _endpoint(view):
    (endpoint,) = view.service("payment.default.svc.cluster.local").endpoints[80]
    return endpoint


def test_sidecar_has_one_inbound_port_for_every_service_port(view_of):
    view = view_of(SERVICE % 9999 + _entry(annotations=SIDECAR, ports="{http: 7}"))
    assert (_endpoint(view).address, _endpoint(view).port) == ("10.0.0.1", 15006)


@pytest.mark.parametrize(
    ("target", "ports", "expected"),
    [
        ("9000", "{http: 7000}", 7000),
        ("9000", "{}", 9000),
        ("web", "{web: 7001}", 7001),
        ("web", "{}", 80),
    ],
)
def test_ports_by_name_beat_target_port_beats_the_service_port(view_of, target, ports, expected):
    assert _endpoint(view_of(SERVICE % target + _entry(ports=ports))).port == expected


def test_unhealthy_workload_is_no_endpoint_but_still_an_identity(view_of):
    sick = _entry().rstrip("-\n") + '\nstatus: {conditions: [{type: Healthy, status: "False"}]}\n'
    service = view_of(SERVICE % 80 + sick).service("payment.default.svc.cluster.local")
    assert service.endpoints[80] == ()
    assert service.service_accounts == ("spiffe://cluster.local/ns/default/sa/pay",)


def test_service_without_selector_has_the_workloads_that_registered_under_its_name(view_of):
    bare = "apiVersion: v1\nkind: Service\nmetadata: {name: payment}\nspec: {ports: [{name: http, port: 80}]}\n---\n"
    service = view_of(bare + _entry(annotations=SIDECAR) + _entry("other")).service("payment.default.svc.cluster.local")
    assert [endpoint.port for endpoint in service.endpoints[80]] == [15006]


def test_workload_of_another_namespace_is_not_selected(view_of):
    elsewhere = _entry().replace("{name: vm,", "{name: vm, namespace: other,")
    assert view_of(SERVICE % 80 + elsewhere).service("payment.default.svc.cluster.local").endpoints[80] == ()


def test_workload_with_a_dns_name_makes_its_service_ask_dns(view_of):
    service = view_of(SERVICE % 80 + _entry(address="vm.example.com")).service("payment.default.svc.cluster.local")
    assert service.resolution is Resolution.DNS


def test_trust_domain_is_the_meshs(view_of):
    view = view_of(SERVICE % 80 + _entry(), trustDomain="example.org")
    service = view.service("payment.default.svc.cluster.local")
    assert service.service_accounts == ("spiffe://example.org/ns/default/sa/pay",)


def test_dns_service_entry_without_endpoints_asks_for_its_host(view_of):
    service = view_of(SERVICE_ENTRY % ("api.example.com", "DNS")).service("api.example.com")
    (endpoint,) = service.endpoints[80]
    assert (endpoint.address, endpoint.port) == ("api.example.com", 8080)
    assert service.is_external


def test_resolution_none_keeps_a_wildcard_and_asks_dns_for_a_name(view_of):
    assert view_of(SERVICE_ENTRY % ("api.example.com", "NONE")).service("api.example.com").resolution is Resolution.DNS
    assert view_of(SERVICE_ENTRY % ('"*.example.com"', "NONE")).service("*.example.com").resolution is Resolution.NONE


def test_endpoint_takes_mtls_unless_its_port_forbids_it(view_of):
    assert _endpoint(view_of(SERVICE % 80 + _entry())).is_mtls
    disabled = """
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default}
spec: {mtls: {mode: DISABLE}}
---
"""
    assert not _endpoint(view_of(SERVICE % 80 + disabled + _entry())).is_mtls


def test_the_empty_selector_of_a_service_entry_selects_all_of_its_namespace(view_of):
    entry = SERVICE_ENTRY % ("all.example.com", "STATIC") + "  workloadSelector: {}\n---\n"
    view = view_of(entry + _entry("one") + _entry("two", address="10.0.0.2"))
    endpoints = view.service("all.example.com").endpoints[80]
    assert [(endpoint.address, endpoint.port) for endpoint in endpoints] == [("10.0.0.1", 8080), ("10.0.0.2", 8080)]
