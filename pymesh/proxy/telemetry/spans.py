"""The OTLP span of a completed stream."""

from typing import Any

from pymesh import otlp
from pymesh.names import parse_cluster
from pymesh.proxy.telemetry.direction import INBOUND, Direction
from pymesh.proxy.telemetry.resource import key_values, nanoseconds
from pymesh.proxy.telemetry.span_tags import SpanTags, header, is_error
from pymesh.proxy.telemetry.stream_info import StreamInfo


def build_span(info: StreamInfo, direction: Direction, tags: SpanTags) -> Any:
    """An otlp.Span."""
    start = nanoseconds(info.start_time)
    return otlp.Span(
        trace_id=bytes.fromhex(info.trace_id),
        span_id=bytes.fromhex(info.span_id),
        parent_span_id=bytes.fromhex(info.parent_span_id),
        flags=1,
        name=span_name(info),
        kind=otlp.SPAN_KIND_SERVER if direction is INBOUND else otlp.SPAN_KIND_CLIENT,
        start_time_unix_nano=start,
        end_time_unix_nano=start + nanoseconds(info.end - info.start),
        attributes=key_values(tags.of(info, direction).items()),
        status=otlp.Status(code=otlp.STATUS_CODE_ERROR if is_error(info) else otlp.STATUS_CODE_UNSET),
    )


def span_name(info: StreamInfo) -> str:
    """What the route's decorator says, and for tunnels, which have none, the same of the cluster."""
    if info.operation:
        return info.operation
    cluster = parse_cluster(info.upstream_cluster)
    if info.service is not None and cluster is not None:
        return f"{info.service.host}:{cluster.port}/*"
    return info.route_name or header(info, b"host") or "unknown"
