"""Calls that arrive at a gateway."""

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
metadata: {name: %s, namespace: istio-system, creationTimestamp: "%s"}
spec:
  selector: {istio: ingressgateway}
  servers:
%s
---
"""
RULE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: %s, namespace: %s, creationTimestamp: "%s"}
spec:
  hosts: [%s]
  gateways: [istio-system/edge]
  http:
  - {name: %s, match: [{uri: {prefix: %s}}], route: [{destination: {host: web.default.svc.cluster.local}}]}
---
"""
OLD, NEW = "2026-01-01T00:00:00.0Z", "2026-01-02T00:00:00.0Z"
HTTP = "  - {port: {number: 80, name: http, protocol: HTTP}, hosts: [%s]}\n"
HTTPS = (
    "  - {port: {number: 443, name: %s, protocol: HTTPS}, hosts: [%s], tls: {mode: SIMPLE, credentialName: shop-tls}}\n"
)
WEB = "outbound|80||web.default.svc.cluster.local"


def edge(*servers: str, name: str = "edge", created: str = OLD) -> str:
    return GATEWAY % (name, created, "".join(servers).rstrip("\n"))


def rule(host: str, name: str = "web", path: str = "/", created: str = OLD, namespace: str = "default") -> str:
    return RULE % (name, namespace, created, host, name, path)


def test_request_reaches_the_service_behind_the_gateway(gateway):
    mesh = gateway(SERVICE + edge(HTTP % '"*"') + rule('"*"'))
    assert mesh.arrive("http://anything.example.com:80/").cluster == WEB


def test_host_that_no_server_or_rule_names_has_no_virtual_host(gateway):
    mesh = gateway(SERVICE + edge(HTTP % "a.example.com") + rule("a.example.com"))
    assert mesh.arrive("http://b.example.com:80/").error == "no_virtual_host"


def test_gateway_without_virtual_services_answers_no_route(gateway):
    assert gateway(SERVICE + edge(HTTP % '"*"')).arrive("http://a.example.com:80/").error == "no_route"


def test_port_in_host_is_ignored(gateway):
    mesh = gateway(SERVICE + edge(HTTP % "a.example.com") + rule("a.example.com"))
    assert mesh.arrive("http://a.example.com:80/").cluster == WEB


def test_virtual_service_binds_to_the_intersection_of_hosts(gateway):
    mesh = gateway(SERVICE + edge(HTTP % '"*.example.com"') + rule("a.example.com, b.example.org"))
    assert mesh.arrive("http://a.example.com:80/").cluster == WEB
    assert mesh.arrive("http://b.example.org:80/").error == "no_virtual_host"
    assert mesh.arrive("http://c.example.com:80/").error == "no_virtual_host"


def test_wider_virtual_service_is_narrowed_to_the_servers_host(gateway):
    mesh = gateway(SERVICE + edge(HTTP % "a.example.com") + rule('"*.example.com"'))
    assert mesh.arrive("http://a.example.com:80/").virtual_host == "a.example.com:80"
    assert mesh.arrive("http://b.example.com:80/").error == "no_virtual_host"


def test_server_host_may_allow_one_namespace_only(gateway):
    hosts = HTTP % "default/a.example.com"
    assert gateway(SERVICE + edge(hosts) + rule("a.example.com")).arrive("http://a.example.com:80/").cluster == WEB
    elsewhere = rule("a.example.com", namespace="other")
    assert gateway(SERVICE + edge(hosts) + elsewhere).arrive("http://a.example.com:80/").error == "no_route"


def test_routes_of_all_virtual_services_of_a_host_are_joined_in_creation_order(gateway):
    rules = rule("a.example.com", "new", "/a", NEW) + rule("a.example.com", "old", "/a/b", OLD)
    mesh = gateway(SERVICE + edge(HTTP % '"*"') + rules)
    assert mesh.arrive("http://a.example.com:80/a/b").route == "old"
    assert mesh.arrive("http://a.example.com:80/a").route == "new"


def test_catch_all_routes_move_to_the_end(gateway):
    rules = rule("a.example.com", "all", "/", OLD) + rule("a.example.com", "narrow", "/narrow", NEW)
    mesh = gateway(SERVICE + edge(HTTP % '"*"') + rules)
    assert mesh.arrive("http://a.example.com:80/narrow").route == "narrow"
    assert mesh.arrive("http://a.example.com:80/").route == "all"


def test_plaintext_servers_of_several_gateways_share_a_port(gateway):
    second = edge(HTTP % "b.example.com", name="second", created=NEW)
    bound = rule("b.example.com").replace("istio-system/edge", "istio-system/second")
    mesh = gateway(SERVICE + edge(HTTP % "a.example.com") + second + rule("a.example.com", "a") + bound)
    assert mesh.arrive("http://a.example.com:80/").cluster == WEB
    assert mesh.arrive("http://b.example.com:80/").cluster == WEB


def test_https_servers_are_told_apart_by_server_name(gateway):
    servers = HTTPS % ("one", "a.example.com") + HTTPS % ("two", "b.example.com")
    mesh = gateway(SERVICE + edge(servers) + rule("a.example.com"))
    assert mesh.arrive("https://a.example.com:443/").cluster == WEB
    assert mesh.arrive("https://b.example.com:443/").error == "no_route"
    assert mesh.arrive("https://c.example.com:443/").error == "no_filter_chain"


def test_duplicate_tls_host_on_a_port_goes_to_the_older_gateway(gateway):
    second = edge(HTTPS % ("two", "a.example.com"), name="second", created=NEW)
    mesh = gateway(SERVICE + edge(HTTPS % ("one", "a.example.com")) + second + rule("a.example.com"))
    (chain,) = mesh.proxy.listener("0.0.0.0_443").filter_chains
    assert chain.name == "https.443.one.edge.istio-system"


