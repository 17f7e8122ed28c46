"""Servers of one or several Gateways at one port. Istio: mergeGateways in pilot/pkg/model/gateway.go."""

import pytest

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
---
"""
GATEWAY = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: %s, namespace: %s, creationTimestamp: "2026-01-0%dT00:00:00.0Z"}
spec:
  selector: {istio: ingressgateway}
  servers: [%s]
---
"""
RULE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: %s, namespace: default}
spec:
  hosts: ["*"]
  gateways: [%s]
  http: [{name: %s, route: [{destination: {host: web}}]}]
  tcp: [{route: [{destination: {host: web, port: {number: 80}}}]}]
---
"""
HTTP = "{port: {number: 80, name: %s, protocol: %s}, hosts: [%s]}"
BOUND = '{port: {number: %d, name: a, protocol: %s}, bind: %s, hosts: ["*"]}'
SIMPLE = "{mode: SIMPLE, credentialName: a}"
TLS = "{port: {number: 443, name: %s, protocol: %s}, hosts: [%s], tls: " + SIMPLE + "}"
WEB = "outbound|80||web.default.svc.cluster.local"


def edge(name: str, *servers: str, day: int = 1, namespace: str = "default") -> str:
    return GATEWAY % (name, namespace, day, ", ".join(servers))


def rule(*gateways: str) -> str:
    return SERVICE + "".join(RULE % (f"to-{i}", name, f"to-{i}") for i, name in enumerate(gateways))


def routes(mesh) -> set[str]:
    return set(mesh.resources["type.googleapis.com/envoy.config.route.v3.RouteConfiguration"])


def test_plaintext_http_servers_of_several_gateways_merge_into_one_route_table(gateway):
    two = edge("one", HTTP % ("a", "HTTP", "a.example")) + edge("two", HTTP % ("b", "HTTP", "b.example"), day=2)
    mesh = gateway(rule("one", "two") + two)
    assert routes(mesh) == {"http.80"}
    assert mesh.arrive("http://a.example:80/").route == "to-0"
    assert mesh.arrive("http://b.example:80/").route == "to-1"


@pytest.mark.parametrize("protocol", ["HTTP2", "GRPC", "GRPC-WEB"])
def test_servers_that_speak_any_kind_of_http_merge(gateway, protocol):
    two = edge("one", HTTP % ("a", "HTTP", "a.example"), HTTP % ("b", protocol, "b.example"))
    mesh = gateway(rule("one") + two)
    assert mesh.arrive("http://b.example:80/").cluster == WEB


def test_https_servers_have_a_route_table_each(gateway):
    two = edge("one", TLS % ("a", "HTTPS", "a.example")) + edge("two", TLS % ("a", "HTTPS", "b.example"), day=2)
    mesh = gateway(rule("one", "two") + two)
    assert routes(mesh) == {"https.443.a.one.default", "https.443.a.two.default"}
    assert mesh.arrive("https://a.example:443/").route == "to-0"
    assert mesh.arrive("https://b.example:443/").route == "to-1"


def test_host_of_another_https_server_has_no_virtual_host(gateway):
    two = edge("one", TLS % ("a", "HTTPS", "a.example"), TLS % ("b", "HTTPS", "b.example"))
    mesh = gateway(rule("one") + two)
    assert mesh.arrive("https://b.example:443/", sni="a.example").error == "no_virtual_host"


@pytest.mark.parametrize("second", ["TCP", "MONGO"])
def test_tcp_after_http_at_one_address_is_refused(gateway, second):
    two = edge("one", HTTP % ("a", "HTTP", '"*"')) + edge("two", HTTP % ("b", second, '"*"'), day=2)
    mesh = gateway(rule("one", "two") + two)
    assert mesh.arrive("http://a.example:80/").route == "to-0"
    assert mesh.connect(80).error == "protocol_error"


def test_http_after_tcp_at_one_address_is_refused(gateway):
    two = edge("one", HTTP % ("a", "TCP", '"*"')) + edge("two", HTTP % ("b", "HTTP", '"*"'), day=2)
    mesh = gateway(rule("one", "two") + two)
    assert mesh.connect(80).cluster == WEB
    assert routes(mesh) == set()


def test_second_tcp_server_of_a_port_is_refused(gateway):
    other = SERVICE.replace("web", "other") + RULE.replace("{host: web", "{host: other") % ("other", "two", "other")
    two = edge("one", HTTP % ("a", "TCP", '"*"')) + edge("two", HTTP % ("b", "TCP", '"*"'), day=2)
    assert gateway(rule("one") + other + two).connect(80).cluster == WEB


def test_tcp_and_http_share_a_port_at_different_addresses(gateway):
    two = edge("one", BOUND % (80, "HTTP", "10.0.0.1")) + edge("two", BOUND % (80, "TCP", "10.0.0.2"), day=2)
    mesh = gateway(rule("one", "two") + two)
    assert mesh.connect(80, "10.0.0.2").cluster == WEB
    assert mesh.connect(80, "10.0.0.1").error == "protocol_error"
    assert mesh.connect(80, "10.0.0.3").error == "no_listener"
    assert routes(mesh) == {"http.80.10.0.0.1"}


def test_plain_server_after_tls_at_one_port_is_refused(gateway):
    plain = HTTP.replace("80", "443") % ("b", "HTTP", "b.example")
    two = edge("one", TLS % ("a", "HTTPS", "a.example")) + edge("two", plain, day=2)
    assert gateway(rule("one", "two") + two).arrive("http://b.example:443/").error == "no_filter_chain"


@pytest.mark.parametrize("protocol", ["HTTPS", "TLS"])
def test_server_with_a_tls_host_that_is_taken_is_refused_whole(gateway, protocol):
    two = edge("one", TLS % ("a", "HTTPS", "a.example"))
    two += edge("two", TLS % ("b", protocol, "a.example, b.example"), day=2)
    mesh = gateway(rule("one", "two") + two)
    assert mesh.arrive("https://a.example:443/").route == "to-0"
    assert mesh.arrive("https://b.example:443/").error == "no_filter_chain"


def test_tls_host_is_taken_at_its_address_only(gateway):
    bound = "{port: {number: 443, name: a, protocol: HTTPS}, bind: %s, hosts: [a.example], tls: " + SIMPLE + "}"
    two = edge("one", bound % "10.0.0.1") + edge("two", bound % "10.0.0.2", day=2)
    mesh = gateway(rule("one", "two") + two)
    assert {"10.0.0.1_443", "10.0.0.2_443"} <= set(
        mesh.resources["type.googleapis.com/envoy.config.listener.v3.Listener"]
    )


def test_https_tls_and_passthrough_servers_share_a_port_by_server_name(gateway):
    passing = "{port: {number: 443, name: c, protocol: TLS}, hosts: [c.example], tls: {mode: PASSTHROUGH}}"
    servers = (TLS % ("a", "HTTPS", "a.example"), TLS % ("b", "TLS", "b.example"), passing)
    tls = "\n  tls: [{match: [{sniHosts: [c.example]}], route: [{destination: {host: c.svc}}]}]\n---"
    mesh = gateway(rule("one").removesuffix("\n---\n") + tls + edge("one", *servers))
    assert mesh.arrive("https://a.example:443/").cluster == WEB
    assert mesh.connect(443, tls=True, sni="b.example").cluster == WEB
    assert mesh.connect(443, tls=True, sni="c.example").cluster == "outbound|443||c.svc"


def test_server_whose_name_another_of_its_gateway_has_is_left_out(gateway):
    first, second = (HTTP.replace("{port", "{name: x, port") % (name, "HTTP", f"{name}.example") for name in "ab")
    mesh = gateway(rule("one") + edge("one", first, second))
    assert mesh.arrive("http://a.example:80/").cluster == WEB
    assert mesh.arrive("http://b.example:80/").error == "no_virtual_host"


def test_gateways_of_all_namespaces_are_selected(gateway):
    assert (
        gateway(rule("far/one") + edge("one", HTTP % ("a", "HTTP", '"*"'), namespace="far"))
        .arrive("http://a.example:80/")
        .cluster
        == WEB
    )


@pytest.mark.parametrize("name", ["one", "./one", "default/one"])
def test_gateway_is_named_short_with_a_dot_or_with_its_namespace(gateway, name):
    mesh = gateway(rule(name) + edge("one", HTTP % ("a", "HTTP", '"*"')))
    assert mesh.arrive("http://a.example:80/").cluster == WEB


def test_gateway_of_another_namespace_is_not_meant_by_its_short_name(gateway):
    mesh = gateway(rule("one") + edge("one", HTTP % ("a", "HTTP", '"*"'), namespace="far"))
    assert mesh.arrive("http://a.example:80/").error == "no_route"


ENTRANCE = """
apiVersion: v1
kind: Service
metadata: {name: istio-ingressgateway, namespace: istio-system, creationTimestamp: "2026-01-0%dT00:00:00.0Z"}
spec:
  selector: {istio: ingressgateway}
  ports: [{name: http2, port: 80, targetPort: %s}, {name: https, port: 443, targetPort: 8443}]
