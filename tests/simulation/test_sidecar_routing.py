"""Calls through a sidecar's HTTP proxy."""

import pytest

from pymesh.control.model.validation import header_value
from pymesh.proxy.routing import formatter

MESH = """
apiVersion: v1
kind: Service
metadata: {name: payment}
spec: {selector: {app: payment}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: orders, namespace: shop}
spec: {selector: {app: orders}, ports: [{name: http, port: 8080}, {name: http-admin, port: 9090}]}
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {selector: {app: db}, ports: [{name: tcp, port: 5432}]}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: payment-v1, annotations: {pymesh.dev/inbound-port: "15006"}}
spec: {address: 10.0.0.1, labels: {app: payment, version: v1}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: payment-v2, annotations: {pymesh.dev/inbound-port: "15006"}}
spec: {address: 10.0.0.2, labels: {app: payment, version: v2}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: payment}
spec:
  host: payment
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
---
"""
PAYMENT = "outbound|80||payment.default.svc.cluster.local"
RULE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: %s, namespace: %s, creationTimestamp: "%s"}
spec:
%s
---
"""


def rule(spec: str, name: str = "payment", namespace: str = "default", created: str = "2026-01-01T00:00:00.0Z") -> str:
    return RULE % (name, namespace, created, spec.strip("\n"))


def to(path: str, name: str, subset: str = "v1") -> str:
    return f"""
  - name: {name}
    match: [{{uri: {{prefix: {path}}}}}]
    route: [{{destination: {{host: payment, subset: {subset}}}}}]"""


@pytest.mark.parametrize(
    "host",
    [
        "payment",
        "payment:80",
        "payment.default",
        "payment.default.svc:80",
        "payment.default.svc.cluster.local",
        "PAYMENT.default.svc.cluster.local:80",
        "payment.default.svc.cluster.local.",
    ],
)
def test_service_answers_to_every_spelling_of_its_name(sidecar, host):
    decision = sidecar(MESH).send(f"http://{host}/")
    assert (decision.error, decision.cluster) == ("", PAYMENT)
    assert decision.endpoints == ("10.0.0.1:15006", "10.0.0.2:15006")


def test_bare_name_is_of_the_callers_namespace_only(sidecar):
    assert sidecar(MESH, namespace="shop").send("http://payment/").cluster == "PassthroughCluster"
    assert sidecar(MESH, namespace="shop").send("http://payment.default/").cluster == PAYMENT


def test_host_without_port_means_the_services_first_http_port(sidecar):
    mesh = sidecar(MESH, namespace="shop")
    assert mesh.send("http://orders/").cluster == "outbound|8080||orders.shop.svc.cluster.local"
    assert mesh.send("http://orders:9090/").cluster == "outbound|9090||orders.shop.svc.cluster.local"


def test_unknown_host_goes_where_it_says_or_is_a_502(sidecar):
    assert sidecar(MESH).send("http://example.com/").cluster == "PassthroughCluster"
    closed = sidecar(MESH, outboundTrafficPolicy={"mode": "REGISTRY_ONLY"})
    assert closed.send("http://example.com/").status == 502
    assert closed.send("http://example.com:443", method="CONNECT").status == 502


def test_connect_to_a_service_is_a_tunnel(sidecar):
    decision = sidecar(MESH).send("http://db:5432", method="CONNECT")
    assert decision.cluster == "outbound|5432||db.default.svc.cluster.local"
    assert decision.action.is_connect


def test_tcp_service_has_no_route_for_requests(sidecar):
    assert sidecar(MESH).send("http://db:5432/").error == "no_route"


def test_route_without_virtual_service_has_istios_silent_defaults(sidecar):
    action = sidecar(MESH).send("http://payment/").action
    assert action.timeout is None
    assert action.retry_policy.num_retries == 2
    assert action.retry_policy.avoid_previous_hosts
    assert action.retry_policy.host_selection_retry_max_attempts == 5
    assert action.retry_policy.retriable_status_codes == frozenset()
    assert "5xx" not in action.retry_policy.retry_on


def test_first_match_wins_and_prefix_is_a_plain_string_prefix(sidecar):
    mesh = sidecar(MESH + rule("  hosts: [payment]\n  http:" + to("/v1", "one") + to("/v1x", "two", "v2")))
    assert [mesh.send(f"http://payment{path}").route for path in ("/v1", "/v1x", "/v1/a?b=/v1x")] == ["one"] * 3
    assert mesh.send("http://payment/other").error == "no_route"


def test_path_matching_ignores_the_query(sidecar):
    spec = """
  hosts: [payment]
  http:
  - match: [{uri: {exact: /a}}]
    route: [{destination: {host: payment}}]
