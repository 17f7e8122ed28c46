"""The one record of a stream: filled while it lives, read once when it completes. Nothing is computed here."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Protocol

from pymesh.proxy.telemetry.workload import Workload

# Envoy's dynamic metadata where no filter has said anything.
NO_METADATA: Mapping[str, Mapping[str, Any]] = MappingProxyType({})


class Headers(Protocol):
    """What telemetry asks of a head; the codec's HeaderMap is one."""

    def get(self, name: bytes) -> bytes | None: ...

    def get_joined(self, name: bytes) -> bytes | None:
        """All values of a name as one."""
        ...

    def __iter__(self) -> Iterator[bytes]: ...


class MutableHeaders(Headers, Protocol):
    """What the tracer asks of a request's head."""

    def __setitem__(self, name: bytes, value: bytes, /) -> None: ...

    def set(self, name: bytes, value: bytes) -> None: ...

    def remove(self, name: bytes) -> object: ...


class UpstreamHost(Protocol):
    """What telemetry asks of an endpoint; upstream.Endpoint is one."""

    address: str  # "127.0.0.1:8080"
    workload: Workload


class Service(Protocol):
    """The service that a cluster stands for; `host` is its FQDN."""

    name: str
    namespace: str
    host: str


class StreamInfo:
    """An HTTP request and its response, or a TCP connection. Times are time.monotonic() seconds, unless said otherwise.

    `response_flags` are Envoy's short names (`URX`, `UF`), printed in the order in which they were set; `response_code`
    is 0 while there is none, and stays 0 when the downstream left first (Envoy prints 0 with flag DC). Sizes count body
    bytes. `dynamic_metadata` is what filters have found out, by their names.
    """

    __slots__ = (
        "attempt_count",
        "bytes_received",
        "bytes_sent",
        "connection_termination_details",
        "downstream_local_address",
        "downstream_peer",
        "downstream_principal",
        "downstream_remote_address",
        "dynamic_metadata",
        "end",
        "grpc_status",
        "is_mtls",
        "method",
        "operation",
        "parent_span_id",
        "path",
        "protocol",
        "request_headers",
        "requested_server_name",
        "response_code",
        "response_code_details",
        "response_flags",
        "response_headers",
        "route_name",
        "sampled",
        "service",
        "span_id",
        "start",
        "start_time",
        "trace_id",
        "upstream_cluster",
        "upstream_host",
        "upstream_local_address",
        "upstream_principal",
        "upstream_transport_failure_reason",
    )

    def __init__(
        self,
        start: float,
        start_time: float,
        method: bytes = b"",
        path: bytes = b"",
        protocol: bytes = b"",
        request_headers: Headers | None = None,
        local_address: str = "",
        remote_address: str = "",
        server_name: str = "",
    ) -> None:
        self.start = start
        self.start_time = start_time  # seconds since the epoch
        self.end = 0.0
        # downstream
        self.downstream_local_address = local_address
        self.downstream_remote_address = remote_address
        self.downstream_peer: Workload | None = None  # the client, where mTLS vouches for it
        self.downstream_principal = ""  # its SPIFFE URI
        self.requested_server_name = server_name
        self.dynamic_metadata: Mapping[str, Mapping[str, Any]] = NO_METADATA
        self.is_mtls = False  # of the connection that the reporter stands on: downstream if inbound, else upstream
        # request
        self.method = method
        self.path = path  # normalized, before any rewrite
        self.protocol = protocol
        self.request_headers = request_headers
        self.bytes_received = 0
        # response
        self.response_code = 0
        self.response_code_details = ""
        self.response_flags: tuple[str, ...] = ()
        self.response_headers: Headers | None = None
        self.connection_termination_details = ""
        self.bytes_sent = 0
        self.grpc_status: str | None = None  # a number; empty where there is none (yet); None: it is no gRPC
        # upstream
        self.route_name = ""
        self.upstream_cluster = ""
        self.upstream_host: UpstreamHost | None = None
        self.upstream_local_address = ""
        self.upstream_principal = ""
        self.upstream_transport_failure_reason = ""
        self.service: Service | Any = None  # the destination service that the cluster says
        self.attempt_count = 0
        # trace: lower-case hex of W3C trace context; empty where nothing is traced
        self.trace_id = ""
        self.span_id = ""
        self.parent_span_id = ""
        self.sampled = False
        self.operation = ""  # what the route's decorator calls the span

    def add_flag(self, flag: str) -> None:
        """One of Envoy's short names; the empty one is none."""
        flags = self.response_flags
        if flag and flag not in flags:
            self.response_flags = (*flags, flag)

    def add_metadata(self, name: str, values: Mapping[str, Any]) -> None:
        """What the filter `name` has found out; it joins what it has said before."""
        present = self.dynamic_metadata
        self.dynamic_metadata = {**present, name: {**present.get(name, {}), **values}}
