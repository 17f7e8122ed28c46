"""Sidecar objects: who obeys which, what is imported, on which port, and how the inbound side leads on."""

import pytest

from pymesh import xds
from tests.simulation.captured_sidecar import OWN_ADDRESS, CapturedSidecar

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: %s, namespace: %s}
spec: {clusterIP: %s, selector: {app: x}, ports: [{name: http, port: 80}, {name: http-more, port: 81}]}
---
"""
MESH = SERVICE % ("a", "default", "10.0.0.1") + SERVICE % ("b", "shop", "10.0.0.2") + SERVICE % ("c", "ops", "10.0.0.3")
A, B, C = (f"outbound|80||{name}.svc.cluster.local" for name in ("a.default", "b.shop", "c.ops"))


def sidecar(spec: str, name: str = "sidecar", namespace: str = "default", created: str = "2026-01-01T00:00:00Z") -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {{name: {name}, namespace: {namespace}, creationTimestamp: "{created}"}}
spec: {{{spec}}}
---
"""


def egress(*hosts: str) -> str:
    return f"egress: [{{hosts: [{', '.join(repr(host) for host in hosts)}]}}]"


def seen(mesh: CapturedSidecar) -> set[str]:
    return {cluster for cluster in (A, B, C) if cluster in mesh.clusters}


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        (("*/*",), {A, B, C}),
        (("./*",), {A}),
        (("shop/*",), {B}),
        (("./*", "shop/*"), {A, B}),
        (("*/b.shop.svc.cluster.local",), {B}),
        (("shop/a.default.svc.cluster.local",), set()),
        (("*/*.svc.cluster.local", "~ops/*"), {A, B}),
        (("~/*",), set()),
    ],
)
def test_hosts_decide_what_is_imported(hosts, expected):
    assert seen(CapturedSidecar(MESH + sidecar(egress(*hosts)))) == expected


def test_trap_16_selector_beats_namespace_beats_root_namespace_beats_everything():
    root = sidecar(egress("ops/*"), namespace="istio-system")
    own = sidecar(egress("./*"), "own")
    selecting = sidecar(f"workloadSelector: {{labels: {{app: web}}}}, {egress('shop/*')}", "selecting")
    web = {"app": "web"}
    assert seen(CapturedSidecar(MESH, labels=web)) == {A, B, C}
    assert seen(CapturedSidecar(MESH + root, labels=web)) == {C}
    assert seen(CapturedSidecar(MESH + root + own, labels=web)) == {A}
    assert seen(CapturedSidecar(MESH + root + own + selecting, labels=web)) == {B}
    assert seen(CapturedSidecar(MESH + root + own + selecting)) == {A}


def test_trap_16_selector_in_the_root_namespace_is_for_that_namespace_only():
    root = sidecar(f"workloadSelector: {{labels: {{app: web}}}}, {egress('ops/*')}", namespace="istio-system")
    assert seen(CapturedSidecar(MESH + root, labels={"app": "web"})) == {A, B, C}


def test_trap_16_own_namespace_in_the_root_sidecar_is_the_workloads():
    root = sidecar(egress("./*"), namespace="istio-system")
    assert seen(CapturedSidecar(MESH + root)) == {A}
    assert seen(CapturedSidecar(MESH + root, namespace="shop")) == {B}


def test_trap_24_of_two_sidecars_the_older_one_holds():
    old = sidecar(egress("shop/*"), "z", created="2026-01-01T00:00:00Z")
    new = sidecar(egress("ops/*"), "a", created="2026-02-01T00:00:00Z")
    assert seen(CapturedSidecar(MESH + new + old)) == {B}


def test_trap_16_import_does_not_block_but_passes_through():
    mesh = CapturedSidecar(MESH + sidecar(egress("./*")))
    assert mesh.http("b.shop:80").cluster == "PassthroughCluster"
    closed = CapturedSidecar(MESH + sidecar(egress("./*") + ", outboundTrafficPolicy: {mode: REGISTRY_ONLY}"))
    assert closed.http("b.shop:80").status == 502
    assert closed.tcp("192.0.2.1", 9).cluster == "BlackHoleCluster"


def test_policy_of_the_sidecar_goes_before_the_meshs():
    policy = sidecar("outboundTrafficPolicy: {mode: ALLOW_ANY}")
    mesh = CapturedSidecar(MESH + policy, outboundTrafficPolicy={"mode": "REGISTRY_ONLY"})
    assert mesh.tcp("192.0.2.1", 9).cluster == "PassthroughCluster"
    assert seen(mesh) == {A, B, C}


def test_egress_proxy_gets_what_nobody_declared():
    proxy = "egressProxy: {host: a.default.svc.cluster.local, port: {number: 80}}"
    mesh = CapturedSidecar(MESH + sidecar(f"outboundTrafficPolicy: {{mode: ALLOW_ANY, {proxy}}}"))
    assert mesh.tcp("192.0.2.1", 9).cluster == A
    assert mesh.http("example.com:80").cluster == A


