from tests.control.analysis.conftest import Analyze

_REVIEWS = """---
apiVersion: v1
kind: Service
metadata: {name: reviews}
spec: {selector: {app: reviews}, ports: [{name: http, port: 9080}]}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: reviews-1}
spec: {address: 10.0.0.1, labels: {app: reviews, version: v1}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: reviews-v2}
spec:
  template:
    metadata: {labels: {app: reviews, version: v2}}
"""


def _rule(text: str, host: str = "reviews") -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: reviews}}
spec:
  host: "{host}"
{text}
"""


def test_a_host_that_is_no_service_is_unknown(analyzed: Analyze) -> None:
    assert analyzed(_rule("", "reviewz"), _REVIEWS).of("IST0174") == ["DestinationRule default/reviews:5"]


def test_a_host_or_a_wildcard_of_services_is_known(analyzed: Analyze) -> None:
    for host in ("reviews", "reviews.default.svc.cluster.local", "*.default.svc.cluster.local", "*"):
        assert analyzed(_rule("", host), _REVIEWS).codes == [], host


def test_a_subset_that_selects_no_workload(analyzed: Analyze) -> None:
    rule = _rule("  subsets:\n  - name: v3\n    labels: {version: v3}")
    assert analyzed(rule, _REVIEWS).of("IST0173") == ["DestinationRule default/reviews:8"]


def test_subsets_of_workload_entries_and_of_pod_templates_select_workloads(analyzed: Analyze) -> None:
    rule = _rule("  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}, {name: all}]")
    assert analyzed(rule, _REVIEWS).codes == []


def test_a_subset_of_a_place_is_not_judged(analyzed: Analyze) -> None:
    rule = _rule("  subsets: [{name: west, labels: {topology.kubernetes.io/region: us-west}}]")
    assert analyzed(rule, _REVIEWS).codes == []


def test_servers_without_ca_certificates_are_not_verified(analyzed: Analyze) -> None:
    rule = _rule("""
  trafficPolicy:
    tls:
      mode: SIMPLE
    portLevelSettings:
    - port: {number: 9080}
      tls: {mode: MUTUAL, clientCertificate: /a, privateKey: /b}
  subsets:
  - name: v1
    labels: {version: v1}
    trafficPolicy:
      tls: {mode: SIMPLE}
""")
    found = analyzed(rule, _REVIEWS)
    assert found.of("IST0128") == ["DestinationRule default/reviews:17", "DestinationRule default/reviews:8"]
    assert found.of("IST0129") == ["DestinationRule default/reviews:12"]


def test_servers_with_ca_certificates_are_verified(analyzed: Analyze) -> None:
    rule = _rule("  trafficPolicy: {tls: {mode: SIMPLE, caCertificates: /ca.pem}}")
    assert analyzed(rule, _REVIEWS).codes == []


def test_a_credential_counts_for_the_workloads_that_a_rule_selects(analyzed: Analyze) -> None:
    rule = "  trafficPolicy: {tls: {mode: SIMPLE, credentialName: db}}"
    selecting = rule + "\n  workloadSelector: {matchLabels: {app: reviews}}"
    assert analyzed(_rule(rule), _REVIEWS).of("IST0128") == ["DestinationRule default/reviews:6"]
    assert not analyzed(_rule(selecting), _REVIEWS).of("IST0128")


_STRICT = """---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default}
spec: {mtls: {mode: STRICT}}
"""


def test_plaintext_to_workloads_that_take_mtls_only_is_a_conflict(analyzed: Analyze) -> None:
    plain = _rule("  trafficPolicy: {tls: {mode: DISABLE}}")
    assert analyzed(plain, _REVIEWS, _STRICT).of("IST0113") == ["DestinationRule default/reviews:6"]
    assert analyzed(plain, _REVIEWS).codes == []
    assert analyzed(plain, _REVIEWS, _STRICT.replace("STRICT", "PERMISSIVE")).codes == []


def test_mtls_to_workloads_that_take_none_is_a_conflict(analyzed: Analyze) -> None:
    mutual = _rule("  trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}")
    assert analyzed(mutual, _REVIEWS, _STRICT.replace("STRICT", "DISABLE")).codes == ["IST0113"]
    assert analyzed(mutual, _REVIEWS, _STRICT).codes == []


def test_an_external_host_has_no_peer_authentication(analyzed: Analyze) -> None:
    entry = """---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: external}
spec: {hosts: [example.org], ports: [{number: 443, name: https, protocol: HTTPS}], resolution: DNS}
"""
    rule = _rule("  trafficPolicy: {tls: {mode: SIMPLE, caCertificates: /ca.pem}}", "example.org")
    assert analyzed(rule, entry, _STRICT).codes == []
