"""Trap 10: routes of a VirtualService that another one delegates to."""

import pytest

from tests.simulation.captured_sidecar import CapturedSidecar

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: %s, namespace: %s}
spec: {clusterIP: %s, selector: {app: x}, ports: [{name: http, port: 80}]}
---
"""
MESH = SERVICE % ("shop", "default", "10.0.0.1") + SERVICE % ("backend", "team", "10.0.0.2")
BACKEND = "outbound|80||backend.team.svc.cluster.local"
SHOP = "outbound|80||shop.default.svc.cluster.local"


def rule(name: str, namespace: str, spec: str) -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{{spec}}}
---
"""


def root(route: str, more: str = "{name: rest, route: [{destination: {host: shop}}]}") -> str:
    return rule("root", "default", f"hosts: [shop], http: [{{{route}}}, {more}]")


def delegate(*routes: str, export_to: str = "*") -> str:
    return rule("sub", "team", f"exportTo: ['{export_to}'], http: [{', '.join(f'{{{item}}}' for item in routes)}]")


TO_SUB = "delegate: {name: sub, namespace: team}"
TO_BACKEND = "route: [{destination: {host: backend}}]"


def test_trap_10_short_names_of_a_delegate_are_of_its_own_namespace():
    mesh = CapturedSidecar(MESH + root(f"match: [{{uri: {{prefix: /api}}}}], {TO_SUB}") + delegate(TO_BACKEND))
    assert mesh.http("shop:80", path="/api/x").cluster == BACKEND
    assert mesh.http("shop:80", path="/other").cluster == SHOP


@pytest.mark.parametrize(
    ("wide", "narrow", "path", "is_kept"),
    [
        ("uri: {prefix: /api}", "uri: {prefix: /api/v1}", "/api/v1/x", True),
        ("uri: {prefix: /api}", "uri: {exact: /api/v1}", "/api/v1", True),
        ("uri: {prefix: /api}", "uri: {prefix: /v1}", "/v1", False),
        ("uri: {prefix: /api/v1}", "uri: {prefix: /api}", "/api", False),
        ("uri: {exact: /api}", "uri: {exact: /api}", "/api", True),
        ("uri: {exact: /api}", "uri: {prefix: /api}", "/api", False),
        ("uri: {prefix: /api}", "uri: {regex: '/api/.*'}", "/api/x", False),
        ("method: {exact: GET}", "uri: {prefix: /x}", "/x", True),
        ("uri: {prefix: /api}, ignoreUriCase: true", "uri: {prefix: /api}", "/api", False),
        ("port: 80", "port: 81", "/", False),
    ],
)
def test_trap_10_route_that_is_not_narrower_than_the_roots_is_dropped(wide, narrow, path, is_kept):
    yaml = MESH + root(f"match: [{{{wide}}}], {TO_SUB}") + delegate(f"match: [{{{narrow}}}], {TO_BACKEND}")
    assert CapturedSidecar(yaml).http("shop:80", path=path).cluster == (BACKEND if is_kept else SHOP)


def test_trap_10_match_of_the_root_still_holds():
    yaml = MESH + root(f"match: [{{headers: {{x-team: {{exact: a}}}}}}], {TO_SUB}") + delegate(TO_BACKEND)
    mesh = CapturedSidecar(yaml)
    assert mesh.http("shop:80").cluster == SHOP
    assert mesh.http("shop:80", x_team="a").cluster == BACKEND


def test_trap_10_delegate_that_is_missing_or_not_exported_takes_only_its_route_away():
    yaml = MESH + root(TO_SUB)
    assert CapturedSidecar(yaml).http("shop:80").cluster == SHOP
    assert CapturedSidecar(yaml + delegate(TO_BACKEND, export_to=".")).http("shop:80").cluster == SHOP
    assert CapturedSidecar(yaml + delegate(TO_BACKEND, export_to="default")).http("shop:80").cluster == BACKEND


