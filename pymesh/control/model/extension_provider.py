"""Extension providers of MeshConfig: external authorizers, and receivers of traces, metrics and logs.

https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#MeshConfig-ExtensionProvider
"""

from typing import Any, Literal

import msgspec

from pymesh.control.model.messages import Message

TraceContextOption = Literal["USE_B3", "USE_B3_WITH_W3C_PROPAGATION"]


class ExtAuthzRequestBody(Message):
    max_request_bytes: int = 0
    """Bytes of the body that are sent along."""
    allow_partial_message: bool = False
    """Whether a longer body is cut instead of refused with 413."""
    pack_as_bytes: bool = False
    """Whether gRPC gets raw bytes instead of text."""


class ExtAuthzHttp(Message):
    """Asks by HTTP; 200 allows."""

    service: str = ""
    """`[namespace/]host` of the authorizer; required."""
    port: int = 0
    """Port of the authorizer; required."""
    timeout: str = ""
    """Time for its answer; default 600s."""
    path_prefix: str = ""
    """What is put before the path of the request."""
    fail_open: bool = False
    """Whether requests pass while the authorizer cannot be asked."""
    clear_route_cache: bool = False
    """Whether the route is chosen anew after the authorizer's answer."""
    status_on_error: str = ""
    """Status for requests while the authorizer cannot be asked; default 403."""
    include_headers_in_check: tuple[str, ...] = ()
    """The older name of includeRequestHeadersInCheck."""
    include_request_headers_in_check: tuple[str, ...] = ()
    """Request headers that the authorizer gets; `a*` and `*a` are patterns."""
    include_additional_headers_in_check: dict[str, str] = {}
    """Headers that the authorizer gets besides."""
    include_request_body_in_check: ExtAuthzRequestBody | None = None
    """How much of the body the authorizer gets; none where it is absent."""
    headers_to_upstream_on_allow: tuple[str, ...] = ()
    """Headers of its answer that the application gets."""
    headers_to_downstream_on_deny: tuple[str, ...] = ()
    """Headers of its refusal that the client gets."""
    headers_to_downstream_on_allow: tuple[str, ...] = ()
    """Headers of its answer that the client gets."""


class ExtAuthzGrpc(Message):
    """Asks by Envoy's gRPC service."""

    service: str = ""
    """`[namespace/]host` of the authorizer; required."""
    port: int = 0
    """Port of the authorizer; required."""
    timeout: str = ""
    """Time for its answer; default 600s."""
    fail_open: bool = False
    """Whether requests pass while the authorizer cannot be asked."""
    clear_route_cache: bool = False
    """Whether the route is chosen anew after the authorizer's answer."""
    status_on_error: str = ""
    """Status for requests while the authorizer cannot be asked; default 403."""
    include_request_body_in_check: ExtAuthzRequestBody | None = None
    """How much of the body the authorizer gets; none where it is absent."""


class NamedHeader(Message):
    name: str = ""
    """Name of the header."""
    value: str | None = None
    """Value of the header."""
    env_name: str | None = None
    """Environment variable of the proxy that has the value."""


class ZipkinProvider(Message):
    service: str = ""
    """`[namespace/]host` of Zipkin; required."""
    port: int = 0
    """Port of Zipkin; required."""
    max_tag_length: int = 0
    """Longest path in a span."""
    enable_64bit_trace_id: bool = msgspec.field(default=False, name="enable64bitTraceId")
    """Whether trace ids have 64 bits instead of 128."""
    path: str = ""
    """Path of the API; default /api/v2/spans."""
    trace_context_option: TraceContextOption = "USE_B3"
    """Which headers carry the trace."""
    timeout: str = ""
    """Time for a report; default 5s."""
    headers: tuple[NamedHeader, ...] = ()
    """Headers of each report."""


class HttpService(Message):
    path: str = ""
    """Path of the requests; required."""
    timeout: str = ""
    """Time for a request; default 3s."""
    headers: tuple[NamedHeader, ...] = ()
    """Headers of each request."""


class GrpcService(Message):
    timeout: str = ""
    """Time for a call."""
    initial_metadata: tuple[NamedHeader, ...] = ()
    """Metadata of each call."""


class ResourceDetectors(Message):
    environment: dict[str, Any] | None = None
    """The proxy's variable OTEL_RESOURCE_ATTRIBUTES."""
    dynatrace: dict[str, Any] | None = None
    """Files of Dynatrace."""


class OpenTelemetryProvider(Message):
    service: str = ""
    """`[namespace/]host` of the collector; required."""
    port: int = 0
    """Port of the collector; required."""
    max_tag_length: int = 0
    """Longest path in a span."""
    http: HttpService | None = None
    """OTLP over HTTP instead of gRPC."""
    grpc: GrpcService | None = None
    """Settings of OTLP over gRPC."""
    resource_detectors: ResourceDetectors | None = None
    """Where further attributes of the resource come from."""
    dynatrace_sampler: dict[str, Any] | None = None
    """A sampler of Dynatrace."""
    service_attribute_enrichment: str = ""
    """How service.name and its like are found."""


class PrometheusProvider(Message):
    """Nothing to set: proxies show their metrics to be scraped."""


class LogFormat(Message):
    """oneof log_format."""

    text: str | None = None
    """Text with operators, a line each."""
    labels: dict[str, Any] | None = None
    """JSON with operators as values; empty is Istio's own."""


class FileAccessLogProvider(Message):
    path: str = ""
    """File; default /dev/stdout."""
    log_format: LogFormat | None = None
    """Form of each line; Istio's where it is absent."""
    omit_empty_values: bool = False
    """Whether what has no value is left out, instead of `-`."""


class ExtensionProvider(Message):
    """oneof provider. Those from `lightstep` on are Istio's; pymesh has none of them."""

    name: str = ""
    """Name by which policies refer to it; required."""
    envoy_ext_authz_http: ExtAuthzHttp | None = None
    """An authorizer that is asked by HTTP."""
    envoy_ext_authz_grpc: ExtAuthzGrpc | None = None
    """An authorizer that is asked by gRPC."""
    zipkin: ZipkinProvider | None = None
    """Zipkin, for traces."""
    opentelemetry: OpenTelemetryProvider | None = None
    """An OpenTelemetry collector, for traces."""
    prometheus: PrometheusProvider | None = None
    """Prometheus, for metrics."""
    envoy_file_access_log: FileAccessLogProvider | None = None
    """A file, for access logs."""
    lightstep: dict[str, Any] | None = None
    """Lightstep, for traces."""
    datadog: dict[str, Any] | None = None
    """Datadog, for traces."""
    stackdriver: dict[str, Any] | None = None
    """Stackdriver, for traces, metrics and logs."""
    opencensus: dict[str, Any] | None = None
    """OpenCensus, for traces."""
    skywalking: dict[str, Any] | None = None
    """SkyWalking, for traces."""
    envoy_http_als: dict[str, Any] | None = None
    """Envoy's gRPC access log service, for HTTP."""
    envoy_tcp_als: dict[str, Any] | None = None
    """Envoy's gRPC access log service, for TCP."""
    envoy_otel_als: dict[str, Any] | None = None
    """An OpenTelemetry collector, for access logs."""
    sds: dict[str, Any] | None = None
    """A server of certificates."""
