from tests.control.analysis.conftest import Analyze

_WEB = """---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: web-1}
spec: {address: 10.0.0.1, labels: {app: web}}
"""


def _policy(spec: str, namespace: str = "default") -> str:
    return f"""---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: web, namespace: {namespace}}}
spec:
{spec}
"""


def test_a_policy_whose_labels_no_workload_has(analyzed: Analyze) -> None:
    found = analyzed(_policy("  selector: {matchLabels: {app: lost, version: v1}}"), _WEB)
    assert (found.codes, found.of("IST0127")) == (["IST0127"], ["AuthorizationPolicy default/web:6"])
    assert found.texts("IST0127")[0].endswith(": app=lost,version=v1")


def test_a_policy_of_a_namespace_without_workloads(analyzed: Analyze) -> None:
    assert analyzed(_policy("  {}", "empty"), _WEB).codes == ["IST0127"]


def test_policies_that_have_workloads(analyzed: Analyze) -> None:
    assert analyzed(_policy("  selector: {matchLabels: {app: web}}"), _WEB).codes == []
    assert analyzed(_policy("  {}"), _WEB).codes == []
    assert analyzed(_policy("  selector: {matchLabels: {istio: ingressgateway}}", "istio-system")).codes == []


def test_a_namespace_of_a_source_that_is_not_there(analyzed: Analyze) -> None:
    rules = '  rules:\n  - from:\n    - source:\n        namespaces: [default, "def*", lost]'
    assert analyzed(_policy(rules), _WEB).of("IST0101") == ["AuthorizationPolicy default/web:9"]
    namespace = "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: lost}\n"
    assert analyzed(_policy(rules), _WEB, namespace).codes == []


_JWT = """---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  jwtRules: [{issuer: example, jwksUri: "https://example.org/keys"}]
"""
_SERVICE = """---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: NAME, port: 9000}]}
"""


def test_jwts_behind_a_port_that_is_not_http(analyzed: Analyze) -> None:
    found = analyzed(_JWT, _WEB, _SERVICE.replace("NAME", "tcp"))
    assert found.of("IST0119") == ["RequestAuthentication default/web:6"]
    assert not analyzed(_JWT, _WEB, _SERVICE.replace("NAME", "grpc")).of("IST0119")


_CLAIM_ROUTE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [web.example]
  gateways: [edge]
  http:
  - match:
    - headers:
        "@request.auth.claims.group": {exact: admin}
    route: [{destination: {host: web}}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [web.example]}]
"""


def test_a_route_by_claims_needs_somebody_who_verifies_them(analyzed: Analyze) -> None:
    service = _SERVICE.replace("NAME", "http")
    assert analyzed(_CLAIM_ROUTE, service).of("IST0149") == ["VirtualService default/web:9"]
    verified = _JWT.replace("name: web", "name: edge, namespace: istio-system").replace(
        "app: web", "istio: ingressgateway"
    )
    assert not analyzed(_CLAIM_ROUTE, service, verified).of("IST0149")
