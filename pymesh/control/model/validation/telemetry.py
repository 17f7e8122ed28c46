"""Rules of a Telemetry. Istio: ValidateTelemetry in pkg/config/validation."""

from collections.abc import Sequence

from pymesh.cel import ATTRIBUTES, METRIC_ATTRIBUTES
from pymesh.control.model.resource import Metadata
from pymesh.control.model.scope import Scope
from pymesh.control.model.telemetry import CustomTag, Metrics, MetricsOverrides, ProviderRef, Telemetry, Tracing
from pymesh.control.model.validation import syntax
from pymesh.control.model.validation.access_log_format import check_text_format
from pymesh.control.model.validation.expression import check_expression, check_syntax
from pymesh.control.model.validation.selector import check_one_of_targets


def check_telemetry(spec: Telemetry, metadata: Metadata, at: Scope) -> None:
    check_one_of_targets(spec.selector, spec.target_ref, spec.target_refs, at)
    for index, tracing in enumerate(spec.tracing):
        _check_tracing(tracing, at["tracing"][index])
    for index, metrics in enumerate(spec.metrics):
        _check_metrics(metrics, at["metrics"][index])
    for index, logging in enumerate(spec.access_logging):
        here = at["accessLogging"][index]
        _check_providers(logging.providers, here["providers"])
        if logging.filter is not None:
            check_expression(logging.filter.expression, ATTRIBUTES, here["filter"]["expression"])


def _check_providers(providers: Sequence[ProviderRef], at: Scope) -> None:
    for index, provider in enumerate(providers):
        at[index]["name"].require(provider.name, "is required")


def _check_tracing(tracing: Tracing, at: Scope) -> None:
    _check_providers(tracing.providers, at["providers"])
    if len(tracing.providers) > 1:
        at["providers"].warn("has several entries; only the first one is used")
    if tracing.random_sampling_percentage is not None:
        syntax.check_range(tracing.random_sampling_percentage, 0, 100, at["randomSamplingPercentage"])
    for name, tag in tracing.custom_tags.items():
        at["customTags"].require(name, "a tag must have a name")
        check_tag(tag, at["customTags"][name])


def check_tag(tag: CustomTag, at: Scope) -> None:
    kinds = {
        "literal": tag.literal,
        "environment": tag.environment,
        "header": tag.header,
        "formatter": tag.formatter,
    }
    chosen = [name for name, value in kinds.items() if value is not None]
    at.require(len(chosen) == 1, f"must have exactly one of {', '.join(kinds)}")
    if tag.literal is not None:
        at["literal"]["value"].require(tag.literal.value, "is required")
    if tag.environment is not None:
        at["environment"]["name"].require(tag.environment.name, "is required")
    if tag.header is not None:
        at["header"]["name"].require(tag.header.name, "is required")
    if tag.formatter is not None:
        at["formatter"]["value"].require(tag.formatter.value, "is required")
        check_text_format(tag.formatter.value, at["formatter"]["value"])


def _check_metrics(metrics: Metrics, at: Scope) -> None:
    _check_providers(metrics.providers, at["providers"])
    syntax.check_duration(metrics.reporting_interval, at["reportingInterval"])
    for index, override in enumerate(metrics.overrides):
        _check_override(override, at["overrides"][index])


def _check_override(override: MetricsOverrides, at: Scope) -> None:
    match = override.match
    if match is not None:
        is_single = match.metric is None or match.custom_metric is None
        at["match"].require(is_single, "must have only one of metric and customMetric")
        at["match"]["customMetric"].require(match.custom_metric != "", "must not be empty")
    for name, tag in override.tag_overrides.items():
        here = at["tagOverrides"][name]
        here.require(name, "a tag must have a name")
        if tag.operation == "UPSERT":
            _check_tag_value(tag.value, here["value"])
        else:
            here["value"].require(not tag.value, "can only stand beside UPSERT")


def _check_tag_value(value: str, at: Scope) -> None:
    if not value:
        at.fail("is required with UPSERT")
    else:
        check_syntax(value, METRIC_ATTRIBUTES, at)