def test_trap_16_one_imported_host_brings_the_whole_virtual_service():
    rule = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: rule}
spec:
  hosts: [a.default.svc.cluster.local, b.shop.svc.cluster.local, example.com]
  http: [{route: [{destination: {host: c.ops.svc.cluster.local}}]}]
---
"""
    mesh = CapturedSidecar(MESH + rule + sidecar(egress("./*")))
    assert mesh.http("a:80").cluster == C
    assert mesh.http("example.com:80").cluster == C
    # The destination is reachable although nobody imports it, but not by its own name.
    assert seen(mesh) == {A, C}
    assert mesh.http("c.ops:80").cluster == "PassthroughCluster"


def _rule(http: str) -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: rule, namespace: shop}}
spec: {{hosts: [b.shop.svc.cluster.local], http: [{http}]}}
---
"""


@pytest.mark.parametrize(
    ("route", "ports"),
    [
        ("route: [{destination: {host: c.ops.svc.cluster.local}}]", {80, 81}),
        ("route: [{destination: {host: c.ops.svc.cluster.local, port: {number: 81}}}]", {81}),
        ("mirror: {host: c.ops.svc.cluster.local, port: {number: 80}}", {80}),
        ("route: [{destination: {host: c.ops.svc.cluster.local, port: {number: 99}}}]", set()),
        ("match: [{sourceNamespace: ops}], route: [{destination: {host: c.ops.svc.cluster.local}}]", set()),
        ("match: [{sourceNamespace: default}], route: [{destination: {host: c.ops.svc.cluster.local}}]", {80, 81}),
    ],
)
def test_only_what_a_virtual_service_may_lead_this_client_to_comes_with_it(route, ports):
    rest = "" if route.startswith(("route", "match")) else ", route: [{destination: {host: b.shop.svc.cluster.local}}]"
    mesh = CapturedSidecar(MESH + _rule(f"{{{route}{rest}}}") + sidecar(egress("shop/*")))
    assert {port for port in (80, 81) if f"outbound|{port}||c.ops.svc.cluster.local" in mesh.clusters} == ports


def test_listener_for_one_port_brings_this_port_of_what_its_rules_lead_to():
    spec = "egress: [{hosts: [shop/*], port: {number: 81, name: http, protocol: HTTP}}]"
    mesh = CapturedSidecar(MESH + _rule("{route: [{destination: {host: c.ops.svc.cluster.local}}]}") + sidecar(spec))
    assert "outbound|81||c.ops.svc.cluster.local" in mesh.clusters
    assert C not in mesh.clusters


def test_second_service_of_a_host_lends_no_port_to_the_first():
    entry = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: %s, namespace: shop, creationTimestamp: "2026-01-0%dT00:00:00Z"}
spec: {hosts: [api.example.com], resolution: %s, ports: [{number: %d, name: tcp, protocol: TCP}], addresses: [10.7.7.7]}
---
"""
    listeners = ", ".join(
        f"{{hosts: [shop/*], port: {{number: {port}, name: tcp-{port}, protocol: TCP}}}}" for port in (90, 91)
    )
    both = entry % ("first", 1, "DNS", 90) + entry % ("second", 2, "NONE", 91)
    mesh = CapturedSidecar(both + sidecar(f"egress: [{listeners}]"))
    assert "outbound|90||api.example.com" in mesh.clusters
    assert "outbound|91||api.example.com" not in mesh.clusters


def test_virtual_service_of_a_namespace_that_is_not_imported_is_not_seen():
    rule = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: rule, namespace: ops}
spec: {hosts: [a.default.svc.cluster.local], http: [{route: [{destination: {host: b.shop.svc.cluster.local}}]}]}
---
"""
    assert CapturedSidecar(MESH + rule).http("a:80").cluster == B
    assert CapturedSidecar(MESH + rule + sidecar(egress("./*"))).http("a:80").cluster == A


def test_port_of_its_own_has_its_own_hosts():
    listeners = "{port: {number: 81, name: http, protocol: HTTP}, hosts: ['shop/*']}, {hosts: ['./*']}"
    mesh = CapturedSidecar(MESH + sidecar(f"egress: [{listeners}]"))
    assert mesh.http("b.shop:81").cluster == "outbound|81||b.shop.svc.cluster.local"
    assert mesh.http("a:81").cluster == "PassthroughCluster"
    assert mesh.http("a:80").cluster == A
    assert mesh.http("b.shop:80").cluster == "PassthroughCluster"


def test_port_without_capture_is_bound_at_loopback():
    listeners = "{port: {number: 81, name: http, protocol: HTTP}, captureMode: NONE, hosts: ['*/*']}, {hosts: ['./*']}"
    mesh = CapturedSidecar(MESH + sidecar(f"egress: [{listeners}]"))
    listener = mesh.listeners["127.0.0.1_81"]
    assert (listener.is_bound, listener.address) == (True, xds.Address("127.0.0.1", 81))
    assert not mesh.listeners["0.0.0.0_80"].is_bound


