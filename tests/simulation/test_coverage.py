"""Which routes and policies of a configuration count as reached."""

import pytest

from pymesh.simulation.call import parse_call
from pymesh.simulation.coverage import Coverage
from pymesh.simulation.explanation import explain, place_of

WEB = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}, {name: http-b, port: 81}]}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: web-1}
spec: {address: 10.0.0.4, labels: {app: web, security.istio.io/tlsMode: istio}}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: mesh, namespace: istio-system}
spec: {mtls: {mode: PERMISSIVE}}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  mtls: {mode: STRICT}
  portLevelMtls: {81: {mode: PERMISSIVE}, 9999: {mode: UNSET}}
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: tokens}
spec:
  selector: {matchLabels: {app: web}}
  jwtRules: [{issuer: a, jwks: '{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}'}]
"""


@pytest.fixture
def coverage(mesh_of):
    mesh = mesh_of(WEB)

    def after(*calls):
        found = Coverage(mesh.configuration)
        for request, fields in calls:
            found.add(mesh.simulate(request, **fields))
        return {f"{rule.key.kind} {rule.key.name} {rule.path}" for rule in found.missed}

    after.mesh = mesh
    return after


MESH = "PeerAuthentication mesh mtls"
WORKLOAD = "PeerAuthentication web mtls"
PORT = "PeerAuthentication web portLevelMtls.81"
TOKENS = "RequestAuthentication tokens jwtRules[0]"
ALL = {MESH, WORKLOAD, PORT, TOKENS}


@pytest.mark.parametrize(
    ("request_", "fields", "reached"),
    [
        ("GET http://web/", {}, WORKLOAD),
        ("GET http://web/", {"to": "default/web-1"}, WORKLOAD),
        ("GET http://web:81/", {}, PORT),
        ("GET http://other/", {"to": "default/other"}, MESH),
        ("GET http://elsewhere.example/", {}, None),
    ],
)
def test_the_peer_authentication_that_decides_at_the_port_is_reached(coverage, request_, fields, reached) -> None:
    assert coverage((request_, fields)) == ALL - {reached}


def test_all_rules_by_which_a_token_is_refused_are_reached(coverage) -> None:
    refused = {"header": {"Authorization": "Bearer nonsense"}}
    assert coverage(("GET http://web:81/", refused)) == ALL - {PORT, TOKENS}


def test_a_rule_that_is_missed_has_its_place(coverage) -> None:
    configuration = coverage.mesh.configuration
    missed = [place_of(rule, configuration) for rule in Coverage(configuration).missed]
    assert "PeerAuthentication default/web portLevelMtls.81 (mesh.yaml:23)" in missed
    assert "RequestAuthentication default/tokens jwtRules[0] (mesh.yaml:30)" in missed


def test_a_refused_token_is_said_to_be_the_reason(coverage) -> None:
    fields = {"header": {"Authorization": "Bearer nonsense"}}
    decision = coverage.mesh.simulate("GET http://web:81/", **fields)
    assert (decision.error, decision.inbound.authn, decision.inbound.authz) == ("rbac_denied", "DENY", None)
    call = parse_call({"request": "GET http://web:81/", **fields})
    lines = explain(coverage.mesh.trace(call), coverage.mesh.configuration)
    assert any("error rbac_denied: the token is refused" in line for line in lines)
