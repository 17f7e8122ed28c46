"""What the simulator answers, field by field."""

import pytest

from pymesh.control.model.manifest import InvalidDocumentsError
from pymesh.errors import UsageError
from pymesh.simulation.call import parse_call
from pymesh.simulation.explanation import explain

REVIEWS = "outbound|9080|{}|reviews.default.svc.cluster.local"
MESH = """
apiVersion: v1
kind: Service
metadata: {name: reviews}
spec: {selector: {app: reviews}, clusterIP: 10.96.0.1, ports: [{name: http, port: 9080}]}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: reviews-v1}
spec: {address: 10.0.0.1, labels: {app: reviews, version: v1, security.istio.io/tlsMode: istio}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: reviews-v2}
spec: {address: 10.0.0.2, labels: {app: reviews, version: v2}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec: {host: reviews, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
---
"""
RULE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
"""
SPLIT = """
  - name: split
    route:
    - {destination: {host: reviews, subset: v1}, weight: 30}
    - {destination: {host: reviews, subset: v2}, weight: 70}
"""
STRICT = """
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: strict}
spec: {mtls: {mode: STRICT}}
"""
EDGE = """
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  selector: {istio: ingressgateway}
  servers:
  - {port: {number: 80, name: http, protocol: HTTP}, hosts: [shop.example.com], tls: {httpsRedirect: true}}
  - {port: {number: 8080, name: plain, protocol: HTTP}, hosts: [shop.example.com]}
  - {port: {number: 443, name: https, protocol: HTTPS}, hosts: [shop.example.com],
     tls: {mode: SIMPLE, credentialName: shop}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: edge}
spec:
  hosts: [shop.example.com]
  gateways: [edge]
  http: [{match: [{uri: {prefix: /reviews}}], route: [{destination: {host: reviews}}]}]
"""


def decide(mesh_of, yaml, request="GET http://reviews:9080/", **fields):
    return mesh_of(yaml).simulate(request, **fields)


def test_service_without_a_rule_is_called_by_its_default_route(mesh_of):
    found = decide(mesh_of, MESH)
    assert (found.error, found.route, found.cluster) == (None, "default", REVIEWS.format(""))
    assert found.endpoints == ("10.0.0.1:9080", "10.0.0.2:9080")
    assert found.virtual_host == "reviews.default.svc.cluster.local:9080"


@pytest.mark.parametrize(("random", "subset"), [(0.29, "v1"), (0.3, "v2"), (0.99, "v2")])
def test_random_number_picks_the_weighted_cluster(mesh_of, random, subset):
    found = decide(mesh_of, MESH + RULE + SPLIT, random=random)
    assert (found.cluster, found.subset) == (REVIEWS.format(subset), subset)
    assert found.weights == {REVIEWS.format("v1"): 30, REVIEWS.format("v2"): 70}


def test_without_a_random_number_whatever_may_happen_does(mesh_of):
    fault = "  - {fault: {abort: {httpStatus: 503, percentage: {value: 1}}}, route: [{destination: {host: reviews}}]}"
    assert decide(mesh_of, MESH + RULE + fault).fault.abort.http_status == 503
    assert decide(mesh_of, MESH + RULE + fault, random=0.5).fault is None


def test_rewrites_headers_timeout_retries_and_mirrors_are_told(mesh_of):
    rule = """
  - match: [{uri: {prefix: /old}}]
    rewrite: {uri: /new, authority: other.example.com}
    timeout: 1500ms
    retries: {attempts: 3, perTryTimeout: 250ms, retryOn: 5xx}
    mirrors: [{destination: {host: reviews, subset: v2}, percentage: {value: 25}}]
    headers: {request: {set: {x-a: "1"}, remove: [x-b]}, response: {add: {x-c: "2"}, remove: [server]}}
    route: [{destination: {host: reviews, subset: v1}}]
