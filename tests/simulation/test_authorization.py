"""Who may call a workload: AuthorizationPolicies at its inbound listener. Tests called trap_20 are of the rules that
are easy to get wrong."""

from textwrap import indent
from typing import Any

import pytest

WEB = "cluster.local/ns/default/sa/web"
MALLORY = "cluster.local/ns/evil/sa/mallory"


def policy(spec: str, name: str = "p", namespace: str = "default") -> str:
    head = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n"
    return f"{head}metadata: {{name: {name}, namespace: {namespace}}}\nspec:\n{indent(spec, '  ')}\n---\n"


def named(name: str, index: int = 0, namespace: str = "default") -> str:
    return f"ns[{namespace}]-policy[{name}]-rule[{index}]"


def test_without_policies_everything_passes(sidecar: Any) -> None:
    assert sidecar("").receive("http://web/") == ("ALLOW", "")


def test_trap_20_an_allow_policy_without_rules_denies_everything(sidecar: Any) -> None:
    assert sidecar(policy("{}")).receive("http://web/") == ("DENY", "")


def test_trap_20_an_empty_rule_matches_everything(sidecar: Any) -> None:
    assert sidecar(policy("rules: [{}]")).receive("http://web/") == ("ALLOW", named("p"))
    assert sidecar(policy("action: DENY\nrules: [{}]")).receive("http://web/") == ("DENY", named("p"))


def test_trap_20_deny_goes_before_allow(sidecar: Any) -> None:
    mesh = sidecar(
        policy("rules: [{}]", "a") + policy("action: DENY\nrules: [{to: [{operation: {paths: [/x]}}]}]", "d")
    )
    assert mesh.receive("http://web/x") == ("DENY", named("d"))
    assert mesh.receive("http://web/y") == ("ALLOW", named("a"))


def test_audit_stands_before_deny_and_denies_nothing(sidecar: Any) -> None:
    audit, deny = "action: AUDIT\nrules: [{}]", "action: DENY\nrules: [{to: [{operation: {paths: [/x]}}]}]"
    mesh = sidecar(policy(audit, "a") + policy(deny, "d"))
    assert mesh.receive("http://web/x") == ("DENY", named("d"))
    assert mesh.receive("http://web/y") == ("ALLOW", "")
    assert sidecar(policy(audit), protocol="tcp").receive("tcp://web/", tcp=True) == ("ALLOW", "")


@pytest.mark.parametrize("spec", ["{}", "rules: [{to: [{operation: {paths: [/x]}}]}]", "action: DENY\nrules: [{}]"])
def test_policy_that_is_only_tried_denies_nothing(sidecar: Any, spec: str) -> None:
    tried = policy(spec, "tried").replace("metadata: {", "metadata: {annotations: {istio.io/dry-run: 'true'}, ")
    assert sidecar(tried).receive("http://web/y") == ("ALLOW", "")
    assert sidecar(tried, protocol="tcp").receive("tcp://web/", tcp=True) == ("ALLOW", "")
    enforced = policy("rules: [{to: [{operation: {methods: [GET]}}]}]", "a")
    assert sidecar(tried + enforced).receive("http://web/y") == ("ALLOW", named("a"))
    assert sidecar(tried.replace("'true'", "'false'")).receive("http://web/y")[0] == "DENY"


def test_trap_20_policies_of_the_root_namespace_and_of_the_workloads_are_joined(sidecar: Any) -> None:
    allow_a = "rules: [{to: [{operation: {paths: [/a]}}]}]"
    allow_b = "rules: [{to: [{operation: {paths: [/b]}}]}]"
    mesh = sidecar(
        policy(allow_a, "root", "istio-system") + policy(allow_b, "own") + policy("{}", "other", "elsewhere")
    )
    assert mesh.receive("http://web/a") == ("ALLOW", named("root", namespace="istio-system"))
    assert mesh.receive("http://web/b") == ("ALLOW", named("own"))
    assert mesh.receive("http://web/c").verdict == "DENY"


def test_a_selector_chooses_workloads_of_its_namespace(sidecar: Any) -> None:
    spec = "selector: {matchLabels: {app: web}}"
    assert sidecar(policy(spec), labels={"app": "web"}).receive("http://web/").verdict == "DENY"
    assert sidecar(policy(spec), labels={"app": "db"}).receive("http://web/").verdict == "ALLOW"
    assert (
        sidecar(policy(spec, namespace="istio-system"), labels={"app": "web"}).receive("http://web/").verdict == "DENY"
    )


