"""OTLP requests as proxies make them."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pymesh import otlp


def attributes(values: Mapping[str, str]) -> list[Any]:
    return [otlp.KeyValue(key=key, value=otlp.AnyValue(string_value=value)) for key, value in values.items()]


@pytest.fixture
def make_report() -> Callable[..., Any]:
    """An ExportMetricsServiceRequest with `requests` counted in one bucket of a two-bucket histogram too."""

    def make(
        requests: int,
        instance: str = "web-1",
        start: int = 100,
        labels: Mapping[str, str] = {"reporter": "source"},
        name: str = "istio_requests_total",
    ) -> Any:
        request = otlp.ExportMetricsServiceRequest()
        resource = otlp.Resource(attributes=attributes({"service.instance.id": instance} if instance else {}))
        metrics = request.resource_metrics.add(resource=resource).scope_metrics.add().metrics
        counter = metrics.add(name=name, description="Requests.").sum
        counter.is_monotonic = True
        counter.aggregation_temporality = otlp.AGGREGATION_TEMPORALITY_CUMULATIVE
        counter.data_points.add(start_time_unix_nano=start, as_int=requests, attributes=attributes(labels))
        histogram = metrics.add(name="istio_request_duration_milliseconds").histogram
        histogram.aggregation_temporality = otlp.AGGREGATION_TEMPORALITY_CUMULATIVE
        histogram.data_points.add(
            start_time_unix_nano=start,
            count=requests,
            sum=1.5 * requests,
            bucket_counts=[0, requests],
            explicit_bounds=[1.0],
            attributes=attributes(labels),
        )
        return request

    return make


@pytest.fixture
def make_spans() -> Callable[..., Any]:
    """An ExportTraceServiceRequest; a span is (trace id, span id, parent id, start in ms, duration in ms)."""

    def make(*spans: tuple[str, str, str, int, int], service: str = "web.default", status: str = "200") -> Any:
        request = otlp.ExportTraceServiceRequest()
        resource = otlp.Resource(attributes=attributes({"service.name": service}))
        scope_spans = request.resource_spans.add(resource=resource).scope_spans.add()
        for trace_id, span_id, parent_id, start, duration in spans:
            scope_spans.spans.add(
                trace_id=bytes.fromhex(trace_id),
                span_id=bytes.fromhex(span_id),
                parent_span_id=bytes.fromhex(parent_id),
                name=f"{service}/*",
                kind=otlp.SPAN_KIND_CLIENT,
                start_time_unix_nano=start * 1_000_000,
                end_time_unix_nano=(start + duration) * 1_000_000,
                attributes=attributes({"http.status_code": status}),
                status=otlp.Status(code=otlp.STATUS_CODE_ERROR if status >= "500" else otlp.STATUS_CODE_UNSET),
            )
        return request

    return make
