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
