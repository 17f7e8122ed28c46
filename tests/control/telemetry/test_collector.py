"""What the proxies' exporters send, the collector shows: both ends of the wire together."""

from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pymesh import otlp
from pymesh.control.telemetry.collector import Collector
from pymesh.control.telemetry.otlp_request import PROTOBUF, decode_request
from pymesh.proxy.telemetry.direction import INBOUND, OUTBOUND
from pymesh.proxy.telemetry.exporters import MetricsExporter, SpanExporter
from pymesh.proxy.telemetry.stream_info import StreamInfo
from pymesh.proxy.telemetry.telemetry import Telemetry
from pymesh.proxy.telemetry.tracer import Tracer
from pymesh.proxy.telemetry.workload import Workload
from pymesh.xds import TRACES_PATH

WEB = Workload("web-v1", "default", "web", "v1", "pymesh")
PAYMENT = Workload("payment-v1", "default", "payment", "v1", "pymesh")


class Headers(dict[bytes, bytes]):
    def set(self, name: bytes, value: bytes) -> None:
        self[name] = value

    def remove(self, name: bytes) -> object:
        return self.pop(name, None)


@pytest.fixture
def collector() -> Collector:
    return Collector(clock=lambda: 0.0)


async def report(collector: Collector, workload: Workload, info: StreamInfo, is_inbound: bool) -> None:
    """One proxy that has seen one request and sends all it knows."""

    async def post(path: str, body: bytes) -> None:
        if path == TRACES_PATH:
            collector.on_traces(decode_request(otlp.ExportTraceServiceRequest, body, PROTOBUF))
        else:
            collector.on_metrics(decode_request(otlp.ExportMetricsServiceRequest, body, PROTOBUF))

    spans = SpanExporter(workload, f"sidecar~{workload.name}", post)
    telemetry = Telemetry(workload, spans=spans)
    metrics = MetricsExporter(telemetry.stats, f"sidecar~{workload.name}", post)
    telemetry.on_request(info, INBOUND if is_inbound else OUTBOUND)
    await spans.flush()
    await metrics.flush()
    await metrics.flush()


def request(headers: Headers, start: float) -> StreamInfo:
    info = StreamInfo(start, 1_000_000.0 + start)
    info.end = start + 0.01
    info.response_code = 200
    info.upstream_cluster = "outbound|80||payment.default.svc.cluster.local"
    info.service = SimpleNamespace(name="payment", namespace="default", host="payment.default.svc.cluster.local")
    Tracer(percent=100.0).start(info, headers)
    return info


async def test_a_request_through_two_sidecars_is_one_trace_and_two_reports(collector: Collector) -> None:
    headers = Headers()
    at_web, at_payment = request(headers, 1.0), request(headers, 1.002)
    await report(collector, WEB, at_web, is_inbound=False)
    await report(collector, PAYMENT, at_payment, is_inbound=True)
    root, child = collector.traces.find(at_web.trace_id)
    assert (root.service, root.kind, root.parent_span_id) == ("web", "client", "")
    assert (child.service, child.kind, child.parent_span_id) == ("payment", "server", root.span_id)
    found = {
        (sample.labels["reporter"], sample.labels["destination_service"]): sample.value
        for family in text_string_to_metric_families(collector.exposition())
        for sample in family.samples
        if sample.name == "istio_requests_total"
    }
    host = "payment.default.svc.cluster.local"
    assert found == {("source", host): 1, ("destination", host): 1}
    assert collector.metrics.rejected == 0