def test_port_may_be_a_unix_socket_which_takes_requests_to_all_ports():
    listeners = "{port: {number: 0, name: u, protocol: HTTP}, bind: 'unix:///run/out.sock', hosts: ['*/*']}"
    mesh = CapturedSidecar(MESH + sidecar(f"egress: [{listeners}, {{hosts: ['./*']}}]"))
    listener = mesh.listeners["unix:///run/out.sock"]
    assert (listener.is_bound, listener.address.is_unix) == (True, True)
    hosts = {host["name"] for host in mesh.resources[xds.ROUTE]["unix:///run/out.sock"]["virtual_hosts"]}
    assert {"a.default.svc.cluster.local:80", "b.shop.svc.cluster.local:81", "allow_any"} <= hosts


def test_socket_or_proxy_of_a_sidecar_takes_a_host_without_a_port_for_port_80_of_a_service():
    entry = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: %s}
spec: {hosts: [%s.example.com], resolution: DNS, ports: [{number: %d, name: http, protocol: HTTP}]}
---
"""
    listeners = "{port: {number: 0, name: u, protocol: HTTP}, bind: 'unix:///run/out.sock', hosts: ['*/*']}"
    rule = _rule("{route: [{destination: {host: c.ops.svc.cluster.local}}]}").replace("hosts: [b", "hosts: [b.test, b")
    yaml = MESH + entry % ("one", "one", 80) + entry % ("two", "two", 8080) + rule
    hosts = CapturedSidecar(yaml + sidecar(f"egress: [{listeners}]")).resources[xds.ROUTE]["unix:///run/out.sock"]
    domains = {host["name"]: set(host["domains"]) for host in hosts["virtual_hosts"]}
    one, two = ("one.example.com", "one.example.com."), ("two.example.com", "two.example.com.")
    assert domains["one.example.com:80"] == {*one, *(f"{name}:80" for name in one)}
    assert domains["two.example.com:8080"] == {f"{name}:8080" for name in two}
    assert not any(name.startswith("b.test") for name in domains)


def test_ingress_leads_to_its_endpoint_on_a_port_of_its_own():
    ingress = "{port: {number: 8080, protocol: HTTP, name: http}, defaultEndpoint: '127.0.0.1:9000'}"
    more = "{port: {number: 9443, protocol: TCP, name: tcp}, defaultEndpoint: '0.0.0.0:9001'}"
    unix = "{port: {number: 9090, protocol: HTTP, name: u}, captureMode: NONE, defaultEndpoint: 'unix:///run/app.sock'}"
    mesh = CapturedSidecar(MESH + sidecar(f"ingress: [{ingress}, {more}, {unix}]"))
    assert _endpoint(mesh, "inbound|8080||") == {"socket_address": {"address": "127.0.0.1", "port_value": 9000}}
    assert _endpoint(mesh, "inbound|9443||") == {"socket_address": {"address": OWN_ADDRESS, "port_value": 9001}}
    assert _endpoint(mesh, "inbound|9090||") == {"pipe": {"path": "/run/app.sock"}}
    chains = {chain.match.destination_port for chain in mesh.listeners["virtualInbound"].filter_chains}
    assert chains == {0, 8080, 9443, 15006}
    assert mesh.listeners["virtualInbound"].restores_destination
    assert mesh.listeners["0.0.0.0_9090"].is_bound


def test_inbound_pool_of_the_port_then_the_sidecar_then_the_destination_rule():
    rule = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web}
spec: {host: web, trafficPolicy: {connectionPool: {tcp: {maxConnections: 3}}}}
---
"""
    service = SERVICE % ("web", "default", "10.0.0.4")
    whole = "inboundConnectionPool: {tcp: {maxConnections: 2}}"
    port = "port: {number: 8080, protocol: HTTP, name: http}, connectionPool: {tcp: {maxConnections: 1}}"
    yaml = service.replace("app: x", "app: web") + rule
    labels = {"app": "web"}
    assert _limit(CapturedSidecar(yaml, labels=labels)) == 3
    assert _limit(CapturedSidecar(yaml + sidecar(whole), labels=labels)) == 2
    assert _limit(CapturedSidecar(yaml + sidecar(f"{whole}, ingress: [{{{port}}}]"), labels=labels)) == 1


def _endpoint(mesh: CapturedSidecar, cluster: str) -> dict:
    return mesh.clusters[cluster]["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]


def _limit(mesh: CapturedSidecar) -> int:
    return mesh.clusters["inbound|8080||"]["circuit_breakers"]["thresholds"][0]["max_connections"]


def test_ingress_is_bound_at_the_address_that_it_names():
    port = "port: {number: 9090, protocol: HTTP, name: http}, bind: 127.0.0.7, captureMode: NONE"
    mesh = CapturedSidecar(MESH + sidecar(f"ingress: [{{{port}, defaultEndpoint: '127.0.0.1:9000'}}]"))
    listener = mesh.listeners["127.0.0.7_9090"]
    assert (str(listener.address), listener.is_bound) == ("127.0.0.7:9090", True)
