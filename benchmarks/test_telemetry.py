"""What telemetry costs a request: targets 1.5 us with warm series, 4 us with the access log on."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.telemetry.access_log import AccessLog
from pymesh.proxy.telemetry.direction import INBOUND, OUTBOUND
from pymesh.proxy.telemetry.spans import build_span
from pymesh.proxy.telemetry.stream_info import StreamInfo
from pymesh.proxy.telemetry.telemetry import Telemetry
from pymesh.proxy.telemetry.tracer import Tracer
from pymesh.proxy.telemetry.workload import Workload

Benchmark = Callable[..., Any]

WEB = Workload("web-v1", "default", "web", "v1", "pymesh")
PAYMENT = Workload("payment-v1", "default", "payment", "v1", "pymesh")


@pytest.fixture
def info() -> StreamInfo:
    info = StreamInfo(1.0, 1_790_000_000.0)
    info.end = 1.0034
    info.method, info.path, info.protocol = b"GET", b"/pay?amount=3", b"HTTP/1.1"
    info.request_headers = HeaderMap(
        [
            (b"host", b"payment"),
            (b"user-agent", b"curl/8.5.0"),
            (b"x-request-id", b"4bf92f35-77b3-4da6-a3ce-929d0e0e4736"),
            (b"x-forwarded-for", b"127.0.0.1"),
        ]
    )
    info.response_headers = HeaderMap([(b"x-envoy-upstream-service-time", b"3")])
    info.response_code, info.response_code_details, info.bytes_sent = 200, "via_upstream", 1024
    info.route_name = "default"
    info.downstream_local_address, info.downstream_remote_address = "127.0.0.1:15001", "127.0.0.1:40000"
    info.upstream_cluster = "outbound|80||payment.default.svc.cluster.local"
    info.upstream_host = SimpleNamespace(address="127.0.0.1:9001", workload=PAYMENT)
    info.upstream_local_address = "127.0.0.1:50000"
    info.upstream_principal = "spiffe://cluster.local/ns/default/sa/payment"
    info.service = SimpleNamespace(name="payment", namespace="default", host="payment.default.svc.cluster.local")
    info.trace_id, info.span_id = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    return info


@pytest.mark.parametrize("direction", [OUTBOUND, INBOUND])
def test_on_request_with_warm_series(benchmark: Benchmark, info: StreamInfo, direction: object) -> None:
    telemetry = Telemetry(WEB)
    benchmark(telemetry.on_request, info, direction)


def test_on_request_with_access_log(benchmark: Benchmark, info: StreamInfo) -> None:
    access_log = AccessLog("/dev/null", call_later=lambda delay, callback: SimpleNamespace(cancel=lambda: None))
    telemetry = Telemetry(WEB, access_log=access_log)
    benchmark(telemetry.on_request, info, OUTBOUND)
    access_log.close()


def test_tracer_starts_a_trace(benchmark: Benchmark, info: StreamInfo) -> None:
    tracer, headers = Tracer(), HeaderMap()

    def start() -> None:
        headers.clear()
        tracer.start(info, headers)

    benchmark(start)


def test_tracer_continues_a_trace(benchmark: Benchmark, info: StreamInfo) -> None:
    tracer = Tracer()
    headers = HeaderMap([(b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")])
    benchmark(tracer.start, info, headers)


def test_span_of_a_sampled_request(benchmark: Benchmark, info: StreamInfo) -> None:
    benchmark(build_span, info, OUTBOUND, WEB, "sidecar~127.0.0.1~web-v1.default~default.svc.cluster.local")
