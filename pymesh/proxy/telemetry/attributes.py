"""Envoy's attributes, read from a StreamInfo for the expressions that name them. What is absent has no value.

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/advanced/attributes
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from pymesh.cel import ATTRIBUTES, Attribute, Attributes, Token, compile_expression, read_attributes, tokens
from pymesh.proxy.telemetry.stream_info import Headers, StreamInfo
from pymesh.proxy.telemetry.workload import UNKNOWN_WORKLOAD, Workload

Read = Callable[[StreamInfo], Any]

# The bits of Envoy's CoreResponseFlag, from the lowest.
_FLAGS = (
    *("LH", "UH", "UT", "LR", "UR", "UF", "UC", "UO", "NR", "DI", "FI", "RL", "UAEX", "RLSE", "DC", "URX", "SI", "IH"),
    *("DPE", "UMSDR", "RFCF", "NFCF", "DT", "UPE", "NC", "OM", "DF", "DO"),
)
_BIT = {flag: 1 << place for place, flag in enumerate(_FLAGS)}
_FIELD_OVERHEAD = 4  # `: ` and the line's end


def compile_value(text: str, attributes: Attributes = ATTRIBUTES) -> Read:
    """What an expression says of a stream; None where it cannot be told. Raises ValueError."""
    evaluate, activate = compile_expression(text, attributes), _compile_activation(text, attributes)
    return lambda info: evaluate(activate(info))


def compile_predicate(text: str) -> Callable[[StreamInfo], bool]:
    """As Envoy's access log filter: what is not true, or cannot be told, is false. Raises ValueError."""
    value = compile_value(text)
    return lambda info: value(info) is True


def _compile_activation(text: str, attributes: Attributes) -> Callable[[StreamInfo], dict[str, Any]]:
    """The values of the attributes that the expression names, and of no others."""
    readers = [(root, name, _reader(root, name, text)) for root, name in _named(text, attributes)]
    roots = {root for root, _, _ in readers}

    def activate(info: StreamInfo) -> dict[str, Any]:
        values: dict[str, dict[str, Any]] = {root: {} for root in roots}
        for root, name, read in readers:
            value = read(info)
            if value is not None:
                values[root][name] = value
        return values

    return activate


def _named(text: str, attributes: Attributes) -> set[Attribute]:
    found = read_attributes(text, attributes)
    return {Attribute(root, each) for root, name in found for each in ((name,) if name else attributes[root])}


def _reader(root: str, name: str, text: str) -> Read:
    if name == "headers":
        fields = _REQUEST_FIELDS if root == "request" else _RESPONSE_FIELDS
        return partial(fields.some, _header_names(text)) if _has_literal_names(text) else fields.all
    if root in ("downstream_peer", "upstream_peer"):
        peer = _READERS["filter_state"][root]
        return lambda info: (peer(info) or {}).get(name)
    return _READERS[root][name]


def _has_literal_names(text: str) -> bool:
    """Whether no name of a header is worked out: each is written in the expression."""
    found = [*tokens(text), Token(None, ""), Token(None, ""), Token(None, "")]
    places = [place for place, token in enumerate(found) if token.text == "headers" and found[place + 1].text == "["]
    return all(found[place + 2].kind == "string" and found[place + 3].text == "]" for place in places)


def _header_names(text: str) -> tuple[tuple[str, bytes], ...]:
    """All that may be one, as it is written; names of headers have no case."""
    names = {token.text for token in tokens(text) if token.kind in ("string", "name")}
    return tuple((name, name.lower().encode()) for name in sorted(names))


class _Fields(NamedTuple):
    """`headers` of a request or a response: its map, and what Envoy keeps there besides under names with a colon."""

    read: Callable[[StreamInfo], Headers | None]
    pseudo: dict[bytes, Read]

    def some(self, names: tuple[tuple[str, bytes], ...], info: StreamInfo) -> dict[str, str]:
        headers, found = self.read(info), {}
        for name, key in names if headers is not None else ():
            value = self.pseudo[key](info) if key in self.pseudo else _field(headers, key)
            if value is not None:
                found[name] = value
        return found

    def all(self, info: StreamInfo) -> dict[str, str]:
        names = (*(self.read(info) or ()), *self.pseudo)
        return self.some(tuple((name.decode("latin-1"), name) for name in names), info)


def _field(headers: Headers | None, name: bytes) -> str | None:
    """All values of a name, as Envoy joins them."""
    value = headers.get_joined(name) if headers is not None else None
    return _text(value)


def _text(value: bytes | None) -> str | None:
    return value.decode("utf-8", "replace") if value is not None else None


def _of_request(name: bytes) -> Read:
    return lambda info: _field(info.request_headers, name)


def _path(info: StreamInfo) -> str | None:
    return _text(info.path) if info.request_headers is not None else None


def _url_path(info: StreamInfo) -> str | None:
    path = _path(info)
    return path.partition("?")[0] if path is not None else None


def _query(info: StreamInfo) -> str | None:
    path = _path(info)
    return path.partition("?")[2].partition("#")[0] if path is not None else None


def _method(info: StreamInfo) -> str | None:
    return _text(info.method) if info.request_headers is not None else None


