"""Fields of MeshConfig, by what proxies do with a request under them."""

from typing import Any

import pytest

from pymesh.simulation.call import parse_call

POLICY = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: p, namespace: default}
spec: {rules: [{from: [{source: {%s}}]}]}
"""


@pytest.mark.parametrize(
    ("source", "peer", "verdict"),
    [
        ("principals: [old.org/ns/a/sa/web]", "new.org/ns/a/sa/web", "ALLOW"),
        ("principals: [new.org/ns/a/sa/web]", "old.org/ns/a/sa/web", "ALLOW"),
        ("principals: [cluster.local/ns/a/sa/web]", "old.org/ns/a/sa/web", "ALLOW"),
        ("principals: ['*.org/ns/a/sa/web']", "old.org/ns/a/sa/web", "ALLOW"),
        ("principals: ['*/ns/a/sa/web']", "elsewhere.org/ns/a/sa/web", "ALLOW"),
        ("principals: [elsewhere.org/ns/a/sa/web]", "elsewhere.org/ns/a/sa/web", "ALLOW"),
        ("principals: [elsewhere.org/ns/a/sa/web]", "old.org/ns/a/sa/web", "DENY"),
        ("principals: [old.org/ns/a/sa/web]", "cluster.local/ns/a/sa/web", "DENY"),
        ("trustDomains: [old.org]", "new.org/ns/a/sa/web", "ALLOW"),
        ("trustDomains: [elsewhere.org]", "new.org/ns/a/sa/web", "DENY"),
        ("notPrincipals: [old.org/ns/a/sa/web]", "new.org/ns/a/sa/web", "DENY"),
    ],
)
def test_an_identity_of_one_trust_domain_of_the_mesh_is_that_of_all(
    sidecar: Any, source: str, peer: str, verdict: str
) -> None:
    mesh = sidecar(POLICY % source, trustDomain="new.org", trustDomainAliases=["old.org"])
    assert mesh.receive("http://web/", peer=peer).verdict == verdict


CONFIG_MAP = """
---
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data: {mesh: "%s"}
---
"""
ADMIN_ONLY = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: web-1}
spec: {address: 10.0.0.1, labels: {app: web}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: p}
spec: {action: DENY, rules: [{to: [{operation: {paths: [/admin]}}]}]}
"""


@pytest.mark.parametrize(
    ("mode", "denied", "passed"),
    [
        ("NONE", ["/admin"], ["/x/../admin", "//admin", "/%61dmin"]),
        ("BASE", ["/x/../admin", "/%61dmin"], ["//admin", "/x%2F..%2Fadmin"]),
        ("MERGE_SLASHES", ["//admin", "/x/../admin"], ["/x%2F..%2Fadmin"]),
        ("DECODE_AND_MERGE_SLASHES", ["//admin", "/x%2F..%2Fadmin"], ["/admin/"]),
    ],
)
def test_paths_are_normalized_before_a_policy_is_asked(
    mesh_of: Any, mode: str, denied: list[str], passed: list[str]
) -> None:
    mesh = mesh_of(ADMIN_ONLY + CONFIG_MAP % f"pathNormalization: {{normalization: {mode}}}")

    def verdict(path: str) -> str:
        inbound = mesh.decide(parse_call({"request": f"GET http://web{path}", "to": "default/web-1"})).inbound
        return str(inbound.authz.verdict)

    assert {path: verdict(path) for path in denied} == dict.fromkeys(denied, "DENY")
    assert {path: verdict(path) for path in passed} == dict.fromkeys(passed, "ALLOW")


FRIENDS_ONLY = ADMIN_ONLY.replace(
    "{action: DENY, rules: [{to: [{operation: {paths: [/admin]}}]}]}", "{rules: [{from: %s}]}"
)


@pytest.mark.parametrize(
    "principal", ["ns/default/sa/web", "cluster.local/ns/default/sa/web", "my.org/ns/default/sa/web"]
)
def test_a_client_of_the_mesh_is_of_its_trust_domain(mesh_of: Any, principal: str) -> None:
    policy = FRIENDS_ONLY % "[{source: {principals: [my.org/ns/default/sa/web]}}]"
    mesh = mesh_of(policy + CONFIG_MAP % "trustDomain: my.org")
    call = {"request": "GET http://web/", "to": "default/web-1", "tls": True, "from_principal": principal}
    assert mesh.decide(parse_call(call)).inbound.authz.verdict == "ALLOW"


EDGE = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: p, namespace: istio-system}
spec: {rules: [{from: [{source: {remoteIpBlocks: [198.51.100.7]}}]}]}
"""


@pytest.mark.parametrize(
    ("proxies", "forwarded_for", "error"),
    [
        (0, "198.51.100.7", "rbac_denied"),
        (1, "198.51.100.7", "no_route"),
        (1, "198.51.100.7, 203.0.113.1", "rbac_denied"),
        (2, "198.51.100.7, 203.0.113.1", "no_route"),
    ],
)
def test_a_gateway_believes_as_many_hops_as_there_are_trusted_proxies(
    mesh_of: Any, proxies: int, forwarded_for: str, error: str
) -> None:
    mesh = mesh_of(EDGE + CONFIG_MAP % f"defaultConfig: {{gatewayTopology: {{numTrustedProxies: {proxies}}}}}")
    header = {"x-forwarded-for": forwarded_for}
    call = {"request": "GET http://shop.example.com/", "gateway": "istio-system/edge", "header": header}
    assert mesh.decide(parse_call(call)).error == error
