"""Connections at a gateway that are not HTTP to it: tcp routes, and tls routes by server name."""

import pytest

GATEWAY = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  selector: {istio: ingressgateway}
  servers: [%s]
---
"""
RULE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: %s, namespace: %s, creationTimestamp: "2026-01-0%dT00:00:00.0Z"}
spec: {hosts: [%s], gateways: [default/edge], %s}
---
"""
PASSING = "{port: {number: 443, name: tls, protocol: %s}, hosts: [%s], tls: {mode: PASSTHROUGH}}"
ENDING = "{port: {number: 443, name: tls, protocol: TLS}, hosts: [%s], tls: {mode: %s, credentialName: a}}"
TCP = '{port: {number: 7, name: tcp, protocol: %s}, hosts: ["*"]}'


def edge(*servers: str) -> str:
    return GATEWAY % ", ".join(servers)


def rule(hosts: str, spec: str, name: str = "a", namespace: str = "default", day: int = 1) -> str:
    return RULE % (name, namespace, day, hosts, spec)


def to(host: str) -> str:
    return f"route: [{{destination: {{host: {host}.svc}}}}]"


def tls(*names: str, host: str = "x", more: str = "") -> str:
    return f"{{match: [{{sniHosts: [{', '.join(names)}]{more}}}], {to(host)}}}"


def tls_connect(mesh, name: str):
    return mesh.connect(443, tls=True, sni=name)


@pytest.mark.parametrize("protocol", ["TLS", "HTTPS"])
def test_passthrough_goes_by_server_name(gateway, protocol):
    routes = f"tls: [{tls('a.example', host='a')}, {tls('b.example', host='b')}]"
    mesh = gateway(edge(PASSING % (protocol, '"*"')) + rule("a.example, b.example", routes))
    assert tls_connect(mesh, "a.example").cluster == "outbound|443||a.svc"
    assert tls_connect(mesh, "b.example").cluster == "outbound|443||b.svc"
    assert tls_connect(mesh, "c.example").error == "no_filter_chain"


def test_passthrough_of_an_exact_name_comes_before_a_wildcards(gateway):
    routes = f"tls: [{tls('*.example', host='any')}, {tls('a.example', host='a')}]".replace("*.example", '"*.example"')
    mesh = gateway(edge(PASSING % ("TLS", '"*"')) + rule('"*.example"', routes))
    assert tls_connect(mesh, "a.example").cluster == "outbound|443||a.svc"
    assert tls_connect(mesh, "b.example").cluster == "outbound|443||any.svc"


def test_https_request_through_a_passthrough_server_is_a_connection(gateway):
    mesh = gateway(edge(PASSING % ("HTTPS", "a.example")) + rule("a.example", f"tls: [{tls('a.example')}]"))
    assert mesh.arrive("https://a.example:443/any/path").cluster == "outbound|443||x.svc"


def test_older_virtual_service_has_a_server_name_that_two_claim(gateway):
    rules = rule("a.example", f"tls: [{tls('a.example', host='new')}]", "new", day=2)
    rules += rule("a.example", f"tls: [{tls('a.example', host='old')}]", "old")
    assert tls_connect(gateway(edge(PASSING % ("TLS", '"*"')) + rules), "a.example").cluster == "outbound|443||old.svc"


def test_match_with_one_server_name_that_is_taken_is_left_out_whole(gateway):
    routes = f"tls: [{tls('a.example', host='a')}, {tls('a.example', 'b.example', host='b')}]"
    mesh = gateway(edge(PASSING % ("TLS", '"*"')) + rule("a.example, b.example", routes))
    assert tls_connect(mesh, "a.example").cluster == "outbound|443||a.svc"
    assert tls_connect(mesh, "b.example").error == "no_filter_chain"


def test_server_name_is_compared_without_its_case(gateway):
    mesh = gateway(edge(PASSING % ("TLS", '"*"')) + rule("A.Example", f"tls: [{tls('A.Example')}]"))
    assert tls_connect(mesh, "a.EXAMPLE").cluster == "outbound|443||x.svc"


def test_tls_routes_bind_where_the_hosts_of_rule_and_server_meet(gateway):
    rules = rule("a.example", f"tls: [{tls('a.example')}]") + rule("b.other", f"tls: [{tls('b.other')}]", "b")
    mesh = gateway(edge(PASSING % ("TLS", '"*.example"')) + rules)
    assert tls_connect(mesh, "a.example").cluster == "outbound|443||x.svc"
    assert tls_connect(mesh, "b.other").error == "no_filter_chain"


