"""The OTLP span of a completed stream, with the tags of Envoy and Istio."""

from collections.abc import Iterator
from typing import Any

from pymesh import otlp
from pymesh.names import parse_cluster
from pymesh.proxy.telemetry.direction import INBOUND, Direction
from pymesh.proxy.telemetry.labels import format_flags
from pymesh.proxy.telemetry.resource import key_values, nanoseconds
from pymesh.proxy.telemetry.stream_info import StreamInfo
from pymesh.proxy.telemetry.workload import Workload

MAX_PATH = 256  # Envoy's default max_path_tag_length
MESH_ID = "cluster.local"


def build_span(info: StreamInfo, direction: Direction, workload: Workload, node_id: str) -> Any:
    """An otlp.Span. `workload` and `node_id` are those of the proxy that reports."""
    start = nanoseconds(info.start_time)
    return otlp.Span(
        trace_id=bytes.fromhex(info.trace_id),
        span_id=bytes.fromhex(info.span_id),
        parent_span_id=bytes.fromhex(info.parent_span_id),
        flags=1,
        name=_name(info),
        kind=otlp.SPAN_KIND_SERVER if direction is INBOUND else otlp.SPAN_KIND_CLIENT,
        start_time_unix_nano=start,
        end_time_unix_nano=start + nanoseconds(info.end - info.start),
        attributes=key_values(_tags(info, direction, workload, node_id)),
        status=otlp.Status(code=otlp.STATUS_CODE_ERROR if _is_error(info) else otlp.STATUS_CODE_UNSET),
    )


def _name(info: StreamInfo) -> str:
    """What the route's decorator says, and for tunnels, which have none, the same of the cluster."""
    if info.operation:
        return info.operation
    cluster = parse_cluster(info.upstream_cluster)
    if info.service is not None and cluster is not None:
        return f"{info.service.host}:{cluster.port}/*"
    return info.route_name or _header(info, b"host") or "unknown"


def _is_error(info: StreamInfo) -> bool:
    """No response at all is one too."""
    return info.response_code >= 500 or info.response_code == 0


def _tags(info: StreamInfo, direction: Direction, workload: Workload, node_id: str) -> Iterator[tuple[str, str]]:
    """All of them text, as Envoy sends them."""
    host = info.upstream_host
    yield "component", "proxy"
    yield "node_id", node_id
    yield "guid:x-request-id", _header(info, b"x-request-id")
    yield "http.method", info.method.decode("ascii", "replace")
    yield "http.url", _url(info)
    yield "http.protocol", info.protocol.decode("ascii", "replace")
    yield "http.status_code", str(info.response_code)
    yield "user_agent", _header(info, b"user-agent")
    yield "peer.address", _peer_address(info, direction)
    yield "request_size", str(info.bytes_received)
    yield "response_size", str(info.bytes_sent)
    yield "response_flags", format_flags(info.response_flags)
    yield "upstream_cluster", info.upstream_cluster
    yield "upstream_address", host.address if host is not None else ""
    yield "istio.canonical_service", workload.service
    yield "istio.canonical_revision", workload.revision
    yield "istio.namespace", workload.namespace
    yield "istio.cluster_id", workload.cluster
    yield "istio.mesh_id", MESH_ID
    if _is_error(info):
        yield "error", "true"


def _peer_address(info: StreamInfo, direction: Direction) -> str:
    """Of whoever is at the other end of the span: the caller, or the endpoint that was called."""
    if direction is INBOUND or info.upstream_host is None:
        return info.downstream_remote_address
    return info.upstream_host.address


def _url(info: StreamInfo) -> str:
    scheme = _header(info, b"x-forwarded-proto") or "http"
    path = info.path[:MAX_PATH].decode("utf-8", "replace")
    return f"{scheme}://{_header(info, b'host')}{path}" if path.startswith("/") else path


def _header(info: StreamInfo, name: bytes) -> str:
    value = info.request_headers.get(name) if info.request_headers is not None else None
    return value.decode("utf-8", "replace") if value else ""
