"""The span of a completed stream in Zipkin's JSON, version 2.

https://zipkin.io/zipkin-api/#/default/post_spans
"""

import json
from typing import Any

from pymesh.proxy.telemetry.direction import INBOUND, Direction
from pymesh.proxy.telemetry.span_tags import SpanTags, peer_address
from pymesh.proxy.telemetry.spans import span_name
from pymesh.proxy.telemetry.stream_info import StreamInfo
from pymesh.proxy.telemetry.workload import Workload


def build_zipkin_span(info: StreamInfo, direction: Direction, workload: Workload, tags: SpanTags) -> dict[str, Any]:
    """`workload` is that of the proxy that reports."""
    span = {
        "traceId": info.trace_id,
        "id": info.span_id,
        "name": span_name(info),
        "kind": "SERVER" if direction is INBOUND else "CLIENT",
        "timestamp": int(info.start_time * 1e6),
        "duration": max(1, round((info.end - info.start) * 1e6)),
        "localEndpoint": _endpoint(info.downstream_local_address) | {"serviceName": _service_name(workload)},
        "tags": tags.of(info, direction),
    }
    remote = _endpoint(peer_address(info, direction))
    return (
        span
        | ({"parentId": info.parent_span_id} if info.parent_span_id else {})
        | ({"remoteEndpoint": remote} if remote else {})
    )


def encode_zipkin(spans: list[dict[str, Any]]) -> bytes:
    return json.dumps(spans, separators=(",", ":")).encode()


def _service_name(workload: Workload) -> str:
    return f"{workload.service}.{workload.namespace}"


def _endpoint(address: str) -> dict[str, Any]:
    """Of `host:port`; nothing of a Unix socket."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        return {}
    host = host.strip("[]")
    return {"ipv6" if ":" in host else "ipv4": host, "port": int(port)}
