import pytest

from pymesh.control.model.manifest import read_manifest
from pymesh.control.snapshot.access_logging import LogProviders
from pymesh.control.snapshot.telemetries import Telemetries

TELEMETRY = """
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  {selector}
  accessLogging: {logging}
---
"""
WEB = "selector: {matchLabels: {app: web}}"


def of_root(logging):
    return TELEMETRY.format(name="a", namespace="istio-system", selector="", logging=logging)


def of_namespace(logging):
    return TELEMETRY.format(name="b", namespace="default", selector="", logging=logging)


def of_workload(logging):
    return TELEMETRY.format(name="c", namespace="default", selector=WEB, logging=logging)


def providers(*yaml, mode="CLIENT", defaults=()):
    resources = read_manifest("".join(yaml), "test").resources
    return Telemetries(resources, "istio-system").log_providers("default", {"app": "web"}, mode, defaults)


def named(*names):
    return f"[{{providers: [{', '.join(f'{{name: {name}}}' for name in names)}]}}]"


def test_without_a_telemetry_the_default_providers_hold() -> None:
    assert providers(defaults=("envoy",)) == LogProviders(("envoy",))


def test_a_level_that_names_providers_replaces_those_of_the_levels_above() -> None:
    assert providers(of_root(named("one", "two")), of_namespace(named("three"))).names == ("three",)
    everywhere = (of_root(named("one")), of_namespace(named("two")), of_workload(named("three")))
    assert providers(*everywhere).names == ("three",)


def test_a_level_that_names_none_is_for_those_of_the_level_above() -> None:
    found = providers(of_root(named("one")), of_namespace("[{match: {mode: CLIENT}}]"))
    assert found == LogProviders(("one",))
    assert providers(of_namespace("[{}]"), defaults=("envoy",)).names == ("envoy",)


def test_disabled_at_a_lower_level_removes_the_provider_and_nothing_takes_its_place() -> None:
    found = providers(of_root(named("one")), of_workload("[{disabled: true}]"))
    assert found == LogProviders((), is_disabled=True)


@pytest.mark.parametrize(("mode", "names"), [("CLIENT", ("one",)), ("SERVER", ("one", "two"))])
def test_an_entry_is_for_its_direction_of_traffic(mode, names) -> None:
    entries = "[{providers: [{name: one}]}, {match: {mode: SERVER}, providers: [{name: two}]}]"
    assert providers(of_namespace(entries), mode=mode).names == names


def test_switched_off_for_one_direction_the_other_goes_on() -> None:
    entries = "[{providers: [{name: one}]}, {match: {mode: CLIENT}, disabled: true}]"
    assert providers(of_namespace(entries), mode="CLIENT") == LogProviders((), is_disabled=True)
    assert providers(of_namespace(entries), mode="SERVER").names == ("one",)


def test_a_filter_is_for_the_providers_beside_it() -> None:
    found = providers(of_root("[{providers: [{name: one}], filter: {expression: response.code > 0}}]"))
    assert found.expression("one") == "response.code > 0"
    assert found.names == ("one",)


def test_the_lower_level_that_names_a_provider_says_its_filter_or_that_there_is_none() -> None:
    of_mesh = of_root("[{providers: [{name: one}], filter: {expression: response.code > 0}}]")
    other = of_namespace("[{providers: [{name: one}], filter: {expression: response.code > 1}}]")
    assert providers(of_mesh, other).expression("one") == "response.code > 1"
    assert providers(of_mesh, of_namespace(named("one"))).filters == ()


def test_a_filter_without_providers_is_for_those_of_the_level_above() -> None:
    lower = of_namespace("[{filter: {expression: response.code > 1}}]")
    assert providers(of_root(named("one")), lower).expression("one") == "response.code > 1"
    assert providers(lower, defaults=("envoy",)).expression("envoy") == "response.code > 1"


@pytest.mark.parametrize(("mode", "expression"), [("CLIENT", "response.code > 0"), ("SERVER", "response.code > 1")])
def test_each_direction_has_its_filter(mode, expression) -> None:
    entries = (
        "[{match: {mode: CLIENT}, providers: [{name: one}], filter: {expression: response.code > 0}},"
        " {match: {mode: SERVER}, providers: [{name: one}], filter: {expression: response.code > 1}}]"
    )
    assert providers(of_namespace(entries), mode=mode).expression("one") == expression


def test_providers_of_the_other_direction_replace_none_of_this_one() -> None:
    lower = of_namespace("[{match: {mode: SERVER}, providers: [{name: two}]}]")
    assert providers(of_root(named("one")), lower, mode="CLIENT").names == ("one",)