"""
    mesh = sidecar(MESH + rule(spec))
    assert mesh.send("http://payment/a?b=c").cluster == PAYMENT
    assert mesh.send("http://payment/a/").error == "no_route"


def test_regex_is_a_full_match(sidecar):
    spec = """
  hosts: [payment]
  http:
  - match: [{uri: {regex: "/v[0-9]"}, headers: {x-user: {regex: "a|b"}}}]
    route: [{destination: {host: payment}}]
"""
    mesh = sidecar(MESH + rule(spec))
    assert mesh.send("http://payment/v1", x_user="a").cluster == PAYMENT
    assert mesh.send("http://payment/v1/more", x_user="a").error == "no_route"
    assert mesh.send("http://payment/v1", x_user="ab").error == "no_route"


def test_blocks_of_a_match_are_ored_and_their_parts_anded(sidecar):
    spec = """
  hosts: [payment]
  http:
  - match:
    - {headers: {x-a: {exact: "1"}}, method: {exact: POST}}
    - {queryParams: {debug: {exact: "true"}}}
    route: [{destination: {host: payment}}]
"""
    mesh = sidecar(MESH + rule(spec))
    assert mesh.send("http://payment/", method="POST", x_a="1").cluster == PAYMENT
    assert mesh.send("http://payment/", x_a="1").error == "no_route"
    assert mesh.send("http://payment/?debug=true").cluster == PAYMENT


def test_header_presence_and_absence(sidecar):
    spec = """
  hosts: [payment]
  http:
  - name: present
    match: [{headers: {x-debug: {}}}]
    route: [{destination: {host: payment}}]
  - name: not-gold
    match: [{withoutHeaders: {x-tier: {exact: gold}}}]
    route: [{destination: {host: payment}}]
  - name: gold
    route: [{destination: {host: payment}}]
"""
    mesh = sidecar(MESH + rule(spec))
    assert mesh.send("http://payment/", x_debug="").route == "present"
    assert mesh.send("http://payment/").route == "not-gold"
    assert mesh.send("http://payment/", x_tier="silver").route == "not-gold"
    assert mesh.send("http://payment/", x_tier="gold").route == "gold"


def test_the_regex_that_is_a_star_means_presence(sidecar):
    spec = """
  hosts: [payment]
  http:
  - match: [{headers: {x-debug: {regex: "*"}}, queryParams: {q: {regex: "*"}}}]
    route: [{destination: {host: payment}}]
"""
    mesh = sidecar(MESH + rule(spec))
    assert mesh.send("http://payment/?q=1", x_debug="").cluster == PAYMENT
    assert mesh.send("http://payment/?q=1").error == "no_route"
    assert mesh.send("http://payment/", x_debug="").error == "no_route"


def test_validation_knows_the_header_operators_of_the_proxies():
    assert formatter.OPERATORS.keys() == header_value.OPERATORS


def test_catch_all_ends_the_list_of_its_virtual_service(sidecar):
    catch_all = "\n  - {name: all, route: [{destination: {host: payment}}]}"
    mesh = sidecar(MESH + rule("  hosts: [payment]\n  http:" + catch_all + to("/never", "never")))
    assert mesh.send("http://payment/never").route == "all"


def test_weights_are_relative_and_zero_is_dropped(sidecar):
    spec = """
  hosts: [payment]
  http:
  - route:
    - {destination: {host: payment, subset: v1}, weight: 3}
    - {destination: {host: payment, subset: v2}, weight: 1}
    - {destination: {host: db}, weight: 0}
