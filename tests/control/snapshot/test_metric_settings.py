"""Trap 22, of metrics: what a lower level says of one comes on top of what the levels above say."""

import pytest

from pymesh.control.model.manifest import read_manifest
from pymesh.control.snapshot.metric_settings import MetricOverride, MetricSettings
from pymesh.control.snapshot.telemetries import Telemetries

TELEMETRY = """
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  {selector}
  metrics: [{metrics}]
---
"""
ALL_OFF = "{overrides: [{disabled: true}]}"
COUNT_OFF = "{overrides: [{match: {metric: REQUEST_COUNT}, disabled: true}]}"


def of_root(*metrics):
    return TELEMETRY.format(name="a", namespace="istio-system", selector="", metrics=", ".join(metrics))


def of_namespace(*metrics):
    return TELEMETRY.format(name="b", namespace="default", selector="", metrics=", ".join(metrics))


def of_workload(*metrics):
    selector = "selector: {matchLabels: {app: web}}"
    return TELEMETRY.format(name="c", namespace="default", selector=selector, metrics=", ".join(metrics))


def settings(*yaml, mode="CLIENT", defaults=("prometheus",)):
    telemetries = Telemetries(read_manifest("".join(yaml), "test").resources, "istio-system")
    return telemetries.metric_settings("default", {"app": "web"}, mode, defaults, lambda name: name == "prometheus")


def tag(name, value, metric="REQUEST_COUNT"):
    change = f"{{value: {value}}}" if value else "{operation: REMOVE}"
    return f"{{overrides: [{{match: {{metric: {metric}}}, tagOverrides: {{{name}: {change}}}}}]}}"


def test_without_a_telemetry_nothing_is_changed() -> None:
    assert settings() == MetricSettings()


def test_labels_of_all_levels_come_together_and_the_lowest_says_of_one_what_it_is() -> None:
    levels = (
        of_root(tag("a", "request.id"), tag("b", "request.id")),
        of_namespace(tag("b", "")),
        of_workload(tag("c", "")),
    )
    tags = (("a", "request.id"), ("b", None), ("c", None))
    assert settings(*levels).overrides == (MetricOverride("requests_total", tags=tags),)


def test_a_metric_that_is_off_above_can_be_on_again_below() -> None:
    below = of_workload("{overrides: [{match: {metric: REQUEST_COUNT}, disabled: false}]}")
    assert settings(of_root(COUNT_OFF)).overrides == (MetricOverride("requests_total", is_disabled=True),)
    assert settings(of_root(COUNT_OFF), below).overrides == (MetricOverride("requests_total"),)


def test_all_are_off_until_a_lower_level_says_something_of_one() -> None:
    assert settings(of_root(ALL_OFF)) == MetricSettings(is_disabled=True)
    assert settings(of_root(ALL_OFF), of_namespace(COUNT_OFF)).overrides == (MetricOverride("requests_total", True),)


@pytest.mark.parametrize(("mode", "is_disabled"), [("CLIENT", False), ("SERVER", True)])
def test_an_override_is_for_its_direction_of_traffic(mode, is_disabled) -> None:
    off = "{overrides: [{match: {metric: ALL_METRICS, mode: SERVER}, disabled: true}]}"
    assert settings(of_namespace(off), mode=mode).is_disabled is is_disabled


def test_an_override_without_a_metric_is_for_each() -> None:
    found = settings(of_root("{overrides: [{tagOverrides: {a: {operation: REMOVE}}}]}")).overrides
    assert len(found) == 10
    assert {override.tags for override in found} == {(("a", None),)}


def test_a_metric_may_be_called_by_its_name_in_prometheus() -> None:
    custom = "{overrides: [{match: {customMetric: request_bytes}, disabled: true}]}"
    assert settings(of_root(custom)).overrides == (MetricOverride("request_bytes", is_disabled=True),)


def test_without_prometheus_among_the_providers_nothing_is_counted() -> None:
    assert settings(of_root("{providers: [{name: other}]}")) == MetricSettings(is_disabled=True)
    again = of_namespace("{providers: [{name: prometheus}]}")
    assert settings(of_root("{providers: [{name: other}]}"), again) == MetricSettings()


def test_what_was_said_for_another_provider_is_not_said_for_this_one() -> None:
    other = "{providers: [{name: other}], overrides: [{match: {metric: REQUEST_COUNT}, disabled: true}]}"
    assert settings(of_root(other), of_namespace("{providers: [{name: prometheus}]}")) == MetricSettings()


def test_the_lowest_interval_holds() -> None:
    found = settings(of_root("{reportingInterval: 5s}"), of_workload("{reportingInterval: 9s}"), of_namespace("{}"))
    assert found.reporting_interval == "9s"
