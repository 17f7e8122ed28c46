"""Reports of spans to a service of the mesh: requests of the proxy's own, by the clusters of its traffic."""

import asyncio

from pymesh.errors import PymeshError
from pymesh.proxy.codec.grpc import GRPC_STATUS, write_message
from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.downstream.context import ProxyContext
from pymesh.proxy.http_filters.async_request import AsyncAnswer, AsyncRequest
from pymesh.proxy.telemetry.span_providers import Report

_GRPC = "application/grpc"


class ReportRefusedError(PymeshError):
    """The receiver wants no such report; another attempt would not help."""


class SpanReports:
    def __init__(self, context: ProxyContext) -> None:
        self._context = context

    async def deliver(self, report: Report) -> None:
        """Returns when the receiver has taken it. Raises OSError where a later attempt may help, else
        ReportRefusedError."""
        receiver = report.receiver
        cluster = self._context.clusters.get(receiver.cluster)
        if cluster is None:
            raise OSError(f"there is no cluster {receiver.cluster}")
        answered: asyncio.Future[AsyncAnswer | None] = asyncio.get_running_loop().create_future()
        content = write_message(report.body) if receiver.is_grpc else report.body
        request = AsyncRequest(
            cluster,
            b"POST",
            receiver.path.encode(),
            _headers(report, len(content)),
            lambda answer: None if answered.done() else answered.set_result(answer),
            content,
            is_http2=receiver.is_grpc,
        )
        if not request.start(self._context, receiver.timeout):
            raise OSError(f"no endpoint of {receiver.cluster} takes a request{' of gRPC' * receiver.is_grpc}")
        _judge(await answered, report)


def _headers(report: Report, length: int) -> HeaderMap:
    receiver = report.receiver
    headers = HeaderMap([(b"host", receiver.authority.encode())])
    if receiver.is_grpc:
        headers.set(b"te", b"trailers")
    headers.set(b"content-type", (_GRPC if receiver.is_grpc else report.media_type).encode())
    headers.set(b"content-length", str(length).encode())
    for name, value in receiver.headers:
        headers.set(name.encode(), value.encode())
    return headers


def _judge(answer: AsyncAnswer | None, report: Report) -> None:
    if answer is None:
        raise OSError(f"{report.receiver.cluster} does not answer")
    status = _grpc_status(answer) if report.receiver.is_grpc else b""
    if answer.status >= 500 or status == b"14":
        raise OSError(f"{report.receiver.cluster} answers with {status.decode() or answer.status}")
    if not 200 <= answer.status < 300 or status not in (b"", b"0"):
        raise ReportRefusedError(f"{report.receiver.cluster} answers with {status.decode() or answer.status}")


def _grpc_status(answer: AsyncAnswer) -> bytes:
    trailers = answer.trailers or answer.headers
    return trailers.get(GRPC_STATUS) or answer.headers.get(GRPC_STATUS) or b"2"