"""
    mesh = sidecar(MESH + rule(spec))
    chosen = [mesh.send("http://payment/", random=number / 100).cluster.split("|")[2] for number in range(100)]
    assert (chosen.count("v1"), chosen.count("v2")) == (75, 25)


def test_single_destination_ignores_its_weight(sidecar):
    mesh = sidecar(MESH + rule("  hosts: [payment]\n  http: [{route: [{destination: {host: payment}, weight: 0}]}]"))
    assert mesh.send("http://payment/", random=0.99).cluster == PAYMENT


def test_subset_has_only_its_endpoints(sidecar):
    mesh = sidecar(MESH + rule("  hosts: [payment]\n  http:" + to("/", "all", "v2")))
    assert mesh.send("http://payment/").endpoints == ("10.0.0.2:15006",)


def test_subset_or_host_not_found_keeps_the_route(sidecar):
    spec = """
  hosts: [payment]
  http:
  - match: [{uri: {prefix: /subset}}]
    route: [{destination: {host: payment, subset: v9}}]
  - route: [{destination: {host: nobody}}]
"""
    mesh = sidecar(MESH + rule(spec))
    for path in ("/subset", "/"):
        decision = mesh.send(f"http://payment{path}")
        assert decision.error == "cluster_not_found"
        assert decision.action.cluster_not_found_code == 503


def test_destination_without_port_is_the_only_port_or_else_the_callers(sidecar):
    spec = """
  hosts: [payment]
  http:
  - match: [{uri: {prefix: /db}}]
    route: [{destination: {host: db}}]
  - match: [{uri: {prefix: /orders}}]
    route: [{destination: {host: orders.shop.svc.cluster.local}}]
  - route: [{destination: {host: orders.shop.svc.cluster.local, port: {number: 9090}}}]
"""
    mesh = sidecar(MESH + rule(spec))
    ports = [mesh.send(f"http://payment{path}").cluster.split("|")[1] for path in ("/db", "/orders", "/")]
    assert ports == ["5432", "80", "9090"]


def test_same_host_in_two_virtual_services_is_not_merged_and_the_oldest_wins_whole(sidecar):
    older = rule("  hosts: [payment]\n  http:" + to("/old", "old"), "z", created="2026-01-01T00:00:00.0Z")
    newer = rule("  hosts: [payment]\n  http:" + to("/new", "new"), "a", created="2026-01-02T00:00:00.0Z")
    mesh = sidecar(MESH + newer + older)
    assert mesh.send("http://payment/old").route == "old"
    assert mesh.send("http://payment/new").error == "no_route"


def test_private_virtual_service_beats_an_older_public_one(sidecar):
    public = rule("  hosts: [payment.default.svc.cluster.local]\n  http:" + to("/", "public"), "public", "shop")
    private = rule(
        "  hosts: [payment]\n  exportTo: [.]\n  http:" + to("/", "private"), created="2026-02-01T00:00:00.0Z"
    )
    assert sidecar(MESH + public + private).send("http://payment/").route == "private"
    assert sidecar(MESH + public + private, namespace="x").send("http://payment.default/").route == "public"


def test_wildcard_virtual_service_attaches_to_services_without_a_more_specific_one(sidecar):
    wild = rule('  hosts: ["*.svc.cluster.local"]\n  http:' + to("/", "wild"), "wild")
    exact = rule("  hosts: [payment]\n  http:" + to("/", "exact"), created="2026-02-01T00:00:00.0Z")
    mesh = sidecar(MESH + wild + exact)
    assert mesh.send("http://payment/").route == "exact"
    assert mesh.send("http://orders.shop:8080/").route == "wild"
    assert mesh.send("http://unknown.shop.svc.cluster.local/").cluster == "PassthroughCluster"


def test_virtual_service_of_an_unknown_host_is_routable_on_port_80_only(sidecar):
    mesh = sidecar(MESH + rule("  hosts: [only.example.com]\n  http:" + to("/", "unknown")))
    assert mesh.send("http://only.example.com/").route == "unknown"
    assert mesh.send("http://only.example.com:80/").route == "unknown"
    assert mesh.send("http://only.example.com:8080/").cluster == "PassthroughCluster"


def test_short_name_belongs_to_the_namespace_of_the_rule(sidecar):
    mesh = sidecar(
        MESH
        + rule("  hosts: [orders]\n  http: [{name: short, route: [{destination: {host: orders}}]}]", namespace="shop")
    )
    assert mesh.send("http://orders.shop:8080/").cluster == "outbound|8080||orders.shop.svc.cluster.local"


def test_virtual_service_whose_routes_are_all_for_others_leaves_the_services_own(sidecar):
    spec = """
  hosts: [payment]
  http:
  - match: [{sourceLabels: {app: admin}}]
    route: [{destination: {host: db}}]
