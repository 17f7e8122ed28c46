"""What arrives at ports of a workload that no service declares: Istio's virtualInbound passthrough."""

import pytest

from pymesh.proxy.downstream.filter_chain_match import ConnectionTraits, FilterChainTable
from pymesh.simulation.files import build_configuration
from pymesh.simulation.mesh import SimulatedMesh
from tests.simulation.captured_sidecar import CapturedSidecar

WEB = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}, {name: tcp-db, port: 5432}]}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: web-1}
spec: {address: 10.0.0.4, labels: {app: web}}
---
"""
PEER = "cluster.local/ns/default/sa/client"


def peer_authentication(mode: str, ports: str = "null") -> str:
    return (
        "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: p}\n"
        f"spec: {{selector: {{matchLabels: {{app: web}}}}, mtls: {{mode: {mode}}}, portLevelMtls: {ports}}}\n---\n"
    )


def deny(rule: str) -> str:
    return (
        "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: deny}\n"
        f"spec: {{action: DENY, rules: [{rule}]}}\n---\n"
    )


def arrive(yaml: str, request: str, **fields: object):
    return mesh_of(yaml).simulate(request, to="default/web-1", **fields)


def mesh_of(yaml: str) -> SimulatedMesh:
    return SimulatedMesh(build_configuration([("mesh.yaml", yaml)]))


def test_a_request_goes_on_to_the_port_that_it_was_for() -> None:
    found = arrive(WEB, "GET http://10.0.0.4:9999/")
    assert (found.listener, found.filter_chain) == ("virtualInbound", "virtualInbound-catchall-http")
    assert (found.virtual_host, found.cluster) == ("inbound|http|0", "InboundPassthroughCluster")
    assert (found.error, found.inbound.mtls) == (None, "none")


def test_what_is_no_http_is_bytes() -> None:
    found = arrive(WEB, "TCP tcp://10.0.0.4:9999")
    assert (found.filter_chain, found.cluster, found.error) == ("virtualInbound", "InboundPassthroughCluster", None)


def test_a_workload_without_a_service_has_only_such_ports() -> None:
    assert mesh_of(WEB).simulate("GET http://x/", to="default/other").cluster == "InboundPassthroughCluster"


def test_the_services_target_port_is_declared_and_its_own_number_is_not() -> None:
    assert arrive(WEB, "GET http://10.0.0.4:8080/").cluster == "inbound|8080||"
    assert arrive(WEB, "TCP tcp://10.0.0.4:5432").cluster == "inbound|5432||"
    assert arrive(WEB, "GET http://10.0.0.4:80/").cluster == "InboundPassthroughCluster"


@pytest.mark.parametrize("request_", ["GET http://10.0.0.4:9999/", "TCP tcp://10.0.0.4:9999"])
@pytest.mark.parametrize(
    ("rules", "plaintext", "mtls"),
    [
        (peer_authentication("PERMISSIVE"), None, None),
        (peer_authentication("STRICT"), "no_filter_chain", None),
        (peer_authentication("PERMISSIVE", "{9999: {mode: STRICT}}"), "no_filter_chain", None),
        (peer_authentication("PERMISSIVE", "{9998: {mode: STRICT}}"), None, None),
        (peer_authentication("STRICT", "{9999: {mode: DISABLE}}"), None, "rejected"),
    ],
)
def test_trap_18_peer_authentication_holds_there_too(request_: str, rules: str, plaintext: object, mtls: object):
    assert arrive(WEB + rules, request_).error == plaintext
    alpn = "istio-http/1.1" if request_.startswith("GET") else "istio"
    found = arrive(WEB + rules, request_, tls=True, from_principal=PEER, alpn=alpn)
    if mtls is None:
        assert (found.error, found.inbound.mtls) == (None, "mutual_tls")
    else:  # whoever insists on TLS is passed on as it is
        assert (found.filter_chain, found.inbound.mtls) == ("virtualInbound", "none")


@pytest.mark.parametrize(
    ("rule", "http", "tcp"),
    [
        ("{to: [{operation: {ports: ['9999']}}]}", "rbac_denied", "rbac_denied"),
        ("{to: [{operation: {ports: ['8080']}}]}", None, None),
        ("{to: [{operation: {paths: [/secret]}}]}", "rbac_denied", "rbac_denied"),
        ("{from: [{source: {principals: [cluster.local/ns/default/sa/web]}}]}", None, None),
    ],
)
def test_authorization_policies_hold_there_too(rule: str, http: object, tcp: object) -> None:
    assert arrive(WEB + deny(rule), "GET http://10.0.0.4:9999/secret").error == http
    assert arrive(WEB + deny(rule), "TCP tcp://10.0.0.4:9999").error == tcp


def test_a_denial_for_an_undeclared_port_leaves_the_declared_ones_alone() -> None:
    rules = peer_authentication("PERMISSIVE", "{9999: {mode: STRICT}}") + deny("{to: [{operation: {ports: ['9999']}}]}")
    assert arrive(WEB + rules, "GET http://web/").error is None


def test_a_sidecar_that_lists_ports_has_the_say_on_what_is_declared() -> None:
    sidecar = (
        "apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: web}\nspec:\n"
        "  workloadSelector: {labels: {app: web}}\n"
        "  ingress: [{port: {number: 5432, name: tcp, protocol: TCP}, defaultEndpoint: '127.0.0.1:9999'}]\n---\n"
    )
    assert arrive(WEB + sidecar, "TCP tcp://10.0.0.4:5432").endpoints == ("127.0.0.1:9999",)
    assert arrive(WEB + sidecar, "GET http://10.0.0.4:8080/").cluster == "InboundPassthroughCluster"


@pytest.mark.parametrize("port", [8080, 9999])
def test_a_port_of_strict_mtls_is_closed_where_the_proxy_has_no_certificate(port: int) -> None:
    policy = """
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  portLevelMtls: {8080: {mode: STRICT}, 9999: {mode: STRICT}}
"""
    labels = {"app": "web", "security.istio.io/tlsMode": "disabled"}
    listener = CapturedSidecar(policy, labels=labels).listeners["virtualInbound"]
    chains = FilterChainTable([(chain.match, chain) for chain in listener.filter_chains])
    for transport in ("raw_buffer", "tls"):
        chain = chains.find(ConnectionTraits(port, "", transport, ("http/1.1",), "10.1.1.1"))
        assert chain is not None
        assert chain.name == "virtualInbound-blackhole"
