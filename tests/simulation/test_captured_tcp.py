"""Redirected TCP and TLS: by address, by subnet, by server name, and on ports that HTTP shares."""

import json

import pytest

from tests.simulation.captured_sidecar import CapturedSidecar

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: %s}
spec: {%sselector: {app: x}, ports: [{name: %s, port: %d}]}
---
"""
ENTRY = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: %s}
spec: {hosts: [%s], %sports: [{name: p, number: %d, protocol: %s}]}
---
"""
DB = SERVICE % ("db", "clusterIP: 10.0.0.5, ", "tcp", 3306)
DB_CLUSTER = "outbound|3306||db.default.svc.cluster.local"
OTHER_CLUSTER = "outbound|3306||other.default.svc.cluster.local"


def rule(hosts: str, kind: str, routes: str, name: str = "rule") -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}}}
spec: {{hosts: {hosts}, {kind}: {routes}}}
---
"""


def to(host: str, port: int = 0) -> str:
    shown = f", port: {{number: {port}}}" if port else ""
    return f"route: [{{destination: {{host: {host}{shown}}}}}]"


def test_tcp_service_is_known_by_its_address():
    mesh = CapturedSidecar(DB)
    assert mesh.tcp("10.0.0.5", 3306)[:1] == ("10.0.0.5_3306",)
    assert mesh.tcp("10.0.0.5", 3306).cluster == DB_CLUSTER
    assert mesh.tcp("10.0.0.6", 3306).cluster == "PassthroughCluster"


def test_tcp_service_without_an_address_has_the_port():
    mesh = CapturedSidecar(SERVICE % ("db", "", "tcp", 3306))
    outcome = mesh.tcp("10.9.9.9", 3306)
    assert (outcome.listener, outcome.cluster) == ("0.0.0.0_3306", DB_CLUSTER)


def test_first_of_two_services_without_an_address_has_the_port():
    mesh = CapturedSidecar(SERVICE % ("db", "", "tcp", 3306) + SERVICE % ("other", "", "tcp", 3306))
    assert mesh.tcp("10.9.9.9", 3306).cluster == DB_CLUSTER


def test_subnet_of_a_service_entry_is_a_filter_chain():
    mesh = CapturedSidecar(ENTRY % ("net", "net.example", "addresses: [10.20.0.0/16, 10.20.30.0/24], ", 6000, "TCP"))
    assert mesh.tcp("10.20.1.1", 6000).cluster == "outbound|6000||net.example"
    assert mesh.tcp("10.21.1.1", 6000).cluster == "PassthroughCluster"
    assert mesh.clusters["outbound|6000||net.example"]["type"] == "ORIGINAL_DST"


def test_most_specific_subnet_has_the_connection():
    wide = ENTRY % ("wide", "wide.example", "addresses: [10.20.0.0/16], ", 6000, "TCP")
    narrow = ENTRY % ("narrow", "narrow.example", "addresses: [10.20.30.0/24], ", 6000, "TCP")
    mesh = CapturedSidecar(wide + narrow)
    assert mesh.tcp("10.20.30.1", 6000).cluster == "outbound|6000||narrow.example"
    assert mesh.tcp("10.20.31.1", 6000).cluster == "outbound|6000||wide.example"


@pytest.mark.parametrize(("resolution", "kind"), [("NONE", "ORIGINAL_DST"), ("DNS", "STRICT_DNS"), ("STATIC", "EDS")])
def test_resolution_decides_where_the_endpoints_come_from(resolution, kind):
    endpoints = "endpoints: [{address: 10.7.7.7}], " if resolution == "STATIC" else ""
    entry = ENTRY % ("out", "out.example", f"resolution: {resolution}, {endpoints}", 80, "HTTP")
    mesh = CapturedSidecar(entry)
    assert mesh.http("out.example:80").cluster == "outbound|80||out.example"
    assert mesh.clusters["outbound|80||out.example"]["type"] == kind


def test_wildcard_service_entry_takes_all_its_names_to_where_they_go():
    mesh = CapturedSidecar(ENTRY % ("wild", '"*.example.com"', "", 80, "HTTP"))
    assert mesh.http("a.example.com:80").cluster == "outbound|80||*.example.com"
    assert mesh.http("example.com:80").cluster == "PassthroughCluster"


def test_tls_services_of_one_port_are_told_apart_by_server_name():
    entries = ENTRY % ("a", "a.example", "", 443, "TLS") + ENTRY % ("b", '"*.b.example"', "", 443, "HTTPS")
    mesh = CapturedSidecar(entries)
    assert mesh.tls("a.example", 443).cluster == "outbound|443||a.example"
    assert mesh.tls("x.b.example", 443).cluster == "outbound|443||*.b.example"
    assert mesh.tls("c.example", 443).cluster == "PassthroughCluster"
    closed = CapturedSidecar(entries, outboundTrafficPolicy={"mode": "REGISTRY_ONLY"})
    assert closed.tls("c.example", 443).cluster == "BlackHoleCluster"


def test_tls_service_at_an_address_of_its_own_needs_no_name():
    mesh = CapturedSidecar(SERVICE % ("secure", "clusterIP: 10.0.0.9, ", "https", 443))
    assert mesh.tls("anything", 443, "10.0.0.9").cluster == "outbound|443||secure.default.svc.cluster.local"


def test_tls_routes_go_by_server_name_and_source():
    entry = ENTRY % ("b", '"*.b.example"', "", 443, "TLS")
    one = "match: [{sniHosts: [one.b.example], port: 443%s}]"
    routes = [
        f"{{{one % ', sourceLabels: {app: batch}'}, {to('batch.example', 443)}}}",
        f"{{{one % ''}, {to('one.example', 443)}}}",
        "{match: [{sniHosts: ['*.b.example']}], " + to("rest.example", 443) + "}",
    ]
    yaml = entry + rule('["*.b.example"]', "tls", f"[{', '.join(routes)}]")
    mesh = CapturedSidecar(yaml)
    assert mesh.tls("one.b.example", 443).cluster == "outbound|443||one.example"
    assert mesh.tls("two.b.example", 443).cluster == "outbound|443||rest.example"
    assert CapturedSidecar(yaml, labels={"app": "batch"}).tls("one.b.example", 443).cluster.endswith("|batch.example")


def test_tcp_routes_end_with_the_first_that_takes_any_destination():
    other = SERVICE % ("other", "clusterIP: 10.0.0.6, ", "tcp", 3306)
    routes = f"[{{match: [{{port: 3306}}], {to('other')}}}, {{{to('db')}}}]"
    mesh = CapturedSidecar(DB + other + rule("[db]", "tcp", routes))
    assert mesh.tcp("10.0.0.5", 3306).cluster == OTHER_CLUSTER
    assert mesh.tcp("10.0.0.6", 3306).cluster == OTHER_CLUSTER


def test_tcp_route_of_some_destinations_leaves_the_others_to_the_service():
    db = SERVICE % ("db", "", "tcp", 3306)
    routes = f"[{{match: [{{destinationSubnets: [10.5.0.0/16]}}], {to('other', 3306)}}}]"
    mesh = CapturedSidecar(db + rule("[db]", "tcp", routes))
    assert mesh.tcp("10.5.1.1", 3306).cluster == OTHER_CLUSTER
    assert mesh.tcp("10.6.1.1", 3306).cluster == DB_CLUSTER


@pytest.mark.parametrize(
    ("match", "applies"),
    [
        ("sourceLabels: {app: web}", True),
        ("sourceLabels: {app: other}", False),
        ("gateways: [mesh]", True),
        ("gateways: [edge]", False),
        ("gateways: [mesh], sourceLabels: {app: other}", False),
        ("sourceNamespace: default", True),
        ("sourceNamespace: shop", False),
        ("port: 3307", False),
    ],
)
def test_tcp_route_asks_for_all_that_is_known_of_the_source(match, applies):
    routes = f"[{{match: [{{{match}}}], {to('other', 3306)}}}]"
    mesh = CapturedSidecar(DB + rule("[db]", "tcp", routes), labels={"app": "web"})
    assert mesh.tcp("10.0.0.5", 3306).cluster == (OTHER_CLUSTER if applies else DB_CLUSTER)


def test_weights_of_a_tcp_route():
    target = "{destination: {host: %s, port: {number: 3306}}, weight: %d}"
    routes = f"[{{route: [{target % ('db', 80)}, {target % ('other', 20)}, {target % ('none', 0)}]}}]"
    mesh = CapturedSidecar(DB + rule("[db]", "tcp", routes))
    assert mesh.tcp("10.0.0.5", 3306, random=0.79).cluster == DB_CLUSTER
    assert mesh.tcp("10.0.0.5", 3306, random=0.81).cluster == OTHER_CLUSTER


def test_http_and_tcp_share_a_port_by_inspection():
    web = SERVICE % ("web", "clusterIP: 10.0.0.8, ", "http", 8080)
    raw = SERVICE % ("raw", "", "tcp", 8080)
    for yaml in (web + raw, raw.replace("raw", "a-raw") + web):
        mesh = CapturedSidecar(yaml)
        assert mesh.http("web:8080").cluster == "outbound|8080||web.default.svc.cluster.local"
        assert "raw.default" in mesh.tcp("10.9.9.9", 8080).cluster


def test_a_protocol_whose_server_speaks_first_shares_its_port_with_no_other():
    mesh = CapturedSidecar(SERVICE % ("a", "", "mysql", 8080) + SERVICE % ("web", "", "http", 8080))
    assert mesh.tcp("10.9.9.9", 8080).cluster == "outbound|8080||a.default.svc.cluster.local"
    assert mesh.listeners["0.0.0.0_8080"].inspects_http is False


def test_passthrough_balancer_keeps_the_destination():
    policy = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: db}
spec: {host: db, trafficPolicy: {loadBalancer: {simple: PASSTHROUGH}}}
"""
    cluster = CapturedSidecar(DB + policy).clusters[DB_CLUSTER]
    assert (cluster["type"], cluster["lb_policy"]) == ("ORIGINAL_DST", "CLUSTER_PROVIDED")


