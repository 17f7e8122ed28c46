"""Tokens at a workload's inbound listener, and what authorization makes of their claims."""

import json
from textwrap import indent
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

KEY = ec.generate_private_key(ec.SECP256R1())
JWKS = json.dumps({"keys": [jwt.get_algorithm_by_name("ES256").to_jwk(KEY.public_key(), as_dict=True)]})


def document(kind: str, spec: str, name: str, namespace: str) -> str:
    head = f"apiVersion: security.istio.io/v1\nkind: {kind}\n"
    return f"{head}metadata: {{name: {name}, namespace: {namespace}}}\nspec:\n{indent(spec, '  ')}\n---\n"


def takes(issuer: str, more: str = "", name: str = "jwt", namespace: str = "default") -> str:
    rule = f"jwtRules: [{{issuer: '{issuer}', jwks: '{JWKS}'{more}}}]"
    return document("RequestAuthentication", rule, name, namespace)


def requires(rule: str) -> str:
    return document("AuthorizationPolicy", f"rules: [{rule}]", "need", "default")


def bearer(**claims: Any) -> dict[str, str]:
    return {"authorization": f"Bearer {jwt.encode({'iss': 'me', 'sub': 'alice', **claims}, KEY, 'ES256')}"}


def test_trap_21_no_token_passes_and_a_bad_one_does_not(sidecar: Any) -> None:
    mesh = sidecar(takes("me"))
    assert mesh.access("http://web/").authn == ("NONE", "", 0)
    assert mesh.access("http://web/", **bearer()).authn == ("ALLOW", "", 0)
    refused = mesh.access("http://web/", **bearer(iss="you")).authn
    assert refused == ("DENY", "Jwt issuer is not configured", 401)
    assert mesh.access("http://web/", authorization="Bearer x").authn.status == 401


def test_trap_21_a_wrong_audience_is_403(sidecar: Any) -> None:
    mesh = sidecar(takes("me", ", audiences: [shop]"))
    assert mesh.access("http://web/", **bearer(aud="bank")).authn == ("DENY", "Audiences in Jwt are not allowed", 403)


def test_trap_21_rules_of_all_policies_are_joined_by_or(sidecar: Any) -> None:
    mesh = sidecar(takes("me") + takes("you", name="root", namespace="istio-system") + takes("them", namespace="other"))
    verdicts = [mesh.access("http://web/", **bearer(iss=name)).authn.verdict for name in ("me", "you", "them")]
    assert verdicts == ["ALLOW", "ALLOW", "DENY"]
    assert mesh.access("http://web/").authn.verdict == "NONE"


def test_trap_21_a_cors_preflight_needs_no_token(sidecar: Any) -> None:
    headers = {"origin": "http://a", "access_control_request_method": "GET", "authorization": "Bearer x"}
    assert sidecar(takes("me")).access("http://web/", "OPTIONS", **headers).authn.verdict == "NONE"
    assert sidecar(takes("me")).access("http://web/", "GET", **headers).authn.verdict == "DENY"


def test_trap_21_all_tokens_of_a_request_must_be_good(sidecar: Any) -> None:
    mesh = sidecar(takes("me"))
    assert mesh.access("http://web/?access_token=x", **bearer()).authn.verdict == "DENY"


def test_a_token_can_be_required(sidecar: Any) -> None:
    mesh = sidecar(takes("me") + requires("{from: [{source: {requestPrincipals: ['me/*']}}]}"))
    assert mesh.access("http://web/").authz.verdict == "DENY"
    assert mesh.access("http://web/", **bearer()).authz == ("ALLOW", "ns[default]-policy[need]-rule[0]")