HTTP_RULE = "rules: [{from: [{source: {principals: ['*']}}], to: [{operation: {paths: [/x], ports: ['8080']}}]}]"


def test_trap_20_on_tcp_an_allow_rule_with_http_only_fields_is_dropped_whole(sidecar: Any) -> None:
    mesh = sidecar(policy(HTTP_RULE), protocol="tcp")
    assert mesh.receive("tcp://web/", peer=WEB, tcp=True) == ("DENY", "")


def test_trap_20_on_tcp_a_deny_rule_loses_its_http_only_fields_and_denies_more(sidecar: Any) -> None:
    mesh = sidecar(policy("action: DENY\n" + HTTP_RULE), protocol="tcp")
    assert mesh.receive("tcp://web/", peer=WEB, tcp=True) == ("DENY", named("p"))
    assert mesh.receive("tcp://web/", tcp=True) == ("ALLOW", "")


SOURCES = [
    ("principals: [cluster.local/ns/default/sa/web]", {"peer": WEB}, {"peer": MALLORY}),
    ("principals: ['cluster.local/ns/default/*']", {"peer": WEB}, {}),
    ("principals: ['*/sa/web']", {"peer": WEB}, {"peer": MALLORY}),
    ("principals: ['*']", {"peer": WEB}, {}),
    ("notPrincipals: [cluster.local/ns/evil/sa/mallory]", {}, {"peer": MALLORY}),
    ("namespaces: [default]", {"peer": WEB}, {"peer": MALLORY}),
    ("namespaces: ['*fault']", {"peer": WEB}, {"peer": MALLORY}),
    ("notNamespaces: [evil]", {"peer": WEB}, {"peer": MALLORY}),
    ("serviceAccounts: [web]", {"peer": WEB}, {"peer": "cluster.local/ns/evil/sa/web"}),
    ("serviceAccounts: [evil/mallory]", {"peer": MALLORY}, {"peer": WEB}),
    ("notServiceAccounts: [evil/mallory]", {"peer": WEB}, {"peer": MALLORY}),
    ("trustDomains: [cluster.local]", {"peer": WEB}, {"peer": "other.org/ns/default/sa/web"}),
    ("notTrustDomains: [other.org]", {"peer": WEB}, {"peer": "other.org/ns/default/sa/web"}),
    ("ipBlocks: [192.0.2.0/24]", {}, {"direct_remote_address": "10.0.0.1:1"}),
    ("notIpBlocks: [10.0.0.1]", {}, {"direct_remote_address": "10.0.0.1:1"}),
    ("remoteIpBlocks: [198.51.100.1]", {"remote_address": "198.51.100.1:1"}, {}),
    ("notRemoteIpBlocks: ['2001:db8::/32']", {}, {"remote_address": "[2001:db8::5]:1"}),
]


@pytest.mark.parametrize(("source", "allowed", "denied"), SOURCES, ids=[item[0] for item in SOURCES])
def test_a_source_says_who(sidecar: Any, source: str, allowed: Any, denied: Any) -> None:
    mesh = sidecar(policy(f"rules: [{{from: [{{source: {{{source}}}}}]}}]"))
    assert mesh.receive("http://web/", **allowed).verdict == "ALLOW"
    assert mesh.receive("http://web/", **denied).verdict == "DENY"


OPERATIONS = [
    ("hosts: [shop.example.com]", "http://SHOP.example.com/", "http://shop/"),
    ("hosts: ['*.example.com']", "http://a.Example.com/", "http://example.com/"),
    ("hosts: ['shop*']", "http://shop:80/", "http://a.shop/"),
    ("notHosts: [evil]", "http://shop/", "http://evil/"),
    ("paths: [/a]", "http://web/a?b=1", "http://web/a/"),
    ("paths: ['/a*']", "http://web/ab", "http://web/b"),
    ("paths: ['*/info']", "http://web/x/info?q", "http://web/info/x"),
    ("paths: ['/a/{*}/c']", "http://web/a/b/c", "http://web/a/b/b/c"),
    ("paths: ['/a/{**}']", "http://web/a/b/c", "http://web/b/a"),
    ("notPaths: [/healthz]", "http://web/", "http://web/healthz"),
]