def test_destination_rule_with_a_selector_is_for_the_workloads_that_it_selects():
    policy = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: %s}
spec: {host: db, %strafficPolicy: {loadBalancer: {simple: %s}}}
---
"""
    selected = policy % ("selected", "workloadSelector: {matchLabels: {app: batch}}, ", "RANDOM")
    yaml = DB + policy % ("all", "", "ROUND_ROBIN") + selected
    assert CapturedSidecar(yaml).clusters[DB_CLUSTER]["lb_policy"] == "ROUND_ROBIN"
    assert CapturedSidecar(yaml, labels={"app": "batch"}).clusters[DB_CLUSTER]["lb_policy"] == "RANDOM"


def test_tls_routes_go_by_the_subnet_of_the_destination():
    route = "match: [{sniHosts: [a.example], port: 443, destinationSubnets: [10.9.9.0/24]}]"
    yaml = f"""
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: a}}
spec:
  hosts: [a.example, b.example]
  ports: [{{number: 443, name: tls, protocol: TLS}}]
  resolution: DNS
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: a}}
spec: {{hosts: [a.example], tls: [{{{route}, route: [{{destination: {{host: b.example}}}}]}}]}}
"""
    mesh = CapturedSidecar(yaml)
    assert mesh.tls("a.example", 443, "10.9.9.9").cluster == "outbound|443||b.example"
    assert mesh.tls("a.example", 443, "10.8.8.8").cluster != "outbound|443||b.example"


def test_an_endpoint_is_believed_to_be_its_service_account():
    yaml = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: a}
spec:
  hosts: [a.example]
  location: MESH_INTERNAL
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 10.0.0.7, serviceAccount: pay, labels: {security.istio.io/tlsMode: istio}}]
"""
    cluster = json.dumps(CapturedSidecar(yaml).clusters["outbound|80||a.example"])
    assert "spiffe://cluster.local/ns/default/sa/pay" in cluster


def test_the_clients_protocol_is_the_servers_where_a_rule_says_so():
    yaml = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: a}
spec: {hosts: [a.example], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: a}
spec: {host: a.example, trafficPolicy: {connectionPool: {http: {useClientProtocol: true}}}}
"""
    cluster = json.dumps(CapturedSidecar(yaml).clusters["outbound|80||a.example"])
    assert "use_downstream_protocol_config" in cluster