def test_a_list_of_scopes_is_split(sidecar: Any) -> None:
    rule = "{when: [{key: 'request.auth.claims[scope]', values: [write]}]}"
    mesh = sidecar(takes("me") + requires(rule))
    assert mesh.access("http://web/", **bearer(scope="read write")).authz.verdict == "ALLOW"
    assert mesh.access("http://web/", **bearer(scope="read")).authz.verdict == "DENY"
    own = "{when: [{key: 'request.auth.claims[roles]', values: [write]}]}"
    mesh = sidecar(takes("me", ", spaceDelimitedClaims: [roles]") + requires(own))
    assert mesh.access("http://web/", **bearer(roles="read write")).authz.verdict == "ALLOW"


def test_tokens_are_found_where_the_rule_says_and_become_headers(sidecar: Any) -> None:
    more = ", fromHeaders: [{name: X-Token, prefix: 'T '}], outputClaimToHeaders: [{header: x-sub, claim: sub}]"
    mesh = sidecar(takes("me", more))
    token = bearer()["authorization"].removeprefix("Bearer ")
    access = mesh.access("http://web/", x_token=f"T {token}")
    assert access.authn.verdict == "ALLOW"
    assert access.call.headers[b"x-sub"] == b"alice"
    assert b"x-token" not in access.call.headers
    assert mesh.access("http://web/", authorization=f"Bearer {token}").authn.verdict == "NONE"


def test_of_several_tokens_the_one_whose_issuer_comes_first_by_name_counts(sidecar: Any) -> None:
    second = takes("b", ", fromHeaders: [{name: x-b}]", name="older")
    first = takes("a", ", fromHeaders: [{name: x-a}]", name="younger")
    mesh = sidecar(second + first + requires("{from: [{source: {requestPrincipals: ['a/*']}}]}"))
    tokens = {f"x_{name}": bearer(iss=name)["authorization"].removeprefix("Bearer ") for name in ("a", "b")}
    assert mesh.access("http://web/", **tokens).authz.verdict == "ALLOW"
    assert mesh.access("http://web/", x_b=tokens["x_b"]).authz.verdict == "DENY"


def test_keys_that_were_not_fetched_fit_no_token(sidecar: Any) -> None:
    rule = "jwtRules: [{issuer: me, jwksUri: 'http://issuer.example/keys'}]"
    mesh = sidecar(document("RequestAuthentication", rule, "jwt", "default"))
    assert mesh.access("http://web/").authn.verdict == "NONE"
    assert mesh.access("http://web/", **bearer()).authn.status == 401


def test_simulator_tells_whose_token_it_was_or_why_it_was_refused(mesh_of: Any) -> None:
    mesh = mesh_of(takes("me") + requires("from: [{source: {requestPrincipals: [me/alice]}}]"))
    found = mesh.simulate("GET http://web/", to="default/web", header=bearer())
    assert (found.error, found.inbound.authn, found.inbound.request_principal) == (None, "ALLOW", "me/alice")
    assert "authorization" not in found.request_headers
    found = mesh.simulate("GET http://web/", to="default/web", header=bearer(iss="you"))
    assert (found.error, found.inbound.authn, found.inbound.authz) == ("rbac_denied", "DENY", None)
    assert found.inbound.reason == "Jwt issuer is not configured"
    found = mesh.simulate("GET http://web/", to="default/web")
    assert (found.error, found.inbound.authn, found.inbound.authz.verdict) == ("rbac_denied", "NONE", "DENY")


CLAIMED = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: istio-system}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: istio-system}
spec:
  hosts: [web.example]
  gateways: [edge]
  http:
  - name: admins
    match: [{headers: {"@request.auth.claims.group": {exact: admins}}}]
    directResponse: {status: 202}
  - name: others
    directResponse: {status: 204}
---
"""


def test_gateways_route_by_the_claims_of_a_verified_token(gateway: Any) -> None:
    mesh = gateway(CLAIMED + takes("me", namespace="istio-system"))
    assert mesh.arrive("http://web.example:80/", **bearer(group="admins")).route == "admins"
    assert mesh.arrive("http://web.example:80/", **bearer(group="users")).route == "others"
    assert mesh.arrive("http://web.example:80/").route == "others"