"""
    assert sidecar(MESH + rule(spec)).send("http://payment/").route == "default"
    assert (
        sidecar(MESH + rule(spec), labels={"app": "admin"}).send("http://payment/").cluster.startswith("outbound|5432")
    )


def test_match_gateways_set_ignores_source_labels_and_namespace(sidecar):
    spec = """
  hosts: [payment]
  http:
  - name: gateways
    match: [{gateways: [mesh], sourceLabels: {app: nobody}, sourceNamespace: nowhere}]
    route: [{destination: {host: payment}}]
"""
    assert sidecar(MESH + rule(spec)).send("http://payment/").route == "gateways"


def test_source_namespace_must_be_equal(sidecar):
    spec = """
  hosts: [payment]
  http:
  - {name: from-shop, match: [{sourceNamespace: shop}], route: [{destination: {host: payment}}]}
  - {name: others, route: [{destination: {host: payment}}]}
"""
    assert sidecar(MESH + rule(spec), namespace="shop").send("http://payment.default/").route == "from-shop"
    assert sidecar(MESH + rule(spec)).send("http://payment/").route == "others"


def test_virtual_service_of_a_gateway_only_does_not_touch_sidecars(sidecar):
    mesh = sidecar(MESH + rule("  hosts: [payment]\n  gateways: [edge]\n  http:" + to("/", "edge")))
    assert mesh.send("http://payment/").route == "default"


def test_uri_rewrite_replaces_the_prefix_or_the_whole_path(sidecar):
    spec = """
  hosts: [payment]
  http:
  - match: [{uri: {prefix: /api/}}]
    rewrite: {uri: /}
    route: [{destination: {host: payment}}]
  - match: [{uri: {exact: /exact}}]
    rewrite: {uri: /other}
    route: [{destination: {host: payment}}]
  - match: [{uri: {regex: "/r.*"}}]
    rewrite: {uri: /whole}
    route: [{destination: {host: payment}}]
  - match: [{uri: {prefix: /u/}}]
    rewrite: {uriRegexRewrite: {match: "^/u/([^/]+)", rewrite: '/users/\\1'}}
    route: [{destination: {host: payment}}]
"""
    mesh = sidecar(MESH + rule(spec))
    paths = [mesh.send(f"http://payment{path}").path for path in ("/api/a?b=c", "/exact?q", "/regex", "/u/7/x")]
    assert paths == ["/a?b=c", "/other?q", "/whole", "/users/7/x"]


def test_authority_rewrite_beats_route_headers_beat_destination_headers(sidecar):
    spec = """
  hosts: [payment]
  http:
  - match: [{uri: {prefix: /rewrite}}]
    rewrite: {authority: rewrite.example}
    route: [{destination: {host: payment}, headers: {request: {set: {":authority": destination.example}}}}]
  - match: [{uri: {prefix: /route}}]
    headers: {request: {set: {Host: route.example}}}
    route: [{destination: {host: payment}, headers: {request: {set: {":authority": destination.example}}}}]
  - route: [{destination: {host: payment}, headers: {request: {set: {":authority": destination.example}}}}]
