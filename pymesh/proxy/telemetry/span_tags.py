"""The tags of a span: Envoy's, Istio's, and those of configuration. All of them are text, as Envoy sends them."""

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pymesh.proxy.telemetry.access_log_format import compile_format
from pymesh.proxy.telemetry.direction import INBOUND, Direction
from pymesh.proxy.telemetry.labels import format_flags
from pymesh.proxy.telemetry.stream_info import StreamInfo
from pymesh.proxy.telemetry.tracing_config import MAX_PATH, CustomTag
from pymesh.proxy.telemetry.workload import Workload

MESH_ID = "cluster.local"
_RBAC = "envoy.filters.http.rbac"

Read = Callable[[StreamInfo], str]


class SpanTags:
    """Of the spans of one proxy. A custom tag takes the place of another of its name; without a value it is absent."""

    def __init__(
        self, workload: Workload, node_id: str, custom_tags: tuple[CustomTag, ...] = (), max_path: int = MAX_PATH
    ) -> None:
        self._workload = workload
        self._node_id = node_id
        self._custom = tuple((tag.name, _reader(tag)) for tag in custom_tags)
        self._max_path = max_path

    def of(self, info: StreamInfo, direction: Direction) -> dict[str, str]:
        tags = dict(self._standard(info, direction))
        for name, read in self._custom:
            value = read(info)
            if value:
                tags[name] = value
            else:
                tags.pop(name, None)
        return tags

    def _standard(self, info: StreamInfo, direction: Direction) -> Iterator[tuple[str, str]]:
        host = info.upstream_host
        yield "component", "proxy"
        yield "node_id", self._node_id
        yield "guid:x-request-id", header(info, b"x-request-id")
        yield "http.method", info.method.decode("ascii", "replace")
        yield "http.url", self._url(info)
        yield "http.protocol", info.protocol.decode("ascii", "replace")
        yield "http.status_code", str(info.response_code)
        yield "user_agent", header(info, b"user-agent")
        yield "peer.address", peer_address(info, direction)
        yield "request_size", str(info.bytes_received)
        yield "response_size", str(info.bytes_sent)
        yield "response_flags", format_flags(info.response_flags)
        yield "upstream_cluster", info.upstream_cluster
        yield "upstream_address", host.address if host is not None else ""
        yield "istio.canonical_service", self._workload.service
        yield "istio.canonical_revision", self._workload.revision
        yield "istio.namespace", self._workload.namespace
        yield "istio.cluster_id", self._workload.cluster
        yield "istio.mesh_id", MESH_ID
        yield from _dry_run_tags(info)
        if is_error(info):
            yield "error", "true"

    def _url(self, info: StreamInfo) -> str:
        scheme = header(info, b"x-forwarded-proto") or "http"
        path = info.path[: self._max_path].decode("utf-8", "replace")
        return f"{scheme}://{header(info, b'host')}{path}" if path.startswith("/") else path


def _dry_run_tags(info: StreamInfo) -> Iterator[tuple[str, str]]:
    """What policies that are only tried would have done: Istio's optionalPolicyTags."""
    found = info.dynamic_metadata.get(_RBAC)
    for kind in ("allow", "deny") if found is not None else ():
        for tag, key in (("name", "effective_policy_id"), ("result", "engine_result")):
            value = _find(found, [f"istio_dry_run_{kind}_shadow_{key}"])
            if value:
                yield f"istio.authorization.dry_run.{kind}_policy.{tag}", value


def is_error(info: StreamInfo) -> bool:
    """No response at all is one too."""
    return info.response_code >= 500 or info.response_code == 0


def peer_address(info: StreamInfo, direction: Direction) -> str:
    """Of whoever is at the other end of the span: the caller, or the endpoint that was called."""
    if direction is INBOUND or info.upstream_host is None:
        return info.downstream_remote_address
    return info.upstream_host.address


def header(info: StreamInfo, name: bytes) -> str:
    value = info.request_headers.get(name) if info.request_headers is not None else None
    return value.decode("utf-8", "replace") if value else ""


def _reader(tag: CustomTag) -> Read:
    if tag.kind == "request_header":
        name = tag.source.lower().encode()
        return lambda info: header(info, name) or tag.default
    if tag.kind == "metadata":
        key, *path = tag.source.split("\0")
        return lambda info: _find(info.dynamic_metadata.get(key), path) or tag.default
    if tag.kind == "value":
        return compile_format(tag.source, omits_empty_values=True)
    value = tag.source if tag.kind == "literal" else os.environ.get(tag.source, tag.default)
    return lambda info: value


def _find(value: Any, path: list[str]) -> str:
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return str(value) if isinstance(value, str | int | float) else ""