"""
    found = decide(
        mesh_of, MESH + RULE + rule, "GET http://reviews:9080/old/x?y=1", header={"x-b": "gone", "x-d": "kept"}
    )
    assert (found.rewritten.authority, found.rewritten.path) == ("other.example.com", "/new/x?y=1")
    assert found.timeout == "1.5s"
    assert (found.retries.attempts, found.retries.per_try_timeout, found.retries.retry_on) == (3, "0.25s", "5xx")
    assert [(mirror.cluster, mirror.percentage) for mirror in found.mirrors] == [(REVIEWS.format("v2"), 25.0)]
    assert found.request_headers == {"x-a": "1", "x-d": "kept"}
    assert found.response_headers == {"x-c": "2", "server": None}


def test_redirect_and_direct_response_are_told(mesh_of):
    redirect = "  - {redirect: {uri: /there, authority: x.example, redirectCode: 302}}"
    found = decide(mesh_of, MESH + RULE + redirect)
    assert (found.redirect.code, found.redirect.location) == (302, "http://x.example/there")
    tea = "  - {directResponse: {status: 418, body: {string: tea}}}"
    found = decide(mesh_of, MESH + RULE + tea).direct_response
    assert (found.status, found.body) == (418, "tea")


def test_missing_subset_is_cluster_not_found(mesh_of):
    rule = "  - route: [{destination: {host: reviews, subset: v9}}]"
    found = decide(mesh_of, MESH + RULE + rule)
    assert (found.error, found.cluster) == ("cluster_not_found", REVIEWS.format("v9"))


def test_host_header_overrides_the_urls_authority(mesh_of):
    found = decide(mesh_of, MESH, "GET http://10.9.9.9:9080/", header=["Host: reviews:9080"])
    assert found.cluster == REVIEWS.format("")


def test_source_labels_choose_the_senders_routes(mesh_of):
    rule = """
  - {match: [{sourceLabels: {app: web}}], route: [{destination: {host: reviews, subset: v2}}]}
  - route: [{destination: {host: reviews, subset: v1}}]
