"""Rules of Telemetries: a spec, and what is said of it."""

from collections.abc import Callable

import pytest

Check = Callable[[str, str], tuple[list[str], list[str]]]


def tag(text: str) -> str:
    return "{tracing: [{customTags: {a: {" + text + "}}}]}"


def override(text: str) -> str:
    return "{metrics: [{overrides: [{" + text + "}]}]}"


@pytest.mark.parametrize(
    "spec",
    [
        "{}",
        "{accessLogging: [{providers: [{name: a}], match: {mode: SERVER}, filter: {expression: 'source.port > 1'}}]}",
        "{tracing: [{randomSamplingPercentage: 100, useRequestIdForTraceSampling: false}]}",
        tag("literal: {value: b}"),
        tag("environment: {name: B, defaultValue: c}"),
        tag("header: {name: x-b}"),
        tag("formatter: {value: '%PROTOCOL%'}"),
        override("match: {metric: REQUEST_COUNT}, tagOverrides: {a: {value: request.id}, c: {operation: REMOVE}}"),
        override("match: {customMetric: mine, mode: CLIENT}, disabled: true"),
        "{metrics: [{reportingInterval: 10s}]}",
    ],
)
def test_what_istio_takes_is_taken(spec: str, check: Check) -> None:
    assert check("telemetry", spec) == ([], [])


@pytest.mark.parametrize(
    ("spec", "violations"),
    [
        ("{accessLogging: [{providers: [{}]}]}", ["accessLogging[0].providers[0].name: is required"]),
        ("{accessLogging: [{filter: {}}]}", ["accessLogging[0].filter.expression: is required"]),
        (
            "{accessLogging: [{filter: {expression: 'response.code >='}}]}",
            [
                "accessLogging[0].filter.expression: is no valid CEL expression: "
                "Syntax error: mismatched input '<EOF>' at line 1, column 17"
            ],
        ),
        (
            "{accessLogging: [{filter: {expression: 'response.kode == 1'}}]}",
            ["accessLogging[0].filter.expression: there is no attribute response.kode"],
        ),
        (
            "{accessLogging: [{match: {mode: BOTH}}]}",
            ["accessLogging[0].match.mode: must be one of CLIENT_AND_SERVER, CLIENT, SERVER, not 'BOTH'"],
        ),
        (
            "{tracing: [{randomSamplingPercentage: 101}]}",
            ["tracing[0].randomSamplingPercentage: must be 0..100, not 101"],
        ),
        (
            tag(""),
            ["tracing[0].customTags.a: must have exactly one of literal, environment, header, formatter"],
        ),
        (tag("literal: {}"), ["tracing[0].customTags.a.literal.value: is required"]),
        (tag("header: {}"), ["tracing[0].customTags.a.header.name: is required"]),
        (tag("environment: {}"), ["tracing[0].customTags.a.environment.name: is required"]),
        (override("tagOverrides: {a: {}}"), ["metrics[0].overrides[0].tagOverrides.a.value: is required with UPSERT"]),
        (
            override("tagOverrides: {a: {operation: REMOVE, value: b}}"),
            ["metrics[0].overrides[0].tagOverrides.a.value: can only stand beside UPSERT"],
        ),
        (
            override("tagOverrides: {a: {value: 'request.'}}"),
            [
                "metrics[0].overrides[0].tagOverrides.a.value: is no valid CEL expression: "
                "Syntax error: no viable alternative at input '.' at line 1, column 9"
            ],
        ),
        (
            override("match: {metric: REQUEST_SIZE, customMetric: ''}"),
            [
                "metrics[0].overrides[0].match: must have only one of metric and customMetric",
                "metrics[0].overrides[0].match.customMetric: must not be empty",
            ],
        ),
        (
            "{metrics: [{reportingInterval: often}]}",
            ["metrics[0].reportingInterval: must be a duration such as 1h, 30s or 250ms, not 'often'"],
        ),
    ],
)
def test_what_istio_refuses_is_refused_with_the_path(spec: str, violations: list[str], check: Check) -> None:
    assert check("telemetry", spec)[0] == violations


def test_more_than_istio_heeds_is_warned_of(check: Check) -> None:
    spec = "{tracing: [{providers: [{name: a}, {name: b}]}, {}]}"
    assert check("telemetry", spec)[1] == [
        "tracing[0].providers: has several entries; only the first one is used",
    ]


def test_a_label_of_a_name_that_nobody_declared_is_warned_of(check: Check) -> None:
    spec = override("tagOverrides: {a: {value: operation}}")
    assert check("telemetry", spec) == (
        [],
        [
            "metrics[0].overrides[0].tagOverrides.a.value: is no valid CEL expression: "
            "undeclared reference to 'operation' at line 1, column 1: the label will be `unknown`"
        ],
    )