@pytest.mark.parametrize(("operation", "allowed", "denied"), OPERATIONS, ids=[item[0] for item in OPERATIONS])
def test_an_operation_says_what(sidecar: Any, operation: str, allowed: str, denied: str) -> None:
    mesh = sidecar(policy(f"rules: [{{to: [{{operation: {{{operation}}}}}]}}]"))
    assert mesh.receive(allowed).verdict == "ALLOW"
    assert mesh.receive(denied).verdict == "DENY"


def test_the_client_is_who_x_forwarded_for_says_and_the_source_who_connects(sidecar: Any) -> None:
    for source, verdict in (("remoteIpBlocks", "ALLOW"), ("ipBlocks", "DENY")):
        mesh = sidecar(policy(f"rules: [{{from: [{{source: {{{source}: [198.51.100.0/24]}}}}]}}]"))
        assert mesh.receive("http://web/", x_forwarded_for="203.0.113.1, 198.51.100.7").verdict == verdict


def test_methods_are_compared_whole_or_by_a_pattern(sidecar: Any) -> None:
    mesh = sidecar(policy("rules: [{to: [{operation: {methods: [GET, 'P*']}}]}]"))
    verdicts = [mesh.receive("http://web/", method).verdict for method in ("GET", "PUT", "DELETE")]
    assert verdicts == ["ALLOW", "ALLOW", "DENY"]
    mesh = sidecar(policy("rules: [{to: [{operation: {notMethods: [GET, 'P*']}}]}]"))
    verdicts = [mesh.receive("http://web/", method).verdict for method in ("GET", "PUT", "DELETE")]
    assert verdicts == ["DENY", "DENY", "ALLOW"]


def test_the_port_is_the_applications_whatever_port_the_sidecar_listens_on(sidecar: Any) -> None:
    for field, verdict in (("ports", "ALLOW"), ("notPorts", "DENY")):
        mesh = sidecar(policy(f"rules: [{{to: [{{operation: {{{field}: ['8080']}}}}]}}]"))
        assert mesh.receive("http://web/", local_address="10.0.0.3:15006").verdict == verdict


CONDITIONS = [
    ("request.headers[x-user]", "alice", {"x_user": "alice"}, {"x_user": "bob"}),
    ("request.headers[x-user]", "*", {"x_user": "bob"}, {}),
    ("source.ip", "192.0.2.1", {}, {"direct_remote_address": "10.0.0.1:1"}),
    ("remote.ip", "198.51.100.0/24", {"remote_address": "198.51.100.1:1"}, {}),
    ("source.namespace", "default", {"peer": WEB}, {"peer": MALLORY}),
    ("source.principal", WEB, {"peer": WEB}, {"peer": MALLORY}),
    ("source.serviceAccount", "evil/mallory", {"peer": MALLORY}, {"peer": WEB}),
    ("destination.ip", "127.0.0.1", {}, {"local_address": "10.0.0.1:80"}),
    ("connection.sni", "*.shop", {"requested_server_name": "web.shop"}, {"requested_server_name": "web"}),
]


@pytest.mark.parametrize(("key", "value", "matching", "other"), CONDITIONS, ids=[item[0] for item in CONDITIONS])
def test_a_condition_holds_or_does_not(sidecar: Any, key: str, value: str, matching: Any, other: Any) -> None:
    mesh = sidecar(policy(f"rules: [{{when: [{{key: '{key}', values: ['{value}']}}]}}]"))
    assert mesh.receive("http://web/", **matching).verdict == "ALLOW"
    assert mesh.receive("http://web/", **other).verdict == "DENY"
    negated = sidecar(policy(f"rules: [{{when: [{{key: '{key}', notValues: ['{value}']}}]}}]"))
    assert negated.receive("http://web/", **matching).verdict == "DENY"


def token(**claims: Any) -> dict[str, Any]:
    return {"dynamic_metadata": {"envoy.filters.http.jwt_authn": {"payload": {"iss": "https://issuer", **claims}}}}


CLAIMS = [
    ("from: [{source: {requestPrincipals: ['*']}}]", token(sub="a"), {}),
    ("from: [{source: {requestPrincipals: ['https://issuer/a']}}]", token(sub="a"), token(sub="b")),
    ("from: [{source: {requestPrincipals: ['https://issuer/*']}}]", token(sub="a"), {}),
    ("from: [{source: {requestPrincipals: ['*/a']}}]", token(sub="a"), token(sub="b")),
    ("from: [{source: {notRequestPrincipals: ['*']}}]", {}, token(sub="a")),
    ("when: [{key: request.auth.principal, values: ['https://issuer/a']}]", token(sub="a"), {}),
    ("when: [{key: request.auth.audiences, values: [shop]}]", token(aud=["x", "shop"]), token(aud="x")),
    ("when: [{key: request.auth.presenter, values: [app]}]", token(azp="app"), token(azp="x")),
    ("when: [{key: 'request.auth.claims[a][b]', values: ['c*']}]", token(a={"b": "cd"}), token(a="cd")),
    ("when: [{key: 'request.auth.claims[role]', values: [x, admin]}]", token(role=["admin"]), token(role=[])),
]