"""
    assert decide(mesh_of, MESH + RULE + rule).subset == "v1"
    assert decide(mesh_of, MESH + RULE + rule, source_label=["app=web"]).subset == "v2"


def test_sender_of_the_files_has_its_own_labels(mesh_of):
    rule = "  - {match: [{sourceLabels: {version: v1}}], route: [{destination: {host: reviews, subset: v2}}]}"
    assert decide(mesh_of, MESH + RULE + rule, from_="default/reviews-v1").subset == "v2"
    assert decide(mesh_of, MESH + RULE + rule, from_="default/reviews-v2").subset is None


def test_mtls_is_spoken_to_the_endpoints_that_have_it(mesh_of):
    v1 = "  - route: [{destination: {host: reviews, subset: v1}}]"
    v2 = "  - route: [{destination: {host: reviews, subset: v2}}]"
    assert decide(mesh_of, MESH + RULE + v1).inbound.mtls == "mutual_tls"
    assert decide(mesh_of, MESH + RULE + v2).inbound.mtls == "none"


def test_plaintext_is_rejected_by_a_strict_workload(mesh_of):
    found = decide(mesh_of, MESH + STRICT, to="default/reviews-v1")
    assert (found.error, found.inbound.mtls) == ("no_filter_chain", "rejected")
    mtls = {"tls": True, "from_principal": "cluster.local/ns/default/sa/web"}
    found = decide(mesh_of, MESH + STRICT, to="default/reviews-v1", **mtls)
    assert (found.error, found.inbound.mtls, found.cluster) == (None, "mutual_tls", "inbound|9080||")


def test_senders_plaintext_to_a_strict_workload_is_the_answers_error(mesh_of):
    v2 = "  - route: [{destination: {host: reviews, subset: v2}}]"
    found = decide(mesh_of, MESH + RULE + v2 + STRICT)
    assert (found.error, found.inbound.mtls) == ("no_filter_chain", "rejected")
    assert found.cluster == REVIEWS.format("v2")


def test_gateway_sends_plaintext_to_https(mesh_of):
    found = decide(mesh_of, MESH + EDGE, "GET http://shop.example.com/reviews/1", gateway="default/edge")
    assert (found.error, found.virtual_host) == ("tls_redirect", "shop.example.com:80")
    assert (found.redirect.code, found.redirect.location) == (301, "https://shop.example.com/reviews/1")


@pytest.mark.parametrize(
    ("request_", "fields", "error"),
    [
        ("GET http://shop.example.com:8080/reviews", {}, None),
        ("GET http://shop.example.com:8080/else", {}, "no_route"),
        ("GET http://other.example.com:8080/reviews", {}, "no_virtual_host"),
        ("GET http://shop.example.com:8081/reviews", {}, "no_listener"),
        ("GET http://shop.example.com/reviews", {"port": 8080}, None),
        ("GET https://shop.example.com/reviews", {}, None),
        ("GET https://shop.example.com/reviews", {"sni": "other.example.com"}, "no_filter_chain"),
        ("GET https://shop.example.com:8080/reviews", {}, "protocol_error"),
        ("GET http://shop.example.com:443/reviews", {}, "no_filter_chain"),
        ("TCP tcp://10.0.0.9:8080", {}, "protocol_error"),
    ],
)
def test_gateway_answers_as_istios_simulation_does(mesh_of, request_, fields, error):
    found = decide(mesh_of, MESH + EDGE, request_, gateway="default/edge", **fields)
    assert found.error == error
    if error is None:
        assert found.cluster == REVIEWS.format("")


@pytest.mark.parametrize("name", ["istio-system/ingressgateway", "istio-system/istio-ingressgateway", "default/edge"])
def test_gateway_may_be_named_by_its_object_or_its_workload(mesh_of, name):
    found = decide(mesh_of, MESH + EDGE, "GET http://shop.example.com:8080/reviews", gateway=name)
    assert found.cluster == REVIEWS.format("")


def test_tcp_connection_goes_to_the_cluster_of_its_address(mesh_of):
    db = """
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: 10.96.0.9, ports: [{name: tcp, port: 3306}]}
"""
    found = decide(mesh_of, db, "TCP tcp://10.96.0.9:3306")
    assert (found.error, found.cluster, found.rewritten) == (None, "outbound|3306||db.default.svc.cluster.local", None)


def test_mesh_config_may_be_among_the_files(mesh_of):
    config = """---
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data: {mesh: "outboundTrafficPolicy: {mode: REGISTRY_ONLY}"}
"""
    assert decide(mesh_of, MESH, "GET http://elsewhere.example.com/").cluster == "PassthroughCluster"
    assert decide(mesh_of, MESH + config, "GET http://elsewhere.example.com/").cluster == "BlackHoleCluster"


def test_json_has_every_field_and_null_for_what_does_not_apply(mesh_of):
    answer = decide(mesh_of, MESH).to_json()
    names = """listener filter_chain route_config virtual_host route cluster subset weights endpoints rewritten redirect
    direct_response fault timeout retries mirrors request_headers response_headers inbound error"""
    assert list(answer) == names.split()
    assert answer["rewritten"] == {"method": "GET", "authority": "reviews:9080", "path": "/"}
    assert answer["redirect"] is None


def test_reasons_name_every_route_that_did_not_match_and_the_line_of_the_one_that_did(mesh_of):
    rule = """
  - {name: jason, match: [{headers: {end-user: {exact: jason}}}], route: [{destination: {host: reviews}}]}
  - {name: login, match: [{uri: {prefix: /login}}], route: [{destination: {host: reviews}}]}
  - {name: debug, match: [{queryParams: {debug: {exact: "1"}}}], route: [{destination: {host: reviews}}]}
  - {name: posts, match: [{method: {exact: POST}}], route: [{destination: {host: reviews}}]}
  - {name: rest, route: [{destination: {host: reviews}}]}
