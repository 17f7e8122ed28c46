"""Rules without an effect, deprecated fields, regexes, EnvoyFilters, conditions."""

import pytest

from tests.control.analysis.conftest import Analyze

_REVIEWS = """---
apiVersion: v1
kind: Service
metadata: {name: reviews}
spec: {ports: [{name: http, port: 9080}]}
"""
_SPLIT = """---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: split}
spec:
  hosts: [reviews]
  http: [{route: [{destination: {host: reviews, subset: v1}}]}]
"""
_AT_GATEWAY = """---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: edge}
spec:
  hosts: [reviews.example]
  gateways: [edge]
  http:
  - route:
    - destination: {host: reviews}
"""


def test_subsets_of_sidecars_have_no_effect_behind_a_gateway(analyzed: Analyze) -> None:
    assert analyzed(_AT_GATEWAY, _SPLIT, _REVIEWS).of("IST0140") == ["VirtualService default/edge:10"]
    with_subset = _AT_GATEWAY.replace("{host: reviews}", "{host: reviews, subset: v1}")
    assert not analyzed(with_subset, _SPLIT, _REVIEWS).of("IST0140")
    assert not analyzed(_AT_GATEWAY.replace("[edge]", "[mesh]"), _SPLIT, _REVIEWS).of("IST0140")


def test_a_delay_by_percent_is_deprecated(analyzed: Analyze) -> None:
    text = """
    apiVersion: networking.istio.io/v1
    kind: VirtualService
    metadata: {name: reviews}
    spec:
      hosts: [reviews]
      http:
      - fault:
          delay: {fixedDelay: 1s, PERCENT}
        route: [{destination: {host: reviews}}]
    """
    found = analyzed(text.replace("PERCENT", "percent: 10"), _REVIEWS)
    assert found.of("IST0002") == ["VirtualService default/reviews:8"]
    assert not analyzed(text.replace("PERCENT", "percentage: {value: 10}"), _REVIEWS).of("IST0002")


def test_a_provider_of_lightstep_is_deprecated(analyzed: Analyze) -> None:
    text = """---
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data:
  mesh: |
    extensionProviders:
    - name: tracer
      lightstep: {service: lightstep.example, port: 443}
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: traces}
spec: {tracing: [{providers: [{name: tracer}]}]}
"""
    assert analyzed(text).of("IST0002") == ["Telemetry default/traces:14"]
    assert not analyzed(text.replace("- name: tracer", "- name: other")).of("IST0002")


def test_a_sidecar_with_an_egress_proxy_has_a_field_without_an_effect(analyzed: Analyze) -> None:
    text = """
    apiVersion: networking.istio.io/v1
    kind: Sidecar
    metadata: {name: default}
    spec:
      egress: [{hosts: ["./*"]}]
      outboundTrafficPolicy: {mode: ALLOW_ANY, egressProxy: {host: egress, port: {number: 80}}}
    """
    assert analyzed(text).of("IST0002") == ["Sidecar default/default:6"]
    assert not analyzed(text.replace(", egressProxy: {host: egress, port: {number: 80}}", "")).of("IST0002")


def test_a_regex_that_is_not_one_of_re2(analyzed: Analyze) -> None:
    text = """
    apiVersion: networking.istio.io/v1
    kind: VirtualService
    metadata: {name: reviews}
    spec:
      hosts: [reviews]
      http:
      - match:
        - uri: {regex: "REGEX"}
        route: [{destination: {host: reviews}}]
    """
    found = analyzed(text.replace("REGEX", "/(?<=a)b"), _REVIEWS)
    assert found.of("IST0122") == found.of("IST0106") == ["VirtualService default/reviews:8"]
    assert analyzed(text.replace("REGEX", "/[a-z]+"), _REVIEWS).codes == []


def _envoy_filter(apply_to: str, operation: str, priority: int = 0) -> str:
    return f"""---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {{name: f}}
spec:
  priority: {priority}
  configPatches:
  - applyTo: {apply_to}
    match: {{context: ANY, proxy: {{proxyVersion: "^1.20"}}}}
    patch: {{operation: {operation}, value: {{name: x}}}}
"""


@pytest.mark.parametrize(
    ("apply_to", "operation", "code"),
    [
        ("HTTP_FILTER", "INSERT_BEFORE", "IST0151"),
        ("HTTP_FILTER", "REMOVE", "IST0151"),
        ("CLUSTER", "REPLACE", "IST0152"),
        ("HTTP_ROUTE", "ADD", "IST0153"),
        ("ROUTE_CONFIGURATION", "REMOVE", "IST0154"),
    ],
)
def test_operations_of_envoy_filters(analyzed: Analyze, apply_to: str, operation: str, code: str) -> None:
    found = analyzed(_envoy_filter(apply_to, operation))
    assert [one for one in found.codes if one > "IST0150"] == [code]
    assert found.of(code) == ["EnvoyFilter default/f:8"]


def test_a_priority_or_an_absolute_operation_makes_an_envoy_filters_order_certain(analyzed: Analyze) -> None:
    for text in (_envoy_filter("HTTP_FILTER", "INSERT_BEFORE", 1), _envoy_filter("HTTP_FILTER", "INSERT_FIRST")):
        assert analyzed(text).codes == ["IST0133"]  # pymesh's proxies do not obey it


def test_a_relative_operation_after_a_patch_of_some_versions_only(analyzed: Analyze) -> None:
    second = "  - applyTo: HTTP_FILTER\n    patch: {operation: INSERT_AFTER, value: {name: x}}\n"
    assert analyzed(_envoy_filter("HTTP_FILTER", "ADD") + second).of("IST0155") == ["EnvoyFilter default/f:11"]


def test_a_condition_that_is_false(analyzed: Analyze) -> None:
    text = """
    apiVersion: networking.istio.io/v1
    kind: WorkloadEntry
    metadata: {name: web-1}
    spec: {address: 10.0.0.1}
    status:
      conditions:
      - {type: Ready, status: "True"}
      - {type: Healthy, status: "False", message: refused}
    """
    found = analyzed(text)
    assert (found.codes, found.of("IST0171")) == (["IST0171"], ["WorkloadEntry default/web-1:8"])