"""
    mesh = sidecar(MESH + rule(spec))
    found = [mesh.send(f"http://payment{path}").authority for path in ("/rewrite", "/route", "/")]
    assert found == ["rewrite.example", "route.example", "destination.example"]


def test_redirect_is_301_and_keeps_the_query(sidecar):
    spec = "  hosts: [payment]\n  http: [{redirect: {uri: /new, authority: x.example}}]"
    decision = sidecar(MESH + rule(spec)).send("http://payment/old?a=b")
    assert (decision.status, decision.redirect) == (301, "http://x.example/new?a=b")


def test_redirect_never_writes_the_schemes_default_port(sidecar):
    spec = "  hosts: [payment]\n  http: [{redirect: {scheme: https, authority: x.example, port: 443}}]"
    assert sidecar(MESH + rule(spec)).send("http://payment/").redirect == "https://x.example/"


def test_direct_response_needs_no_upstream(sidecar):
    mesh = sidecar(MESH + rule("  hosts: [payment]\n  http: [{directResponse: {status: 418, body: {string: tea}}}]"))
    decision = mesh.send("http://payment/")
    assert (decision.status, decision.action.body) == (418, b"tea")


@pytest.mark.parametrize("body", ["string", "bytes"])
def test_direct_response_may_have_an_empty_body(sidecar, body):
    answer = f"{{status: 418, body: {{{body}: ''}}}}"
    mesh = sidecar(MESH + rule(f"  hosts: [payment]\n  http: [{{directResponse: {answer}}}]"))
    assert mesh.send("http://payment/").status == 418


def test_retry_attempts_zero_turns_retries_off(sidecar):
    spec = "  hosts: [payment]\n  http: [{retries: {attempts: 0}, route: [{destination: {host: payment}}]}]"
    assert sidecar(MESH + rule(spec)).send("http://payment/").action.retry_policy is None


def test_retries_without_retry_on_keep_the_default_conditions(sidecar):
    spec = "  hosts: [payment]\n  http: [{retries: {attempts: 7}, route: [{destination: {host: payment}}]}]"
    policy = sidecar(MESH + rule(spec)).send("http://payment/").action.retry_policy
    assert policy.num_retries == 7
    assert "connect-failure" in policy.retry_on


def test_numbers_in_retry_on_are_status_codes(sidecar):
    retries = '{attempts: 1, retryOn: "reset,503"}'
    spec = f"  hosts: [payment]\n  http: [{{retries: {retries}, route: [{{destination: {{host: payment}}}}]}}]"
    policy = sidecar(MESH + rule(spec)).send("http://payment/").action.retry_policy
    assert policy.retry_on == {"reset", "retriable-status-codes"}
    assert policy.retriable_status_codes == {503}


def test_fault_without_percentage_injects_nothing(sidecar):
    spec = "  hosts: [payment]\n  http: [{fault: {abort: {httpStatus: 500}}, route: [{destination: {host: payment}}]}]"
    mesh = sidecar(MESH + rule(spec))
    (host,) = (host for host in mesh.proxy.table("http_proxy").config.virtual_hosts if host.name.startswith("payment"))
    (fault,) = host.routes[-1].filter_configs.values()
    assert fault.abort_percentage == 0


def test_mirror_is_of_all_requests_unless_a_percentage_says_less(sidecar):
    spec = """
  hosts: [payment]
  http:
  - match: [{uri: {prefix: /none}}]
    mirror: {host: payment, subset: v2}
    mirrorPercentage: {value: 0}
    route: [{destination: {host: payment, subset: v1}}]
  - mirror: {host: payment, subset: v2}
    route: [{destination: {host: payment, subset: v1}}]
"""
    mesh = sidecar(MESH + rule(spec))
    assert mesh.send("http://payment/none").action.mirrors == ()
    (mirror,) = mesh.send("http://payment/").action.mirrors
    assert (mirror.percent, mirror.append_shadow_suffix) == (100.0, False)


def test_consistent_hash_keeps_tried_hosts(sidecar):
    policy = "  trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: x-user}}}\n"
    hashing = MESH.replace("  host: payment\n", "  host: payment\n" + policy)
    action = sidecar(hashing).send("http://payment/").action
    assert action.hash_policies
    assert not action.retry_policy.avoid_previous_hosts


def test_inbound_permissive_takes_mtls_plaintext_and_foreign_tls(sidecar):
    mesh = sidecar(MESH)
    assert mesh.inbound("tls", "istio") == "mtls"
    assert mesh.inbound("raw_buffer") == "plaintext"
    assert mesh.inbound("tls", "h2") == "tls"


def test_inbound_strict_takes_mtls_only(sidecar):
    strict = """
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: istio-system}
spec: {mtls: {mode: STRICT}}
"""
    mesh = sidecar(MESH + strict)
    assert mesh.inbound("tls", "istio") == "mtls"
    assert mesh.inbound("raw_buffer") == ""
    assert mesh.inbound("tls", "h2") == "mtls", "other TLS meets a chain that asks for a certificate"
