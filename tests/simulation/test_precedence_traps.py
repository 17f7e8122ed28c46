"""Which of several rules holds for a sidecar: Istio's traps of precedence, by their numbers.

5, 7: test_captured_http; 10: test_delegates; 15 is of gateways; 16, 24: test_sidecar_scope.
"""

import pytest

from tests.simulation.captured_sidecar import CapturedSidecar

OLD, NEW = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: %s, namespace: %s}
spec: {clusterIP: %s, selector: {app: %s}, ports: [{name: http, port: 80}]}
---
"""
MESH = (
    SERVICE % ("shop", "default", "10.0.0.1", "shop")
    + SERVICE % ("a", "default", "10.0.0.2", "a")
    + SERVICE % ("b", "team", "10.0.0.3", "b")
)
SHOP, A, B = (f"outbound|80||{host}.svc.cluster.local" for host in ("shop.default", "a.default", "b.team"))
WEB_SELECTOR = "selector: {matchLabels: {app: web}}"
TELEMETRY = """
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {{name: logs{}, namespace: {}}}
spec:
  {}
  accessLogging: [{{{}}}]
---
"""
FULL_A, FULL_B = "a.default.svc.cluster.local", "b.team.svc.cluster.local"


def rule(
    hosts: str,
    to: str,
    name: str = "rule",
    created: str = OLD,
    namespace: str = "default",
    more: str = "",
    route: str = "",
) -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}, namespace: {namespace}, creationTimestamp: "{created}"}}
spec: {{hosts: ['{hosts}'], {more}http: [{{{route}route: [{{destination: {{host: {to}}}}}]}}]}}
---
"""