"""
    mesh = mesh_of(MESH + RULE + rule)
    text = "\n".join(explain(mesh.trace(parse_call({"request": "GET http://reviews:9080/a"})), mesh.configuration))
    assert "http[0].match[0] (mesh.yaml:30): header end-user is not 'jason'" in text
    assert "the path does not begin with /login" in text
    assert "query parameter debug is not '1'" in text
    assert "method is not 'POST'" in text
    assert "-> route rest of VirtualService default/reviews http[4] (mesh.yaml:34)" in text


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"request": "http://reviews/"}, "is not a request such as"),
        ({"request": "GET reviews"}, "is not a request such as"),
        ({"request": "GET http://reviews:x/"}, "is not a URL"),
        ({"request": "TCP http://reviews/"}, "TCP goes with tcp://"),
        ({"request": "TCP tcp://10.0.0.1"}, "needs a port"),
        ({"request": "GET http://a/", "from": "web"}, "is not NAMESPACE/NAME"),
        ({"request": "GET http://a/", "from": "a/b", "to": "a/b"}, "only one of"),
        ({"request": "GET http://a/", "header": ["x"]}, "is not K:V"),
        ({"request": "GET http://a/", "random": 1}, "is not a number from 0"),
        ({"request": "GET http://a/", "alpn": "h2"}, "alpn goes with tls"),
        ({"request": "GET http://a/", "port": 70000}, "is not a number from 1"),
        ({"request": "GET http://a/", "form": "a/b"}, "is not a field of a request"),
        ({"request": "GET http://a/", "tls": True, "from-principal": "me"}, "is not <trust domain>"),
    ],
)
def test_wrong_calls_are_refused_in_one_line(fields, message):
    with pytest.raises(UsageError) as caught:
        parse_call(fields)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_violations_of_all_documents_are_told_at_once(mesh_of):
    bad = (
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: %s}\nspec: {hosts: [a], htp: []}\n"
    )
    with pytest.raises(InvalidDocumentsError) as caught:
        mesh_of(bad % "one" + "---\n" + bad % "two")
    assert {problem[:21] for problem in caught.value.problems} == {"mesh.yaml: document 1", "mesh.yaml: document 2"}


ADMINS_ONLY = """
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: admins}
spec:
  selector: {matchLabels: {app: reviews}}
  rules: [{from: [{source: {principals: [cluster.local/ns/default/sa/admin]}}], to: [{operation: {methods: [GET]}}]}]
"""


def test_policy_of_the_workload_decides_what_arrives(mesh_of):
    admin = {"to": "default/reviews-v1", "tls": True, "from_principal": "cluster.local/ns/default/sa/admin"}
    found = decide(mesh_of, MESH + ADMINS_ONLY, **admin)
    assert (found.error, found.inbound.authz.verdict) == (None, "ALLOW")
    assert found.inbound.authz.policy == "ns[default]-policy[admins]-rule[0]"
    found = decide(mesh_of, MESH + ADMINS_ONLY, "POST http://reviews:9080/", **admin)
    assert (found.error, found.inbound.authz.verdict, found.inbound.authz.policy) == ("rbac_denied", "DENY", None)
    found = decide(mesh_of, MESH + ADMINS_ONLY, to="default/reviews-v1")
    assert found.error == "rbac_denied"


def test_senders_certificate_is_judged_by_the_workload_that_is_called(mesh_of):
    admin = """
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: admin-1}
spec: {address: 10.0.0.7, labels: {app: admin}, serviceAccount: admin}
"""
    v1 = "  - route: [{destination: {host: reviews, subset: v1}}]"
    yaml = MESH + RULE + v1 + ADMINS_ONLY + admin
    assert decide(mesh_of, yaml, from_="default/admin-1").inbound.authz.verdict == "ALLOW"
    found = decide(mesh_of, yaml, from_="default/reviews-v2")
    assert (found.error, found.cluster) == ("rbac_denied", REVIEWS.format("v1"))
    assert decide(mesh_of, yaml, from_principal="cluster.local/ns/default/sa/admin").error is None


def test_route_of_a_delegate_is_told_by_its_place_there(mesh_of):
    root = "  - {match: [{uri: {prefix: /api}}], delegate: {name: api}}\n"
    api = """---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: api}
