"""HTTP ends of the collector: OTLP in, Prometheus' text and traces out."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest

from pymesh import otlp
from pymesh.control.telemetry.collector import Collector
from pymesh.control.telemetry.otlp_request import JSON, BadRequestError, decode_request, encode_response
from pymesh.control.telemetry.trace_store import AmbiguousTraceError, TraceNotFoundError
from pymesh.prometheus import CONTENT_TYPE
from pymesh.xds import METRICS_PATH, TRACES_PATH

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MAX_BODY = 32 * 1024 * 1024  # unpacked; a proxy with all the series it may have sends half of it
DEFAULT_LIMIT = 20
MAX_LIMIT = 1_000


def collector_routes(collector: Collector) -> list[web.RouteDef]:
    """`POST /v1/traces` and `POST /v1/metrics`, OTLP over HTTP in protobuf or JSON."""
    return [
        web.post(TRACES_PATH, _otlp_handler(otlp.ExportTraceServiceRequest, collector.on_traces)),
        web.post(METRICS_PATH, _otlp_handler(otlp.ExportMetricsServiceRequest, collector.on_metrics)),
    ]


def monitoring_routes(collector: Collector, registry: CollectorRegistry) -> list[web.RouteDef]:
    """`GET /metrics`, which shows `registry` (control's own metrics) too, and the trace routes."""

    async def metrics(request: web.Request) -> web.Response:
        body = generate_latest(registry) + collector.exposition().encode()
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})

    return [web.get("/metrics", metrics), *trace_routes(collector)]


def trace_routes(collector: Collector) -> list[web.RouteDef]:
    """`GET /debug/traces?limit=N` and `/debug/traces/<id or prefix>`: what `pymesh trace` reads."""

    async def traces(request: web.Request) -> web.Response:
        return _json({"traces": collector.traces.recent(_limit(request))})

    async def trace(request: web.Request) -> web.Response:
        try:
            spans = collector.traces.find(request.match_info["trace_id"].lower())
            return _json({"trace_id": spans[0].trace_id, "spans": spans})
        except TraceNotFoundError as error:
            return _error(HTTPStatus.NOT_FOUND, error)
        except AmbiguousTraceError as error:
            return _error(HTTPStatus.CONFLICT, error)

    return [web.get("/debug/traces", traces), web.get("/debug/traces/{trace_id}", trace)]


def _otlp_handler(message_type: Any, take: Callable[[Any], Any]) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        try:
            message = decode_request(message_type, await _read_body(request), request.content_type)
        except BadRequestError as error:
            return _error(HTTPStatus.BAD_REQUEST, error)
        body = encode_response(take(message), request.content_type)
        return web.Response(body=body, content_type=request.content_type)

    return handle


async def _read_body(request: web.Request) -> bytes:
    """aiohttp has unpacked it by then; the bound is on what came out."""
    chunks, size = [], 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
        if size > MAX_BODY:
            raise web.HTTPRequestEntityTooLarge(MAX_BODY, size)
        chunks.append(chunk)
    return b"".join(chunks)


def _limit(request: web.Request) -> int:
    text = request.query.get("limit", str(DEFAULT_LIMIT))
    if not text.isdecimal():
        raise web.HTTPBadRequest(text=f"limit must be a number, not {text}")
    return min(int(text), MAX_LIMIT)


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type=JSON)


def _error(status: HTTPStatus, error: Exception) -> web.Response:
    body = msgspec.json.encode({"code": int(status), "message": str(error)})
    return web.Response(status=status, body=body, content_type=JSON)
