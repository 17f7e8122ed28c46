"""Which connections a workload takes, and which ones its clients make."""

from typing import Any

import pytest

from pymesh import xds

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: default}
spec: {selector: {app: shop}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: shop-1, namespace: default}
spec: {address: 10.0.0.1, labels: {app: shop, security.istio.io/tlsMode: istio}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: shop-2, namespace: default}
spec: {address: 10.0.0.2, labels: {app: shop}}
---
"""
CLUSTER = "outbound|80||shop.default.svc.cluster.local"


def rule(
    mode: str, namespace: str = "default", name: str = "p", selector: str = "", ports: str = "", age: int = 0
) -> str:
    spec = [f"mtls: {{mode: {mode}}}"]
    spec += [f"selector: {{matchLabels: {{app: {selector}}}}}"] if selector else []
    spec += [f"portLevelMtls: {{{ports}}}"] if ports else []
    created = f"20{30 - age}-01-01T00:00:00Z"
    return (
        "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\n"
        f"metadata: {{name: {name}, namespace: {namespace}, creationTimestamp: '{created}'}}\n"
        f"spec: {{{', '.join(spec)}}}\n---\n"
    )


def takes(mesh: Any) -> str:
    """PERMISSIVE, STRICT or DISABLE."""
    mtls, plaintext = mesh.inbound("tls", "istio") == "mtls", mesh.inbound("raw_buffer") == "plaintext"
    return {(True, True): "PERMISSIVE", (True, False): "STRICT", (False, True): "DISABLE"}[mtls, plaintext]


MESH, NAMESPACE = rule("STRICT", "istio-system"), rule("DISABLE")
WORKLOAD = rule("PERMISSIVE", name="w", selector="shop")


@pytest.mark.parametrize(
    ("rules", "mode"),
    [
        ("", "PERMISSIVE"),
        (MESH, "STRICT"),
        (MESH + NAMESPACE, "DISABLE"),
        (MESH + NAMESPACE + WORKLOAD, "PERMISSIVE"),
        (MESH + rule("UNSET"), "STRICT"),
        (NAMESPACE + rule("UNSET", name="w", selector="shop"), "DISABLE"),
        (NAMESPACE + rule("PERMISSIVE", name="w", selector="shop", ports="8080: {mode: STRICT}"), "STRICT"),
        (rule("STRICT", name="w", selector="shop", ports="8080: {mode: UNSET}"), "STRICT"),
        (rule("STRICT", name="w", selector="shop", ports="9090: {mode: DISABLE}"), "STRICT"),
        (rule("STRICT", name="w", selector="other"), "PERMISSIVE"),
    ],
)
def test_trap_18_port_then_workload_then_namespace_then_mesh(sidecar: Any, rules: str, mode: str) -> None:
    assert takes(sidecar(rules, labels={"app": "shop"})) == mode


def test_trap_18_the_oldest_of_a_scope_counts(sidecar: Any) -> None:
    for kind in ({}, {"selector": "shop"}):
        rules = rule("DISABLE", name="a", age=1, **kind) + rule("STRICT", name="b", age=2, **kind)
        assert takes(sidecar(rules, labels={"app": "shop"})) == "STRICT"


def test_trap_18_a_selector_in_the_root_namespace_is_ignored(sidecar: Any) -> None:
    rules = rule("STRICT", "istio-system", selector="shop")
    assert takes(sidecar(rules, namespace="default", labels={"app": "shop"})) == "PERMISSIVE"


def test_trap_18_the_port_is_the_workloads_and_not_the_services(sidecar: Any) -> None:
    rules = SERVICE + rule("PERMISSIVE", selector="shop", ports="80: {mode: STRICT}")
    assert takes(sidecar(rules, labels={"app": "shop"})) == "PERMISSIVE"


def mtls_endpoints(mesh: Any) -> list[str]:
    """The endpoints to which a client would speak mTLS."""
    assignment = mesh.resources[xds.ENDPOINT][CLUSTER]
    return [
        endpoint["endpoint"]["address"]["socket_address"]["address"]
        for locality in assignment["endpoints"]
        for endpoint in locality["lb_endpoints"]
        if "envoy.transport_socket_match" in endpoint.get("metadata", {}).get("filter_metadata", {})
    ]


def test_trap_19_mtls_is_for_the_endpoints_that_have_it(sidecar: Any) -> None:
    assert mtls_endpoints(sidecar(SERVICE)) == ["10.0.0.1"]


@pytest.mark.parametrize(
    ("rules", "endpoints"),
    [
        (rule("STRICT"), ["10.0.0.1"]),
        (rule("DISABLE"), []),
        (rule("DISABLE", "istio-system"), []),
        (rule("DISABLE", selector="shop"), []),
        (rule("PERMISSIVE", selector="shop", ports="8080: {mode: DISABLE}"), []),
        (rule("DISABLE", selector="shop", ports="8080: {mode: STRICT}"), ["10.0.0.1"]),
        (rule("DISABLE", selector="other"), ["10.0.0.1"]),
    ],
)
def test_trap_19_the_workloads_own_policy_says_whether_it_takes_mtls(
    sidecar: Any, rules: str, endpoints: list[str]
) -> None:
    assert mtls_endpoints(sidecar(SERVICE + rules)) == endpoints


def test_trap_19_where_the_namespace_forbids_it_a_workloads_wish_for_mtls_is_not_heard(sidecar: Any) -> None:
    rules = rule("DISABLE") + rule("STRICT", name="w", selector="shop")
    assert mtls_endpoints(sidecar(SERVICE + rules)) == []


def test_trap_19_auto_mtls_can_be_turned_off(sidecar: Any) -> None:
    assert mtls_endpoints(sidecar(SERVICE, enableAutoMtls=False)) == []


@pytest.mark.parametrize(("tls", "has_tls"), [("mode: DISABLE", False), ("", False), ("mode: ISTIO_MUTUAL", True)])
def test_trap_19_a_tls_block_of_a_destination_rule_always_wins(sidecar: Any, tls: str, has_tls: bool) -> None:
    destination = (
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: d, namespace: default}\n"
        f"spec: {{host: shop, trafficPolicy: {{tls: {{{tls}}}}}}}\n"
    )
    cluster = sidecar(SERVICE + rule("STRICT") + "---\n" + destination).resources[xds.CLUSTER][CLUSTER]
    assert ("transport_socket" in cluster or "transport_socket_matches" in cluster) == has_tls