def test_tcp_server_after_http_on_one_port_is_rejected(gateway):
    tcp = edge("  - {port: {number: 80, name: tcp, protocol: TCP}, hosts: ['*']}\n", name="second", created=NEW)
    mesh = gateway(SERVICE + edge(HTTP % '"*"') + tcp + rule('"*"'))
    assert mesh.arrive("http://a.example.com:80/").cluster == WEB


def test_https_redirect_redirects_every_host_of_the_server(gateway):
    redirecting = (
        "  - {port: {number: 80, name: http, protocol: HTTP}, hosts: [a.example.com], tls: {httpsRedirect: true}}\n"
    )
    decision = gateway(SERVICE + edge(redirecting)).arrive("http://a.example.com:80/x?y=z")
    assert decision.status == 301
    assert decision.redirect.startswith("https://a.example.com")


def test_gateway_that_selects_others_opens_nothing(gateway):
    other = edge(HTTP % '"*"').replace("istio: ingressgateway", "istio: egressgateway")
    assert gateway(SERVICE + other).arrive("http://a.example.com:80/").error == "no_listener"


def test_match_on_the_gateways_name_applies_there_only(gateway):
    rules = rule("a.example.com").replace("{uri: {prefix: /}}", "{gateways: [istio-system/other]}")
    assert gateway(SERVICE + edge(HTTP % '"*"') + rules).arrive("http://a.example.com:80/").error == "no_route"


def test_destination_without_port_is_the_servers_port_if_the_service_has_several(gateway):
    two = SERVICE.replace("[{name: http, port: 80}]", "[{name: http, port: 80}, {name: http-2, port: 81}]")
    assert gateway(two + edge(HTTP % '"*"') + rule('"*"')).arrive("http://a.example.com:80/").cluster == WEB


def test_a_gateways_virtual_service_that_is_also_of_the_mesh_works_in_both(gateway, sidecar):
    both = rule("web.default.svc.cluster.local").replace("[istio-system/edge]", "[istio-system/edge, mesh]")
    yaml = SERVICE + edge(HTTP % '"*"') + both
    assert gateway(yaml).arrive("http://web.default.svc.cluster.local:80/").route == "web"
    assert sidecar(yaml).send("http://web/").route == "web"


def test_match_that_names_gateways_asks_for_neither_labels_nor_namespace_of_the_source(gateway):
    match = "{gateways: [istio-system/edge], sourceLabels: {app: other}, sourceNamespace: other}"
    rules = rule("a.example.com").replace("{uri: {prefix: /}}", match)
    assert gateway(SERVICE + edge(HTTP % '"*"') + rules).arrive("http://a.example.com:80/").cluster == WEB


def test_match_without_gateways_asks_for_labels_and_namespace_of_the_gateway_itself(gateway):
    for match, error in (
        ("{sourceLabels: {istio: ingressgateway}, sourceNamespace: istio-system}", ""),
        ("{sourceLabels: {istio: other}}", "no_route"),
        ("{sourceNamespace: default}", "no_route"),
    ):
        rules = rule("a.example.com").replace("{uri: {prefix: /}}", match)
        found = gateway(SERVICE + edge(HTTP % '"*"') + rules).arrive("http://a.example.com:80/")
        assert (found.error if found.error == "no_route" else "") == error


def test_routes_of_one_host_are_joined_across_gateways_and_a_rule_bound_to_both_stands_once(gateway):
    second = edge(HTTP % "a.example.com", name="second", created=NEW)
    both = rule("a.example.com", "both", "/both").replace(
        "[istio-system/edge]", "[istio-system/edge, istio-system/second]"
    )
    only = rule("a.example.com", "only", "/", NEW).replace("istio-system/edge", "istio-system/second")
    mesh = gateway(SERVICE + edge(HTTP % "a.example.com") + second + both + only)
    assert mesh.arrive("http://a.example.com:80/both").route == "both"
    assert mesh.arrive("http://a.example.com:80/").route == "only"
    (host,) = mesh.resources["type.googleapis.com/envoy.config.route.v3.RouteConfiguration"]["http.80"]["virtual_hosts"]
    assert len(host["routes"]) == 2


def test_private_virtual_service_of_the_gateways_namespace_comes_before_an_older_public_one(gateway):
    private = rule("a.example.com", "private", "/a", NEW, "istio-system").replace("hosts:", 'exportTo: ["."]\n  hosts:')
    mesh = gateway(SERVICE + edge(HTTP % '"*"') + rule("a.example.com", "public", "/a") + private)
    assert mesh.arrive("http://a.example.com:80/a").route == "private"


def test_virtual_service_that_is_not_exported_to_the_gateways_namespace_is_not_bound(gateway):
    hidden = rule("a.example.com").replace("hosts:", 'exportTo: ["."]\n  hosts:')
    assert gateway(SERVICE + edge(HTTP % '"*"') + hidden).arrive("http://a.example.com:80/").error == "no_route"


def test_redirect_to_tls_is_told_apart_from_a_routes_redirect(gateway):
    redirecting = HTTP.replace("hosts: [%s]", "hosts: [default/a.example.com], tls: {httpsRedirect: true}")
    mesh = gateway(SERVICE + edge(redirecting) + rule("a.example.com"))
    assert mesh.arrive("http://a.example.com:80/").error == "tls_redirect"
    assert mesh.arrive("http://b.example.com:80/").error == "no_virtual_host"