def test_trap_10_names_are_joined_and_what_the_delegate_leaves_open_is_the_roots():
    yaml = (
        MESH
        + root(f"name: outer, timeout: 2s, headers: {{request: {{set: {{x-a: root}}}}}}, {TO_SUB}")
        + delegate(f"name: inner, timeout: 5s, match: [{{uri: {{prefix: /x}}}}], {TO_BACKEND}", TO_BACKEND)
    )
    mesh = CapturedSidecar(yaml)
    assert mesh.http("shop:80", path="/x").route == "outer-inner"
    assert mesh.http("shop:80").route == "outer"
    first, second = mesh.routes("80", "shop.default.svc.cluster.local:80")[:2]
    assert (first["route"]["timeout"], second["route"]["timeout"]) == ("5s", "2s")
    assert first["request_headers_to_add"] == second["request_headers_to_add"] != []


def test_trap_10_delegate_alone_routes_nothing():
    assert CapturedSidecar(MESH + delegate(TO_BACKEND)).http("shop:80").cluster == SHOP


@pytest.mark.parametrize(
    ("wide", "narrow", "is_kept"),
    [
        ("headers: {x-a: {exact: a}}", "withoutHeaders: {x-a: {exact: b}}", True),
        ("withoutHeaders: {x-a: {exact: b}}", "withoutHeaders: {x-a: {exact: c}}", False),
        ("sourceLabels: {app: web}", "sourceLabels: {app: web, version: v1}", True),
        ("sourceLabels: {app: web}", "sourceLabels: {app: other}", False),
        ("sourceNamespace: default", "sourceNamespace: default", True),
        ("sourceNamespace: default", "sourceNamespace: team", False),
        ("sourceNamespace: default", "method: {exact: GET}", False),
        ("method: {exact: GET}", "sourceNamespace: default", True),
        ("gateways: [mesh]", "gateways: [mesh]", True),
        ("gateways: [mesh]", "gateways: [mesh, edge]", False),
    ],
)
def test_sources_gateways_and_absent_headers_of_a_delegate_must_be_the_roots_too(wide, narrow, is_kept):
    yaml = MESH + root(f"match: [{{{wide}}}], {TO_SUB}") + delegate(f"match: [{{{narrow}}}], {TO_BACKEND}")
    mesh = CapturedSidecar(yaml, labels={"app": "web", "version": "v1"})
    assert mesh.http("shop:80", x_a="a").cluster == (BACKEND if is_kept else SHOP)


@pytest.mark.parametrize(
    "narrow", ["sourceLabels: {version: v2}", "sourceNamespace: team", "gateways: [edge]"], ids=lambda text: text
)
def test_sources_and_gateways_of_a_delegate_count(narrow):
    mesh = CapturedSidecar(MESH + root(TO_SUB) + delegate(f"match: [{{{narrow}}}], {TO_BACKEND}"))
    assert mesh.http("shop:80").cluster == SHOP


def test_gateway_of_a_delegates_match_is_of_the_delegates_namespace(gateway):
    edge = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: %s}
spec: {selector: {istio: ingressgateway}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}
---
"""
    outer = rule("root", "default", f"hosts: [shop.com], gateways: [team/edge], http: [{{{TO_SUB}}}]")
    yaml = MESH + edge % "team" + outer + delegate(f"match: [{{gateways: [edge]}}], {TO_BACKEND}")
    assert gateway(yaml).arrive("http://shop.com:80/").cluster == BACKEND


def test_copies_go_where_the_root_says_if_the_delegate_says_nothing():
    yaml = MESH + root(f"mirrors: [{{destination: {{host: shop}}}}], {TO_SUB}") + delegate(TO_BACKEND)
    route = CapturedSidecar(yaml).routes("80", "shop.default.svc.cluster.local:80")[0]
    assert [item["cluster"] for item in route["route"]["request_mirror_policies"]] == [SHOP]
