import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from pymesh import otlp
from pymesh.errors import ControlUnreachableError, PymeshError
from pymesh.proxy.telemetry.direction import INBOUND, OUTBOUND
from pymesh.proxy.telemetry.exporters import BATCH_SPANS, MetricsExporter, SpanExporter
from pymesh.proxy.telemetry.labels import LocalPeer
from pymesh.proxy.telemetry.stats import Stats
from pymesh.proxy.telemetry.stream_info import StreamInfo
from pymesh.proxy.telemetry.workload import Workload
from pymesh.xds import METRICS_PATH, TRACES_PATH

Make = Callable[..., StreamInfo]

NODE = "sidecar~127.0.0.1~web-v1-abcde.default~default.svc.cluster.local"
IDS = {
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "span_id": "00f067aa0ba902b7",
    "parent_span_id": "",
    "sampled": True,
}


class Control:
    """Takes what is posted, or fails with `error`."""

    def __init__(self) -> None:
        self.bodies: list[tuple[str, bytes]] = []
        self.error: Exception | None = None

    async def post(self, path: str, body: bytes) -> None:
        if self.error is not None:
            raise self.error
        self.bodies.append((path, body))

    def spans(self) -> list[Any]:
        return [
            span
            for path, body in self.bodies
            if path == TRACES_PATH
            for resource in otlp.ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@pytest.fixture
def control() -> Control:
    return Control()


def values(attributes: Iterable[Any]) -> dict[str, str]:
    return {pair.key: pair.value.string_value for pair in attributes}


async def test_a_span_is_called_as_its_route_says(control: Control, web: Workload, make_info: Make) -> None:
    exporter = SpanExporter(web, NODE, control.post)
    exporter.on_span(make_info(**IDS, operation="payment:80/pay*"), OUTBOUND)
    await exporter.flush()
    (span,) = control.spans()
    assert span.name == "payment:80/pay*"


async def test_a_span_has_envoy_s_and_istio_s_tags(control: Control, web: Workload, make_info: Make) -> None:
    exporter = SpanExporter(web, NODE, control.post)
    exporter.on_span(make_info(**IDS), OUTBOUND)
    await exporter.flush()
    (span,) = control.spans()
    tags = values(span.attributes)
    assert span.name == "payment.shop.svc.cluster.local:80/*"
    assert span.kind == otlp.SPAN_KIND_CLIENT
    assert (span.trace_id.hex(), span.span_id.hex()) == (IDS["trace_id"], IDS["span_id"])
    assert span.end_time_unix_nano - span.start_time_unix_nano == pytest.approx(7_500_000, abs=1000)
    assert span.status.code == otlp.STATUS_CODE_UNSET
    assert tags["http.method"] == "GET"
    assert tags["http.status_code"] == "200"
    assert tags["http.url"] == "http://payment.shop/pay?amount=3"
    assert tags["upstream_cluster"] == "outbound|80|v2|payment.shop.svc.cluster.local"
    assert tags["peer.address"] == "127.0.0.1:9001"
    assert tags["component"] == "proxy"
    assert tags["node_id"] == NODE
    assert tags["istio.canonical_service"] == "web"
    assert tags["istio.namespace"] == "default"
    resource = otlp.ExportTraceServiceRequest.FromString(control.bodies[0][1]).resource_spans[0].resource
    assert values(resource.attributes)["service.name"] == "web.default"


async def test_an_inbound_span_is_the_server_s_and_fails_with_its_request(
    control: Control, web: Workload, make_info: Make
) -> None:
    exporter = SpanExporter(web, NODE, control.post)
    exporter.on_span(make_info(**IDS, response_code=503, response_flags=("UF",)), INBOUND)
    await exporter.flush()
    (span,) = control.spans()
    assert span.kind == otlp.SPAN_KIND_SERVER
    assert span.status.code == otlp.STATUS_CODE_ERROR
    assert values(span.attributes)["response_flags"] == "UF"
    assert values(span.attributes)["peer.address"] == "127.0.0.1:40000"


async def test_spans_wait_for_control_and_the_oldest_are_dropped(
    control: Control, web: Workload, make_info: Make
) -> None:
    exporter = SpanExporter(web, NODE, control.post, max_spans=2)
    control.error = ControlUnreachableError("no answer")
    for route in ("first", "second", "third"):
        exporter.on_span(make_info(**IDS, service=None, route_name=route), OUTBOUND)
        await exporter.flush()
    assert exporter.dropped == 1
    control.error = None
    await exporter.flush()
    await exporter.flush()
    assert [span.name for span in control.spans()] == ["second", "third"]


async def test_spans_that_control_refuses_are_not_sent_again(control: Control, web: Workload, make_info: Make) -> None:
    exporter = SpanExporter(web, NODE, control.post)
    control.error = PymeshError("400")
    exporter.on_span(make_info(**IDS), OUTBOUND)
    await exporter.flush()
    control.error = None
    await exporter.flush()
    assert control.bodies == []
    assert exporter.dropped == 1


async def test_many_spans_go_in_several_batches(control: Control, web: Workload, make_info: Make) -> None:
    exporter = SpanExporter(web, NODE, control.post)
    for _ in range(BATCH_SPANS + 1):
        exporter.on_span(make_info(**IDS), OUTBOUND)
    await exporter.flush()
    assert len(control.bodies) == 2
    assert len(control.spans()) == BATCH_SPANS + 1


async def test_spans_pushed_out_while_a_batch_is_under_way_are_not_removed_twice(
    web: Workload, make_info: Make
) -> None:
    arrived = asyncio.Event()
    go_on = asyncio.Event()
    batches: list[bytes] = []

    async def post(path: str, body: bytes) -> None:
        batches.append(body)
        arrived.set()
        await go_on.wait()

    exporter = SpanExporter(web, NODE, post, max_spans=2)
    for _ in range(2):
        exporter.on_span(make_info(**IDS), OUTBOUND)
    flush = asyncio.create_task(exporter.flush())
    await arrived.wait()
    exporter.on_span(make_info(**IDS, service=None, route_name="late"), OUTBOUND)
    go_on.set()
    await flush
    names = [
        span.name
        for span in otlp.ExportTraceServiceRequest.FromString(batches[1]).resource_spans[0].scope_spans[0].spans
    ]
    assert names == ["late"]


async def test_metrics_are_totals_since_the_proxy_started(
    control: Control, web: Workload, web_principal: str, make_info: Make
) -> None:
    times = iter((100.0, 105.0, 110.0))
    stats = Stats(LocalPeer(web, web_principal, is_gateway=False))
    exporter = MetricsExporter(stats, NODE, control.post, clock=lambda: next(times))
    for _ in range(2):
        stats.on_request(make_info(), OUTBOUND)
        await exporter.flush()
    assert [path for path, _ in control.bodies] == [METRICS_PATH, METRICS_PATH]
    (resource,) = otlp.ExportMetricsServiceRequest.FromString(control.bodies[1][1]).resource_metrics
    assert values(resource.resource.attributes)["service.instance.id"] == NODE
    metrics = {metric.name: metric for metric in resource.scope_metrics[0].metrics}
    (requests,) = metrics["istio_requests_total"].sum.data_points
    assert (requests.as_int, requests.start_time_unix_nano, requests.time_unix_nano) == (2, 100 * 10**9, 110 * 10**9)
    assert values(requests.attributes)["destination_workload"] == "payment-v2"
    (duration,) = metrics["istio_request_duration_milliseconds"].histogram.data_points
    assert (duration.count, len(duration.bucket_counts), len(duration.explicit_bounds)) == (2, 20, 19)
    assert duration.sum == pytest.approx(15.0)


async def test_tcp_metrics_are_exported_while_connections_are_open(
    control: Control, web: Workload, make_info: Make
) -> None:
    stats = Stats(LocalPeer(web, "", is_gateway=False))
    exporter = MetricsExporter(stats, NODE, control.post)
    stats.on_tcp_open(make_info(bytes_sent=77), OUTBOUND)
    await exporter.flush()
    (resource,) = otlp.ExportMetricsServiceRequest.FromString(control.bodies[0][1]).resource_metrics
    found = {metric.name: metric.sum.data_points[0].as_int for metric in resource.scope_metrics[0].metrics}
    assert found["istio_tcp_sent_bytes_total"] == 77
    assert found["istio_tcp_connections_opened_total"] == 1


async def test_an_export_that_fails_is_counted_and_nothing_is_sent_before_something_was_counted(
    control: Control, web: Workload, make_info: Make
) -> None:
    stats = Stats(LocalPeer(web, "", is_gateway=False))
    exporter = MetricsExporter(stats, NODE, control.post)
    control.error = ControlUnreachableError("no answer")
    await exporter.flush()
    assert exporter.failures == 0
    stats.on_request(make_info(), OUTBOUND)
    await exporter.flush()
    assert exporter.failures == 1