---
"""


def test_port_of_the_gateways_service_stands_for_the_workloads_own(gateway):
    mesh = gateway(rule("one") + ENTRANCE % (1, 8080) + edge("one", HTTP % ("a", "HTTP", "a.example")))
    assert routes(mesh) == {"http.8080"}
    assert mesh.arrive("http://a.example:80/").error == "no_listener"
    found = mesh.arrive("http://a.example:8080/")
    assert (found.virtual_host, found.route) == ("a.example:80", "to-0")


def test_servers_that_end_at_one_port_of_the_workload_merge(gateway):
    other = '{port: {number: 8080, name: b, protocol: HTTP}, hosts: ["b.example"]}'
    two = edge("one", HTTP % ("a", "HTTP", "a.example")) + edge("two", other, day=2)
    mesh = gateway(rule("one", "two") + ENTRANCE % (1, 8080) + two)
    assert routes(mesh) == {"http.8080"}
    assert [mesh.arrive(f"http://{host}.example:8080/").route for host in "ab"] == ["to-0", "to-1"]


def test_https_route_table_keeps_the_servers_own_port(gateway):
    mesh = gateway(rule("one") + ENTRANCE % (1, 8080) + edge("one", TLS % ("a", "HTTPS", "a.example")))
    assert routes(mesh) == {"https.443.a.one.default"}
    assert mesh.arrive("https://a.example:8443/").route == "to-0"


def test_oldest_service_that_declares_the_port_decides(gateway):
    services = ENTRANCE % (2, 8080) + (ENTRANCE % (1, 9090)).replace("istio-ingressgateway,", "older,")
    mesh = gateway(rule("one") + services + edge("one", HTTP % ("a", "HTTP", "a.example")))
    assert routes(mesh) == {"http.9090"}


@pytest.mark.parametrize("target", ["http2", "80"])
def test_port_without_another_number_is_itself(gateway, target):
    mesh = gateway(rule("one") + ENTRANCE % (1, target) + edge("one", HTTP % ("a", "HTTP", "a.example")))
    assert mesh.arrive("http://a.example:80/").route == "to-0"


def test_who_calls_a_gateway_means_the_port_of_its_service_unless_the_connections_is_given(mesh_of):
    front = edge("one", HTTP % ("a", "HTTP", "a.example"), namespace="istio-system")
    mesh = mesh_of(rule("istio-system/one") + ENTRANCE % (1, 8080) + front)
    assert mesh.simulate("GET http://a.example/", gateway="istio-system/one").listener == "0.0.0.0_8080"
    assert mesh.simulate("GET http://a.example/", gateway="istio-system/one", port=8080).route == "to-0"
    assert mesh.simulate("GET http://a.example/", gateway="istio-system/one", port=80).error == "no_listener"


def test_a_gateway_stands_for_proxies_in_the_namespace_of_their_service(mesh_of):
    front = edge("one", HTTP % ("a", "HTTP", "a.example"))
    mesh = mesh_of(rule("one") + ENTRANCE % (1, 8080) + front)
    found = mesh.simulate("GET http://a.example/", gateway="default/one")
    assert (found.listener, found.route) == ("0.0.0.0_8080", "to-0")
