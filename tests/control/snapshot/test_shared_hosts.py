"""ServiceEntries that share a host."""

import pytest

from tests.simulation.captured_sidecar import CapturedSidecar

ENTRY = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: %s, namespace: %s, creationTimestamp: "2024-01-0%dT00:00:00Z"}
spec:
  hosts: [api.example.com]
  location: MESH_EXTERNAL
  resolution: %s
  ports: [{number: %d, name: %s, protocol: %s}]
  %s
---
"""
HOST = "api.example.com"


def entry(name: str, port: int = 80, protocol: str = "HTTP", namespace: str = "default", **more: str) -> str:
    age = 1 if name == "first" else 2
    resolution = more.pop("resolution", "STATIC")
    rest = "\n  ".join(f"{key}: {text}" for key, text in more.items())
    return ENTRY % (name, namespace, age, resolution, port, protocol.lower(), protocol, rest)


def _addresses(service, number: int) -> list[tuple[str, int]]:
    return [(endpoint.address, endpoint.port) for endpoint in service.endpoints[number]]


def test_entries_of_one_namespace_are_one_service_with_the_ports_of_both(view_of):
    yaml = entry("first", endpoints="[{address: 10.0.0.1}]") + entry(
        "second", 443, "HTTPS", endpoints="[{address: 10.0.0.2}]"
    )
    service = view_of(yaml).service(HOST)
    assert [(port.number, port.name) for port in service.ports] == [(80, "http"), (443, "https")]
    assert (_addresses(service, 80), _addresses(service, 443)) == ([("10.0.0.1", 80)], [("10.0.0.2", 443)])


def test_port_of_both_is_the_olders_and_has_the_endpoints_of_both(view_of):
    first = entry("first", addresses="[10.9.9.1]", endpoints="[{address: 10.0.0.1}, {address: 10.0.0.2}]")
    second = entry("second", 80, "TCP", addresses="[10.9.9.2]", endpoints="[{address: 10.0.0.2}, {address: 10.0.0.3}]")
    service = view_of(second + first).service(HOST)
    assert [port.name for port in service.ports] == ["http"]
    assert _addresses(service, 80) == [("10.0.0.1", 80), ("10.0.0.2", 80), ("10.0.0.3", 80)]
    assert service.addresses == ("10.9.9.1", "10.9.9.2")


@pytest.mark.parametrize(
    "other",
    [
        entry("second", 443, "HTTPS", namespace="elsewhere", endpoints="[{address: 10.0.0.2}]"),
        entry("second", 443, "HTTPS", resolution="DNS"),
        entry("second", 443, "HTTPS", exportTo="['.']", endpoints="[{address: 10.0.0.2}]"),
        entry("second", 443, "HTTPS", workloadSelector="{labels: {app: x}}"),
    ],
    ids=["namespace", "resolution", "exportTo", "workloadSelector"],
)
def test_entries_that_differ_in_more_are_not_joined(view_of, other):
    service = view_of(entry("first", endpoints="[{address: 10.0.0.1}]") + other).service(HOST)
    assert [port.number for port in service.ports] == [80]


def test_sidecar_reaches_each_port_of_a_host_in_two_entries():
    mesh = CapturedSidecar(entry("first", resolution="DNS") + entry("second", 8080, resolution="DNS"))
    assert mesh.http(f"{HOST}:80").cluster == f"outbound|80||{HOST}"
    assert mesh.http(f"{HOST}:8080").cluster == f"outbound|8080||{HOST}"