def policy(
    host: str, spec: str, name: str = "policy", created: str = OLD, namespace: str = "default", more: str = ""
) -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: {name}, namespace: {namespace}, creationTimestamp: "{created}"}}
spec: {{host: '{host}', {more}{spec}}}
---
"""


def balancer(simple: str) -> str:
    return f"trafficPolicy: {{loadBalancer: {{simple: {simple}}}}}"


def lb_policy(mesh: CapturedSidecar, cluster: str = SHOP) -> str:
    return mesh.clusters[cluster]["lb_policy"]


def goes_to(*rules: str, url: str = "shop:80", **sidecar: object) -> str:
    return CapturedSidecar(MESH + "".join(rules), **sidecar).http(url).cluster


def test_trap_1_older_then_name_then_namespace():
    assert goes_to(rule("shop", FULL_A, "z", OLD), rule("shop", FULL_B, "a", NEW)) == A
    assert goes_to(rule("shop", FULL_A, "z"), rule("shop", FULL_B, "a")) == B
    host = "shop.default.svc.cluster.local"
    assert goes_to(rule(host, FULL_A, namespace="default"), rule(host, FULL_B, namespace="zoo")) == A


def test_trap_2_rules_of_one_host_are_not_merged_for_a_sidecar():
    first = rule("shop", FULL_A, "first", OLD, route="match: [{uri: {prefix: /a}}], ")
    mesh = CapturedSidecar(MESH + first + rule("shop", FULL_B, "second", NEW))
    assert mesh.http("shop:80", path="/a").cluster == A
    assert mesh.http("shop:80", path="/b").cluster == ""  # 404, and not the second rule's


def test_trap_3_private_beats_exported_beats_public_whatever_the_age():
    public = rule("shop", FULL_A, "public", OLD)
    private = rule("shop", FULL_B, "private", NEW, more="exportTo: ['.'], ")
    assert goes_to(public, private) == B
    host = "shop.default.svc.cluster.local"
    exported = rule(host, FULL_B, "exported", NEW, "zoo", more="exportTo: [default], ")
    assert goes_to(public, exported) == B


def test_trap_4_most_specific_host_and_no_wildcard_host_where_it_matched_a_service():
    wide = rule("*.svc.cluster.local", FULL_A, "wide", OLD)
    narrow = rule("*.default.svc.cluster.local", FULL_B, "narrow", NEW)
    exact = rule("shop", "shop", "exact", NEW)
    assert goes_to(wide) == A
    assert goes_to(wide, narrow) == B
    assert goes_to(wide, narrow, exact) == SHOP
    assert goes_to(wide, url="unknown.other.svc.cluster.local:80") == "PassthroughCluster"


def test_trap_6_short_names_are_of_the_rules_namespace():
    in_team = SERVICE % ("shop", "team", "10.0.0.9", "shop")
    mesh = CapturedSidecar(MESH + in_team + rule("shop", "b", namespace="team"))
    assert mesh.http("shop.team:80").cluster == B
    assert mesh.http("shop:80").cluster == SHOP


@pytest.mark.parametrize(
    ("match", "applies"),
    [
        ("sourceLabels: {app: web}", True),
        ("sourceLabels: {app: other}", False),
        ("sourceNamespace: default", True),
        ("sourceNamespace: team", False),
        ("gateways: [mesh], sourceLabels: {app: other}", True),
        ("gateways: [mesh], sourceNamespace: team", True),
        ("gateways: [edge]", False),
    ],
)
def test_trap_8_gateways_in_a_match_make_labels_and_namespace_of_no_matter(match, applies):
    routed = rule("shop", FULL_A, route=f"match: [{{{match}}}], ")
    assert goes_to(routed, labels={"app": "web"}) == (A if applies else SHOP)


@pytest.mark.parametrize(
    ("route", "expected"),
    [
        ("", "destination.example"),
        ("headers: {request: {set: {Host: route.example}}}, ", "route.example"),
        ("headers: {request: {set: {':authority': route.example}}}, ", "route.example"),
        ("rewrite: {authority: rewrite.example}, ", "rewrite.example"),
    ],
)
def test_trap_9_authority_of_the_route_goes_before_that_of_its_destination(route, expected):
    to = "a}, headers: {request: {set: {Host: destination.example}}"
    assert CapturedSidecar(MESH + rule("shop", to, route=route)).http("shop:80").authority == expected


def test_trap_11_clients_namespace_then_services_then_root():
    host = "b.team.svc.cluster.local"
    root = policy(host, balancer("RANDOM"), namespace="istio-system")
    services = policy(host, balancer("ROUND_ROBIN"), namespace="team")
    clients = policy(host, "subsets: [{name: v1, labels: {version: v1}}]")
    assert lb_policy(CapturedSidecar(MESH + root), B) == "RANDOM"
    assert lb_policy(CapturedSidecar(MESH + root + services), B) == "ROUND_ROBIN"
    assert lb_policy(CapturedSidecar(MESH + root + services + clients), B) == "LEAST_REQUEST"  # nothing is inherited


def test_trap_11_inside_a_namespace_the_most_specific_host():
    wide, narrow = policy("*.local", balancer("RANDOM"), "wide"), policy("shop", balancer("ROUND_ROBIN"), "narrow", NEW)
    mesh = CapturedSidecar(MESH + wide + narrow)
    assert (lb_policy(mesh), lb_policy(mesh, A)) == ("ROUND_ROBIN", "RANDOM")


def test_trap_12_subsets_are_joined_and_the_oldest_policy_holds():
    first = policy("shop", "subsets: [{name: v1, labels: {version: v1}}]", "first", OLD)
    second = policy(
        "shop",
        f"{balancer('RANDOM')}, subsets: [{{name: v1, labels: {{a: b}}}}, {{name: v2, labels: {{a: b}}}}]",
        "s",
        NEW,
    )
    third = policy("shop", balancer("ROUND_ROBIN"), "third", "2026-03-01T00:00:00Z")
    mesh = CapturedSidecar(MESH + first + second + third)
    assert {SHOP.replace("||", f"|{name}|") for name in ("v1", "v2")} <= set(mesh.clusters)
    assert lb_policy(mesh) == "RANDOM"


def test_trap_12_rules_that_are_exported_elsewhere_are_not_joined():
    first = policy("shop", "subsets: [{name: v1, labels: {a: b}}]", "first", more="exportTo: ['.'], ")
    second = policy("shop", "subsets: [{name: v2, labels: {a: b}}]", "second", NEW)
    mesh = CapturedSidecar(MESH + first + second)
    found = {name for name in ("v1", "v2") if SHOP.replace("||", f"|{name}|") in mesh.clusters}
    assert found == {"v1"}


def test_trap_12_rule_that_more_namespaces_see_joins_an_older_one_for_its_own():
    first = policy("shop", "subsets: [{name: v1, labels: {a: b}}]", "first", more="exportTo: ['.'], ")
    second = policy("shop", "subsets: [{name: v2, labels: {a: b}}]", "second", NEW, more="exportTo: ['.', zoo], ")
    mesh = CapturedSidecar(MESH + first + second)
    assert {SHOP.replace("||", f"|{name}|") for name in ("v1", "v2")} <= set(mesh.clusters)
    elsewhere = CapturedSidecar(MESH + first + second, namespace="zoo")
    assert SHOP.replace("||", "|v1|") not in elsewhere.clusters
    assert SHOP.replace("||", "|v2|") in elsewhere.clusters


def test_trap_12_rules_for_other_workloads_leave_the_next_namespaces_rule():
    selected = "workloadSelector: {matchLabels: {app: web}}, "
    own = policy("shop.default.svc.cluster.local", balancer("RANDOM"), "own", more=selected, namespace="zoo")
    served = policy("shop", balancer("ROUND_ROBIN"), "served")
    assert lb_policy(CapturedSidecar(MESH + own + served, namespace="zoo")) == "ROUND_ROBIN"
    assert lb_policy(CapturedSidecar(MESH + own + served, namespace="zoo", labels={"app": "web"})) == "RANDOM"


def test_trap_13_subset_overrides_whole_blocks_and_a_port_leaves_nothing_of_the_rule():
    pool = "connectionPool: {tcp: {maxConnections: 7}, http: {http2MaxRequests: 9}}"
    subset = "subsets: [{name: v1, labels: {a: b}, trafficPolicy: {connectionPool: {tcp: {maxConnections: 3}}}}]"
    mesh = CapturedSidecar(
        MESH + policy("shop", f"trafficPolicy: {{loadBalancer: {{simple: RANDOM}}, {pool}}}, {subset}")
    )
    v1 = mesh.clusters[SHOP.replace("||", "|v1|")]
    limits = v1["circuit_breakers"]["thresholds"][0]
    assert (v1["lb_policy"], limits["max_connections"], limits["max_requests"]) == ("RANDOM", 3, 4294967295)
    at_port = "portLevelSettings: [{port: {number: 80}, outlierDetection: {interval: 1s}}]"
    mesh = CapturedSidecar(MESH + policy("shop", f"trafficPolicy: {{loadBalancer: {{simple: RANDOM}}, {at_port}}}"))
    assert lb_policy(mesh) == "LEAST_REQUEST"


def test_trap_14_subset_or_host_that_does_not_exist_is_routed_to_a_cluster_that_does_not_exist():
    for target in ("shop, subset: nope", "nope"):
        mesh = CapturedSidecar(MESH + rule("shop", target))
        cluster = mesh.http("shop:80").cluster
        assert "nope" in cluster
        assert cluster not in mesh.clusters


def test_trap_17_same_host_own_namespace_then_kubernetes_then_the_oldest_entry():
    entry = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: %s, namespace: %s, creationTimestamp: "%s"}
spec:
  hosts: [shop.default.svc.cluster.local]
  resolution: %s
  location: MESH_INTERNAL
  ports: [{number: 80, name: http}]
---
"""
    old, new = entry % ("old", "zoo", OLD, "DNS"), entry % ("new", "team", NEW, "NONE")

    def kind(*objects: str, namespace: str = "ops") -> str:
        return CapturedSidecar("".join(objects), namespace=namespace).clusters[SHOP]["type"]

    assert kind(old, new) == "STRICT_DNS"
    assert kind(old, new, MESH) == "EDS"
    assert kind(old, new, MESH, namespace="team") == "ORIGINAL_DST"


def test_trap_22_access_logs_of_workload_then_namespace_then_mesh() -> None:
    providers = [{"name": name, "envoyFileAccessLog": {"path": f"/{name}"}} for name in ("root", "space", "load")]

    def paths(*logging: str) -> list[str]:
        levels = zip(("istio-system", "default", "default"), ("", "", WEB_SELECTOR), logging, strict=False)
        yaml = "".join(TELEMETRY.format(i, *level) for i, level in enumerate(levels))
        mesh = CapturedSidecar(MESH + yaml, labels={"app": "web"}, extensionProviders=providers, accessLogFile="/mesh")
        terminal = mesh.listeners["0.0.0.0_80"].filter_chains[0].network_filter
        return [log.path for log in terminal.access_logs]

    named = [f"providers: [{{name: {name}}}]" for name in ("root", "space", "load")]
    assert paths() == ["/mesh"]
    assert [paths(*named[:levels]) for levels in (1, 2, 3)] == [["/root"], ["/space"], ["/load"]]
    assert paths(named[0], "disabled: true") == []
    assert paths(named[0], "match: {mode: SERVER}, disabled: true") == ["/root"]
