"""Sidecars and Telemetries: what they select, and what competes for a workload."""

import pytest

from tests.control.analysis.conftest import Analyze

_WORKLOADS = """---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: web-1}
spec: {address: 10.0.0.1, labels: {app: web, version: v1}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: {name: db}
spec: {metadata: {labels: {app: db}}, template: {ports: {tcp: 5432}}}
"""


def _sidecar(name: str, selector: str, namespace: str = "default") -> str:
    return f"""---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata:
  name: {name}
  namespace: {namespace}
spec:
  {f"workloadSelector: {{labels: {selector}}}" if selector else ""}
  egress: [{{hosts: ["./*"]}}]
"""


def _telemetry(name: str, selector: str, namespace: str = "default") -> str:
    return f"""---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata:
  name: {name}
  namespace: {namespace}
spec:
  {f"selector: {{matchLabels: {selector}}}" if selector else ""}
  tracing: [{{randomSamplingPercentage: 10}}]
"""


CASES = pytest.mark.parametrize(
    ("build", "kind", "overlap", "several"),
    [(_sidecar, "Sidecar", "IST0110", "IST0111"), (_telemetry, "Telemetry", "IST0159", "IST0160")],
)


@CASES
def test_a_selector_without_a_workload_is_not_found(analyzed: Analyze, build, kind, overlap, several) -> None:  # type: ignore[no-untyped-def]
    assert analyzed(build("a", "{app: lost}"), _WORKLOADS).of("IST0101") == [f"{kind} default/a:8"]
    assert analyzed(build("a", "{app: web}", "other"), _WORKLOADS).of("IST0101") == [f"{kind} other/a:8"]
    assert not analyzed(build("a", "{app: web}"), build("b", "{app: db}"), _WORKLOADS).of("IST0101")


@CASES
def test_two_that_select_one_workload_conflict(analyzed: Analyze, build, kind, overlap, several) -> None:  # type: ignore[no-untyped-def]
    found = analyzed(build("a", "{app: web}"), build("b", "{version: v1}"), _WORKLOADS)
    assert found.of(overlap) == [f"{kind} default/a:5", f"{kind} default/b:14"]
    assert not analyzed(build("a", "{app: web}"), build("b", "{app: db}"), _WORKLOADS).of(overlap)


@CASES
def test_two_without_a_selector_conflict_in_a_namespace(analyzed: Analyze, build, kind, overlap, several) -> None:  # type: ignore[no-untyped-def]
    assert analyzed(build("a", ""), build("b", "")).of(several) == [f"{kind} default/a:5", f"{kind} default/b:14"]
    assert not analyzed(build("a", ""), build("b", "", "other"), build("c", "{app: web}")).of(several)


def test_access_logs_need_a_provider(analyzed: Analyze) -> None:
    text = """
    apiVersion: telemetry.istio.io/v1
    kind: Telemetry
    metadata: {name: logs}
    spec:
      accessLogging:
      - disabled: false
    """
    assert analyzed(text).of("IST0157") == ["Telemetry default/logs:6"]
    assert not analyzed(text.replace("disabled: false", "providers: [{name: envoy}]")).of("IST0157")
