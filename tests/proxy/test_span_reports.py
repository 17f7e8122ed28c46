"""Reports of spans on their way to a service of the mesh. Over gRPC, that is a server of Google's library."""

import asyncio
from typing import Any

import grpc
import pytest

from pymesh.proxy.span_reports import ReportRefusedError, SpanReports
from pymesh.proxy.telemetry.span_providers import Report
from pymesh.proxy.telemetry.tracing_config import Receiver
from pymesh.proxy.upstream.http2_options import UpstreamProtocol
from pymesh.proxy.upstream.transport import connect

RECEIVER = Receiver("zipkin", "zipkin.example", "/api/v2/spans", 5.0, (("x-tenant", "shop"),))
REPORT = Report(RECEIVER, "application/json", b'[{"id":1}]')
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
OVER_GRPC = Report(Receiver("otlp", "otlp.example", EXPORT, 5.0, (("x-tenant", "shop"),), is_grpc=True), "", b"spans")


async def deliver(proxy: Any, answer: bytes) -> bytes:
    """What the receiver got, which answers so."""
    proxy.add_cluster("zipkin", "10.0.0.3:9411")
    task = asyncio.create_task(SpanReports(proxy.context).deliver(REPORT))
    server = await proxy.server()
    request: bytes = server.take()
    server.send(answer)
    await task
    return request


async def test_a_report_is_a_post_to_the_receiver(proxy: Any) -> None:
    request = await deliver(proxy, b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
    head, _, body = request.partition(b"\r\n\r\n")
    line, *fields = head.split(b"\r\n")
    assert line == b"POST /api/v2/spans HTTP/1.1"
    assert {b"host: zipkin.example", b"content-type: application/json", b"x-tenant: shop"} <= set(fields)
    assert b"content-length: %d" % len(body) in fields
    assert body == REPORT.body


@pytest.mark.parametrize(("status", "error"), [(b"503 Unavailable", OSError), (b"400 Bad Request", ReportRefusedError)])
async def test_only_what_may_go_better_later_is_tried_again(proxy: Any, status: bytes, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"zipkin answers with \d00|503"):
        await deliver(proxy, b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n" % status)


async def test_without_a_cluster_or_an_endpoint_it_is_tried_again(proxy: Any) -> None:
    with pytest.raises(OSError, match="there is no cluster zipkin"):
        await SpanReports(proxy.context).deliver(REPORT)
    proxy.add_cluster("zipkin")
    with pytest.raises(OSError, match="no endpoint of zipkin"):
        await SpanReports(proxy.context).deliver(REPORT)


@pytest.mark.parametrize(
    ("code", "error"),
    [(None, None), (grpc.StatusCode.UNAVAILABLE, OSError), (grpc.StatusCode.INVALID_ARGUMENT, ReportRefusedError)],
)
async def test_a_collector_gets_reports_over_grpc(proxy: Any, code: Any, error: type[Exception] | None) -> None:
    got: list[tuple[bytes, dict[str, str]]] = []

    async def export(body: bytes, context: Any) -> bytes:
        got.append((body, dict(context.invocation_metadata())))
        if code is not None:
            await context.abort(code, "no")
        return b""

    server = grpc.aio.server()
    handlers = {"Export": grpc.unary_unary_rpc_method_handler(export)}
    service = EXPORT.strip("/").rpartition("/")[0]
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        proxy.add_cluster("otlp", f"127.0.0.1:{port}", protocol=UpstreamProtocol.HTTP2, connect_timeout=5.0)
        proxy.context.connect = connect
        delivery = SpanReports(proxy.context).deliver(OVER_GRPC)
        if error is None:
            await delivery
        else:
            with pytest.raises(error, match="otlp answers with"):
                await delivery
    finally:
        await server.stop(None)
    ((body, metadata),) = got
    assert (body, metadata["x-tenant"]) == (b"spans", "shop")


async def test_a_report_by_grpc_to_a_port_of_http1_fails_and_leaves_nothing(proxy: Any) -> None:
    proxy.add_cluster(OVER_GRPC.receiver.cluster, "10.0.0.2:80")
    with pytest.raises(OSError, match="takes a request of gRPC"):
        await SpanReports(proxy.context).deliver(OVER_GRPC)
    cluster = proxy.context.clusters.get(OVER_GRPC.receiver.cluster)
    assert cluster.endpoints[0].active_requests == 0
