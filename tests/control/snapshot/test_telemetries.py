import pytest

from pymesh.control.model.manifest import read_manifest
from pymesh.control.snapshot.telemetries import Telemetries

TELEMETRY = """
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  {selector}
  tracing: {tracing}
---
"""
WEB = "selector: {matchLabels: {app: web}}"


def telemetry(tracing, name="a", namespace="default", selector=""):
    return TELEMETRY.format(**locals())


def sampling(*yaml, mode="CLIENT", labels=None):
    resources = read_manifest("".join(yaml), "test").resources
    spec = Telemetries(resources, "istio-system").tracing("default", labels or {"app": "web"}, mode, None)
    return 0.0 if spec.is_disabled else 1.0 if spec.sampling is None else spec.sampling


def spec_of(*yaml, default=None, mode="CLIENT"):
    resources = read_manifest("".join(yaml), "test").resources
    return Telemetries(resources, "istio-system").tracing("default", {"app": "web"}, mode, default)


def test_without_a_telemetry_the_mesh_config_says_how_much_is_traced() -> None:
    assert sampling() == 1.0


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_the_workloads_own_wins_over_its_namespaces_and_that_over_the_root_namespaces(levels) -> None:
    of_root = telemetry("[{randomSamplingPercentage: 10}]", namespace="istio-system")
    of_namespace = telemetry("[{randomSamplingPercentage: 20}]", "b")
    of_workload = telemetry("[{randomSamplingPercentage: 30}]", "c", selector=WEB)
    assert sampling(*[of_root, of_namespace, of_workload][:levels]) == 10.0 * levels


def test_fields_are_merged_one_by_one() -> None:
    of_root = telemetry("[{disableSpanReporting: true, randomSamplingPercentage: 10}]", namespace="istio-system")
    assert sampling(of_root, telemetry("[{randomSamplingPercentage: 50}]")) == 0.0
    assert sampling(of_root, telemetry("[{disableSpanReporting: false}]")) == 10.0


def test_no_traces_is_not_the_same_as_nothing_said() -> None:
    of_root = telemetry("[{randomSamplingPercentage: 10}]", namespace="istio-system")
    assert sampling(of_root, telemetry("[{randomSamplingPercentage: 0}]")) == 0.0


def test_an_entry_holds_for_its_direction_of_traffic() -> None:
    both = telemetry(
        "[{match: {mode: SERVER}, randomSamplingPercentage: 5}, {match: {mode: CLIENT}, randomSamplingPercentage: 7}]"
    )
    assert (sampling(both, mode="CLIENT"), sampling(both, mode="SERVER")) == (7.0, 5.0)


def test_of_one_level_the_oldest_holds_alone() -> None:
    assert (
        sampling(telemetry("[{randomSamplingPercentage: 3}]"), telemetry("[{disableSpanReporting: true}]", "b")) == 3.0
    )


def test_another_workloads_telemetry_is_nothing_to_it() -> None:
    others = telemetry("[{randomSamplingPercentage: 3}]", selector=WEB)
    assert sampling(others, labels={"app": "db"}) == 1.0


def test_the_lowest_level_that_names_a_provider_says_who_gets_the_spans() -> None:
    of_root = telemetry("[{providers: [{name: one}]}]", namespace="istio-system")
    assert spec_of(of_root, default="none").provider == "one"
    assert spec_of(of_root, telemetry("[{randomSamplingPercentage: 5}]")).provider == "one"
    assert spec_of(of_root, telemetry("[{providers: [{name: two}]}]")).provider == "two"
    assert spec_of(default="zero").provider == "zero"


def test_custom_tags_of_a_lower_level_replace_all_of_those_above() -> None:
    of_root = telemetry(
        "[{customTags: {a: {literal: {value: x}}, b: {literal: {value: y}}}}]", namespace="istio-system"
    )
    assert [name for name, _ in spec_of(of_root).custom_tags] == ["a", "b"]
    below = telemetry("[{customTags: {c: {header: {name: h}}}, enableIstioTags: false}]")
    assert [name for name, _ in spec_of(of_root, below).custom_tags] == ["c"]
    assert (spec_of(of_root).has_istio_tags, spec_of(of_root, below).has_istio_tags) == (None, False)


def test_of_several_entries_of_a_level_the_last_holds() -> None:
    both = telemetry("[{randomSamplingPercentage: 5}, {randomSamplingPercentage: 7}]")
    assert sampling(both) == 7.0