spec:
  http:
  - {match: [{uri: {prefix: /api/v1}}], route: [{destination: {host: reviews, subset: v1}}]}
  - {match: [{uri: {prefix: /api/v2}}], route: [{destination: {host: reviews, subset: v2}}]}
"""
    found = decide(mesh_of, MESH + RULE + root + api, "GET http://reviews:9080/api/v2")
    assert (found.subset, found.rule.key.name, found.rule.path) == ("v2", "api", "http[1]")


def test_address_of_endpoints_has_the_inbound_verdict_of_its_service(mesh_of):
    by_hand = """
apiVersion: v1
kind: Service
metadata: {name: legacy}
spec: {clusterIP: 10.96.0.3, ports: [{name: http, port: 8080}]}
---
apiVersion: v1
kind: Endpoints
metadata: {name: legacy}
subsets: [{addresses: [{ip: 10.7.7.7}], ports: [{name: http, port: 8080}]}]
"""
    found = decide(mesh_of, by_hand, "GET http://legacy:8080/")
    assert (found.endpoints, found.inbound.mtls) == (("10.7.7.7:8080",), "none")
    assert decide(mesh_of, by_hand + STRICT, "GET http://legacy:8080/").error == "no_filter_chain"


@pytest.mark.parametrize(
    ("workload", "mtls"),
    [
        ("labels: {app: reviews}", "none"),
        ("labels: {app: reviews}, serviceAccount: reviews", "mutual_tls"),
        ("labels: {app: reviews, security.istio.io/tlsMode: istio}", "mutual_tls"),
        ("labels: {app: reviews, security.istio.io/tlsMode: disabled}, serviceAccount: reviews", "none"),
    ],
)
def test_workload_by_hand_with_a_service_account_has_mtls_unless_its_label_says_otherwise(mesh_of, workload, mtls):
    entry = (
        "apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {name: r}\nspec: {address: 10.0.0.3, %s}\n"
    )
    service = MESH[: MESH.index("---")]
    assert decide(mesh_of, service + "---\n" + entry % workload).inbound.mtls == mtls


WEB = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, clusterIP: 10.96.0.4, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: web-1}
spec: {address: 10.0.0.4, labels: {app: web}}
"""


@pytest.mark.parametrize(
    ("request_", "fields", "port"),
    [
        ("GET http://web/", {}, 8080),
        ("GET http://web:80/", {}, 8080),
        ("GET http://10.0.0.4:8080/", {}, 8080),
        ("GET http://web/", {"port": 8080}, 8080),
    ],
)
def test_service_port_of_what_arrives_means_the_workloads_port(mesh_of, request_, fields, port):
    found = decide(mesh_of, WEB, request_, to="default/web-1", **fields)
    assert (found.cluster, found.filter_chain) == (f"inbound|{port}||", f"0.0.0.0_{port}")


def test_inbound_virtual_host_has_the_name_of_the_services_port(mesh_of):
    assert decide(mesh_of, WEB, "GET http://web/", to="default/web-1").virtual_host == "inbound|http|80"


def test_tls_without_a_certificate_is_an_mtls_error_at_a_strict_workload(mesh_of):
    found = decide(mesh_of, MESH + STRICT, to="default/reviews-v1", tls=True)
    assert (found.error, found.inbound.mtls) == ("mtls_error", "rejected")
    found = decide(mesh_of, MESH, "TCP tcp://10.0.0.1:9080", to="default/reviews-v1", tls=True)
    assert (found.error, found.inbound.mtls) == (None, "none")