@pytest.mark.parametrize(("rule", "allowed", "denied"), CLAIMS, ids=[item[0] for item in CLAIMS])
def test_a_verified_token_counts(sidecar: Any, rule: str, allowed: Any, denied: Any) -> None:
    mesh = sidecar(policy(f"rules: [{{{rule}}}]"))
    assert mesh.receive("http://web/", **allowed).verdict == "ALLOW"
    assert mesh.receive("http://web/", **denied).verdict == "DENY"


def test_of_several_sources_and_operations_one_of_each_is_enough(sidecar: Any) -> None:
    mesh = sidecar(
        policy(
            "rules:\n- from: [{source: {namespaces: [a]}}, {source: {namespaces: [default]}}]\n"
            "  to: [{operation: {methods: [GET]}}, {operation: {paths: [/b]}}]\n"
            "- to: [{operation: {paths: [/free]}}]\n"
        )
    )
    assert mesh.receive("http://web/b", "POST", peer=WEB) == ("ALLOW", named("p"))
    assert mesh.receive("http://web/c", "POST", peer=WEB).verdict == "DENY"
    assert mesh.receive("http://web/free", "POST") == ("ALLOW", named("p", 1))


def test_cluster_local_stands_for_the_meshs_trust_domain(sidecar: Any) -> None:
    spec = "rules: [{from: [{source: {principals: [cluster.local/ns/default/sa/web]}}]}]"
    mesh = sidecar(policy(spec), trustDomain="mesh.example")
    assert mesh.receive("http://web/", peer="mesh.example/ns/default/sa/web").verdict == "ALLOW"


def test_cluster_local_of_a_pattern_is_the_domain_of_that_name(sidecar: Any) -> None:
    mesh = sidecar(
        policy("rules: [{from: [{source: {principals: ['cluster.local/ns/default/*']}}]}]"), trustDomain="mesh.example"
    )
    assert mesh.receive("http://web/", peer="mesh.example/ns/default/sa/web").verdict == "DENY"
    assert mesh.receive("http://web/", peer=WEB).verdict == "ALLOW"


ASK = "action: CUSTOM\nprovider: {name: %s}\nrules: [{to: [{operation: {paths: [/x]}}]}]"
AUTHORIZER = "apiVersion: v1\nkind: Service\nmetadata: {name: authz}\nspec: {ports: [{name: http, port: 90}]}\n---\n"
PROVIDERS = [{"name": "one", "envoyExtAuthzHttp": {"service": "authz.default.svc.cluster.local", "port": 90}}]


def test_trap_20_a_custom_provider_that_nobody_defined_denies_what_it_would_be_asked_about(sidecar: Any) -> None:
    mesh = sidecar(policy(ASK % "nobody"))
    assert mesh.receive("http://web/x").verdict == "DENY"
    assert mesh.receive("http://web/y").verdict == "ALLOW"
    without_service = sidecar(policy(ASK % "one"), extensionProviders=PROVIDERS)
    assert without_service.receive("http://web/x").verdict == "DENY"


def test_trap_20_two_custom_providers_of_one_workload_deny(sidecar: Any) -> None:
    both = policy(ASK % "one", "a") + policy(ASK % "two", "b")
    mesh = sidecar(AUTHORIZER + both, extensionProviders=[*PROVIDERS, {**PROVIDERS[0], "name": "two"}])
    assert mesh.receive("http://web/x").verdict == "DENY"


def test_trap_20_a_custom_policy_is_asked_before_deny_and_allow(sidecar: Any) -> None:
    mesh = sidecar(AUTHORIZER + policy(ASK % "one", "c") + policy("{}", "a"), extensionProviders=PROVIDERS)
    manager = mesh.proxy.listener("virtualInbound").filter_chains[0].network_filter
    names = [item.name.rpartition(".")[2] for item in manager.http_filters]
    assert names == ["rbac", "ext_authz", "rbac", "router"]
    assert mesh.receive("http://web/x").verdict == "DENY"  # by the ALLOW policy without rules
