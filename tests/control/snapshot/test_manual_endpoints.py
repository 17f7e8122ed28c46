"""Services have the addresses of their EndpointSlices, and without a selector those of their Endpoints."""

from tests.simulation.captured_sidecar import CapturedSidecar

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: legacy}
spec:
  ports: [{name: http, port: 80}, {name: admin, port: 81}]
---
"""
ENDPOINTS = """
apiVersion: v1
kind: Endpoints
metadata: {name: legacy}
subsets:
- addresses: [{ip: 10.0.0.1}]
  notReadyAddresses: [{ip: 10.0.0.2}]
  ports: [{name: http, port: 8080}]
---
"""
SLICE = """
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: legacy-%s, labels: {kubernetes.io/service-name: legacy}}
addressType: %s
endpoints: [{addresses: [%s], conditions: {ready: %s}}]
ports: [{name: %s, port: %d}]
---
"""


def endpoints(view, port):
    return [(one.address, one.port) for one in view.service("legacy.default.svc.cluster.local").endpoints[port]]


def test_ready_addresses_serve_the_ports_that_they_name(view_of):
    view = view_of(SERVICE + ENDPOINTS)
    assert endpoints(view, 80) == [("10.0.0.1", 8080)]
    assert endpoints(view, 81) == []


def test_slices_of_one_service_are_put_together(view_of):
    slices = SLICE % ("a", "IPv4", "10.0.0.1", "true", "http", 8080) + SLICE % (
        "b", "IPv4", "10.0.0.1", "null", "admin", 9090
    )  # fmt: skip
    view = view_of(SERVICE + slices + SLICE % ("c", "IPv6", "'::1'", "false", "http", 8080))
    assert (endpoints(view, 80), endpoints(view, 81)) == ([("10.0.0.1", 8080)], [("10.0.0.1", 9090)])


def test_a_name_in_a_slice_is_resolved_by_the_proxies(view_of):
    view = view_of(SERVICE + SLICE % ("a", "FQDN", "old.example.com", "true", "http", 8080))
    assert endpoints(view, 80) == [("old.example.com", 8080)]
    assert view.service("legacy.default.svc.cluster.local").resolution == "DNS"


def test_an_address_by_hand_takes_plaintext(view_of):
    view = view_of(SERVICE + ENDPOINTS)
    (endpoint,) = view.service("legacy.default.svc.cluster.local").endpoints[80]
    assert not endpoint.is_mtls


def test_endpoints_of_a_service_with_a_selector_are_those_of_its_workloads(view_of):
    view = view_of(SERVICE.replace("ports:", "selector: {app: legacy}\n  ports:") + ENDPOINTS)
    assert endpoints(view, 80) == []


SELECTING = SERVICE.replace("ports:", "selector: {app: legacy}\n  ports:")
WORKLOAD = """
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: vm}
spec: {address: 10.0.0.1, labels: {app: legacy}, ports: {http: 7070}}
---
"""


def test_slices_stand_beside_the_workloads_of_a_selector(view_of):
    slices = SLICE % ("a", "IPv4", "10.0.0.1", "true", "http", 8080) + SLICE % (
        "b", "IPv4", "10.0.0.9", "true", "http", 8080
    )  # fmt: skip
    view = view_of(SELECTING + WORKLOAD + slices)
    assert endpoints(view, 80) == [("10.0.0.1", 7070), ("10.0.0.9", 8080)]


def test_slice_that_the_controller_wrote_for_a_selector_does_not_count(view_of):
    written = (SLICE % ("a", "IPv4", "10.0.0.9", "true", "http", 8080)).replace(
        "labels: {", "labels: {endpointslice.kubernetes.io/managed-by: endpointslice-controller.k8s.io, "
    )
    assert endpoints(view_of(SELECTING + written), 80) == []
    assert endpoints(view_of(SERVICE + written), 80) == [("10.0.0.9", 8080)]


def test_headless_service_with_a_selector_is_known_by_the_addresses_of_its_slices():
    yaml = SELECTING.replace("spec:", "spec:\n  clusterIP: None").replace("name: http", "name: tcp")
    mesh = CapturedSidecar(yaml + SLICE % ("a", "IPv4", "10.0.0.9", "true", "tcp", 80))
    assert mesh.tcp("10.0.0.9", 80).cluster == "outbound|80||legacy.default.svc.cluster.local"
