"""Redirected HTTP: listeners, filter chains and route configurations as Istio's."""

from tests.simulation.captured_sidecar import OWN_ADDRESS, CapturedSidecar

MESH = """
apiVersion: v1
kind: Service
metadata: {name: reviews}
spec: {clusterIP: 10.0.0.1, selector: {app: reviews}, ports: [{name: http, port: 9080}]}
---
apiVersion: v1
kind: Service
metadata: {name: ratings, namespace: shop}
spec: {clusterIP: 10.0.0.2, selector: {app: ratings}, ports: [{name: http, port: 9080}, {name: http-web, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: 10.0.0.5, selector: {app: db}, ports: [{name: tcp, port: 3306}]}
---
apiVersion: v1
kind: Service
metadata: {name: anything}
spec: {clusterIP: 10.0.0.7, selector: {app: anything}, ports: [{name: data, port: 7000}]}
---
apiVersion: v1
kind: Service
metadata: {name: headless}
spec: {clusterIP: None, selector: {app: headless}, ports: [{name: http, port: 8000}, {name: tcp, port: 5432}]}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: headless-0}
spec: {address: 10.2.0.1, labels: {app: headless}}
---
"""
REVIEWS = "outbound|9080||reviews.default.svc.cluster.local"
HEADLESS = "outbound|5432||headless.default.svc.cluster.local"


def rule(hosts: str, routes: str, kind: str = "http", name: str = "rule", namespace: str = "default") -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{hosts: {hosts}, {kind}: {routes}}}
---
"""


def test_http_services_of_a_port_share_its_listener_and_routes():
    mesh = CapturedSidecar(MESH)
    outcome = mesh.http("reviews:9080")
    assert (outcome.listener, outcome.routes, outcome.cluster) == ("0.0.0.0_9080", "9080", REVIEWS)
    assert outcome.virtual_host == "reviews.default.svc.cluster.local:9080"
    assert mesh.http("ratings.shop:9080").cluster == "outbound|9080||ratings.shop.svc.cluster.local"


def test_host_matches_by_every_spelling_address_and_port_suffix():
    mesh = CapturedSidecar(MESH)
    hosts = ("reviews", "reviews.default", "reviews.default.svc", "reviews.default.svc.cluster.local", "10.0.0.1")
    assert {mesh.http(f"{host}:9080").cluster for host in hosts} == {REVIEWS}
    assert mesh.http("ratings:9080").virtual_host == "allow_any"


def test_unknown_host_passes_through_or_is_a_502():
    outcome = CapturedSidecar(MESH).http("example.com:9080")
    assert (outcome.virtual_host, outcome.cluster) == ("allow_any", "PassthroughCluster")
    closed = CapturedSidecar(MESH, outboundTrafficPolicy={"mode": "REGISTRY_ONLY"}).http("example.com:9080")
    assert (closed.virtual_host, closed.route, closed.status) == ("block_all", "block_all", 502)


def test_port_of_nobody_goes_through_virtual_outbound():
    outcome = CapturedSidecar(MESH).http("example.com:1234")
    assert outcome[:2] == ("virtualOutbound", "virtualOutbound-catchall-tcp")
    assert outcome.cluster == "PassthroughCluster"
    closed = CapturedSidecar(MESH, outboundTrafficPolicy={"mode": "REGISTRY_ONLY"})
    assert closed.tcp("10.9.9.9", 1234).cluster == "BlackHoleCluster"


def test_connection_to_the_capture_port_itself_ends():
    assert CapturedSidecar(MESH).tcp("10.9.9.9", 15001).chain == "virtualOutbound-blackhole"


def test_what_is_not_http_on_an_http_port_passes_through():
    outcome = CapturedSidecar(MESH).tcp("10.9.9.9", 9080)
    assert (outcome.chain, outcome.cluster) == ("PassthroughFilterChain", "PassthroughCluster")
    closed = CapturedSidecar(MESH, outboundTrafficPolicy={"mode": "REGISTRY_ONLY"})
    assert closed.tls("example.com", 9080).cluster == "BlackHoleCluster"


def test_port_without_a_protocol_is_inspected_at_the_services_address():
    mesh = CapturedSidecar(MESH)
    cluster = "outbound|7000||anything.default.svc.cluster.local"
    outcome = mesh.http("whatever:7000", "10.0.0.7")
    assert (outcome.listener, outcome.cluster) == ("10.0.0.7_7000", cluster)
    assert outcome.routes == "anything.default.svc.cluster.local:7000"
    assert mesh.tcp("10.0.0.7", 7000).cluster == cluster


def test_headless_http_keeps_the_destination_and_answers_to_its_endpoints_names():
    mesh = CapturedSidecar(MESH)
    outcome = mesh.http("headless-0.headless:8000", "10.2.0.1")
    assert outcome.cluster == "outbound|8000||headless.default.svc.cluster.local"
    assert mesh.clusters[outcome.cluster]["type"] == "ORIGINAL_DST"


def test_headless_tcp_has_a_listener_for_each_endpoint():
    mesh = CapturedSidecar(MESH)
    assert mesh.tcp("10.2.0.1", 5432)[:1] == ("10.2.0.1_5432",)
    assert mesh.tcp("10.2.0.1", 5432).cluster == HEADLESS
    assert mesh.tcp("10.2.0.2", 5432).listener == "virtualOutbound"


def test_workload_needs_no_listener_for_its_own_endpoint():
    own = MESH.replace("10.2.0.1", OWN_ADDRESS)
    assert CapturedSidecar(own).tcp(OWN_ADDRESS, 5432).listener == "virtualOutbound"


def test_trap_5_host_that_no_service_declares_is_routable_on_port_80_only():
    routes = "[{route: [{destination: {host: reviews, port: {number: 9080}}}]}]"
    mesh = CapturedSidecar(MESH + rule("[example.com]", routes))
    assert mesh.http("example.com:80").cluster == REVIEWS
    assert mesh.http("example.com:9080").virtual_host == "allow_any"


def test_trap_5_unless_the_rule_is_a_services_of_that_port_too():
    routes = "[{route: [{destination: {host: reviews}}]}]"
    mesh = CapturedSidecar(MESH + rule("[example.com, reviews]", routes))
    assert mesh.http("example.com:9080").virtual_host == "example.com:9080"


def test_trap_7_domains_have_no_port_and_the_bare_name_is_of_the_own_namespace():
    resources = CapturedSidecar(MESH).resources
    routes = next(item for group in resources.values() for name, item in group.items() if name == "9080")
    domains = {host["name"]: host["domains"] for host in routes["virtual_hosts"]}
    name = "ratings.shop.svc.cluster.local"
    assert set(domains[f"{name}:9080"]) == {name, f"{name}.", "ratings.shop", "ratings.shop.svc", "10.0.0.2"}
    assert "reviews" in domains["reviews.default.svc.cluster.local:9080"]
    assert routes["ignore_port_in_host_matching"]