def test_tls_routes_bind_from_the_namespaces_of_the_server_only(gateway):
    rules = rule("a.example", f"tls: [{tls('a.example')}]", namespace="far")
    near, far = (gateway(edge(PASSING % ("TLS", f"{namespace}/a.example")) + rules) for namespace in ("near", "far"))
    assert tls_connect(near, "a.example").error == "no_listener"
    assert tls_connect(far, "a.example").cluster == "outbound|443||x.svc"


def test_match_of_another_port_or_gateway_does_not_apply(gateway):
    matches = (tls("a.example", more=", port: 8443"), tls("b.example", more=", gateways: [other]"))
    routes = f"tls: [{', '.join(matches)}, {tls('c.example', more=', port: 443, gateways: [edge]')}]"
    mesh = gateway(edge(PASSING % ("TLS", '"*"')) + rule('"*.example"', routes))
    assert tls_connect(mesh, "a.example").error == "no_filter_chain"
    assert tls_connect(mesh, "b.example").error == "no_filter_chain"
    assert tls_connect(mesh, "c.example").cluster == "outbound|443||x.svc"


def test_labels_and_namespace_of_the_source_mean_nothing_at_a_gateway(gateway):
    routes = f"tls: [{tls('a.example', more=', sourceLabels: {app: x}, sourceNamespace: far')}]"
    mesh = gateway(edge(PASSING % ("TLS", '"*"')) + rule("a.example", routes))
    assert tls_connect(mesh, "a.example").cluster == "outbound|443||x.svc"


def test_plaintext_at_a_passthrough_server_of_named_hosts_is_refused(gateway):
    mesh = gateway(edge(PASSING % ("TLS", '"*"')) + rule("a.example", f"tls: [{tls('a.example')}]"))
    assert mesh.connect(443).error == "no_filter_chain"
    assert mesh.arrive("http://a.example:443/").error == "no_filter_chain"


def test_tls_that_ends_here_goes_on_by_the_tcp_route(gateway):
    mesh = gateway(edge(ENDING % ("a.example", "SIMPLE")) + rule("a.example", f"tcp: [{{{to('db')}}}]"))
    assert tls_connect(mesh, "a.example").cluster == "outbound|443||db.svc"
    assert tls_connect(mesh, "b.example").error == "no_filter_chain"


def test_mutual_tls_needs_a_client_certificate(gateway):
    mesh = gateway(edge(ENDING % ("a.example", "MUTUAL")) + rule("a.example", f"tcp: [{{{to('db')}}}]"))
    assert tls_connect(mesh, "a.example").error == "mtls_error"
    told = mesh.connect(443, tls=True, sni="a.example", from_principal="spiffe://a/ns/b/sa/c")
    assert told.cluster == "outbound|443||db.svc"


def test_optional_mutual_tls_does_without_a_client_certificate(gateway):
    mesh = gateway(edge(ENDING % ("a.example", "OPTIONAL_MUTUAL")) + rule("a.example", f"tcp: [{{{to('db')}}}]"))
    assert tls_connect(mesh, "a.example").cluster == "outbound|443||db.svc"


@pytest.mark.parametrize("protocol", ["TCP", "MONGO", "MySQL", "redis"])
def test_tcp_goes_by_the_first_route_that_applies(gateway, protocol):
    routes = f"tcp: [{{match: [{{port: 8}}], {to('other')}}}, {{match: [{{port: 7}}], {to('db')}}}, {{{to('late')}}}]"
    assert gateway(edge(TCP % protocol) + rule('"*"', routes)).connect(7).cluster == "outbound|7||db.svc"


def test_tcp_route_of_the_older_virtual_service_comes_first(gateway):
    rules = rule("a.example", f"tcp: [{{{to('new')}}}]", "new", day=2) + rule("b.example", f"tcp: [{{{to('old')}}}]")
    assert gateway(edge(TCP % "TCP") + rules).connect(7).cluster == "outbound|7||old.svc"


def test_tcp_is_split_by_weight(gateway):
    split = "route: [{destination: {host: a.svc}, weight: 80}, {destination: {host: b.svc}, weight: 20}]"
    mesh = gateway(edge(TCP % "TCP") + rule('"*"', f"tcp: [{{{split}}}]"))
    assert [mesh.connect(7, random=random).cluster for random in (0.0, 0.79, 0.81)] == [
        "outbound|7||a.svc",
        "outbound|7||a.svc",
        "outbound|7||b.svc",
    ]


def test_tcp_port_without_a_route_is_not_opened(gateway):
    assert gateway(edge(TCP % "TCP")).connect(7).error == "no_listener"