def _scheme(info: StreamInfo) -> str | None:
    if info.request_headers is None:
        return None
    return _field(info.request_headers, b"x-forwarded-proto") or "http"


def _request_size(info: StreamInfo) -> int | None:
    """As Envoy: what the client announced comes first."""
    length = _field(info.request_headers, b"content-length")
    if length is None:
        return info.bytes_received
    return int(length) if length.isascii() and length.isdecimal() else None


def _headers_bytes(headers: Headers | None) -> int:
    return sum(len(name) + len(headers.get_joined(name) or b"") + _FIELD_OVERHEAD for name in headers) if headers else 0


def _duration(info: StreamInfo) -> Duration | None:
    if not info.end:
        return None
    duration = Duration()
    duration.FromNanoseconds(round((info.end - info.start) * 1e9))
    return duration


def _time(info: StreamInfo) -> Timestamp:
    time = Timestamp()
    time.FromNanoseconds(int(info.start_time * 1e9))
    return time


def _grpc_status(info: StreamInfo) -> int | None:
    if info.grpc_status:  # it may have come in the trailers
        return int(info.grpc_status)
    status = _field(info.response_headers, b"grpc-status")
    return int(status) if status is not None and status.isascii() and status.isdecimal() else None


def _address_of_host(info: StreamInfo) -> str | None:
    return info.upstream_host.address if info.upstream_host is not None else None


def _port(address: str | None) -> int | None:
    port = (address or "").rpartition(":")[2]
    return int(port) if port.isascii() and port.isdecimal() else None


def _peer(workload: Workload | None) -> dict[str, str] | None:
    """Fields of Istio's WorkloadMetadataObject; those that nobody knows are absent."""
    if workload is None or workload == UNKNOWN_WORKLOAD:
        return None
    fields = {
        "workload": workload.name,
        "namespace": workload.namespace,
        "service": workload.service,
        "revision": workload.revision,
        "app": workload.service,
        "version": workload.revision,
        "cluster": workload.cluster,
    }
    return {name: value for name, value in fields.items() if value != "unknown"}


def _metadata(info: StreamInfo) -> dict[str, dict[str, Any]]:
    return {name: dict(values) for name, values in info.dynamic_metadata.items()}


_REQUEST_FIELDS = _Fields(
    lambda info: info.request_headers,
    {b":path": _path, b":method": _method, b":scheme": _scheme, b":authority": _of_request(b"host")},
)
_RESPONSE_FIELDS = _Fields(
    lambda info: info.response_headers,
    {b":status": lambda info: str(info.response_code) if info.response_code else None},
)

_READERS: dict[str, dict[str, Read]] = {
    "request": {
        "duration": _duration,
        "headers_bytes": lambda info: _headers_bytes(info.request_headers),
        "host": _of_request(b"host"),
        "id": _of_request(b"x-request-id"),
        "method": _method,
        "path": _path,
        "protocol": lambda info: _text(info.protocol) or None,
        "query": _query,
        "referer": _of_request(b"referer"),
        "scheme": _scheme,
        "size": _request_size,
        "time": _time,
        "total_size": lambda info: info.bytes_received + _headers_bytes(info.request_headers),
        "url_path": _url_path,
        "useragent": _of_request(b"user-agent"),
    },
    "response": {
        "code": lambda info: info.response_code or None,
        "code_details": lambda info: info.response_code_details or None,
        "flags": lambda info: sum(_BIT.get(flag, 0) for flag in info.response_flags),
        "grpc_status": _grpc_status,
        "headers_bytes": lambda info: _headers_bytes(info.response_headers),
        "size": lambda info: info.bytes_sent,
        "total_size": lambda info: info.bytes_sent + _headers_bytes(info.response_headers),
    },
    "connection": {
        "mtls": lambda info: bool(info.downstream_principal),
        "requested_server_name": lambda info: info.requested_server_name,
        "termination_details": lambda info: info.connection_termination_details or None,
        "uri_san_peer_certificate": lambda info: info.downstream_principal or None,
    },
    "source": {
        "address": lambda info: info.downstream_remote_address or None,
        "port": lambda info: _port(info.downstream_remote_address),
    },
    "destination": {
        "address": lambda info: info.downstream_local_address or None,
        "port": lambda info: _port(info.downstream_local_address),
    },
    "upstream": {
        "address": _address_of_host,
        "local_address": lambda info: info.upstream_local_address or None,
        "port": lambda info: _port(_address_of_host(info)),
        "request_attempt_count": lambda info: info.attempt_count,
        "transport_failure_reason": lambda info: info.upstream_transport_failure_reason,
        "uri_san_peer_certificate": lambda info: info.upstream_principal or None,
    },
    "xds": {
        "cluster_name": lambda info: info.upstream_cluster or None,
        "route_name": lambda info: info.route_name or None,
    },
    "metadata": {"filter_metadata": _metadata},
    "filter_state": {
        "downstream_peer": lambda info: _peer(info.downstream_peer),
        "upstream_peer": lambda info: _peer(info.upstream_host.workload if info.upstream_host is not None else None),
    },
}
