"""`tracing` of an HTTP connection manager, decoded: how many traces, which tags, and who gets the spans.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/trace/v3/http_tracer.proto
"""

from dataclasses import dataclass

from pymesh.access_log_operators import check_text_format
from pymesh.protojson import Reader

DEFAULT_SAMPLING = 1.0  # percent, Istio's default
MAX_PATH = 256  # Envoy's default max_path_tag_length

_TRACE = "type.googleapis.com/envoy.config.trace.v3."
ZIPKIN, OPENTELEMETRY = _TRACE + "ZipkinConfig", _TRACE + "OpenTelemetryConfig"
_ENVIRONMENT_DETECTOR = (
    "type.googleapis.com/envoy.extensions.tracers.opentelemetry.resource_detectors.v3.EnvironmentResourceDetectorConfig"
)
_TAG_KINDS = ("literal", "environment", "request_header", "metadata", "value")
_TRACE_CONTEXTS = ("USE_B3", "USE_B3_WITH_W3C_PROPAGATION")
_WHOLE = 100.0


@dataclass(frozen=True, slots=True)
class CustomTag:
    """`kind` is one of Envoy's; `source` the value itself, a variable, a header, a format, or a path of metadata whose
    steps are joined by NUL."""

    name: str
    kind: str
    source: str = ""
    default: str = ""


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who takes reports of spans. `timeout` in seconds, 0 for none."""

    cluster: str
    authority: str
    path: str
    timeout: float = 0.0
    headers: tuple[tuple[str, str], ...] = ()
    is_grpc: bool = False


@dataclass(frozen=True, slots=True)
class SpanProvider:
    """`is_zipkin`: Zipkin's JSON and B3 headers, else OTLP and W3C's. `also_w3c`: these, too. `has_short_ids`: traces
    that begin here have ids of 64 bits. `reads_environment`: OTEL_RESOURCE_ATTRIBUTES has more of the resource."""

    receiver: Receiver
    is_zipkin: bool = False
    also_w3c: bool = False
    has_short_ids: bool = False
    reads_environment: bool = False


@dataclass(frozen=True, slots=True)
class TracingConfig:
    """Without a provider, the control plane gets the spans. `is_propagated`: the next hop gets the trace context."""

    custom_tags: tuple[CustomTag, ...] = ()
    max_path: int = MAX_PATH
    provider: SpanProvider | None = None
    is_propagated: bool = True


NO_TRACING = TracingConfig()  # as much as everybody has


def decode_tracing(reader: Reader) -> tuple[float, TracingConfig]:
    """Of a connection manager: the percentage of traces that are sampled, and the rest. Envoy's default is all of them;
    without `tracing`, where Envoy would not trace at all, it is Istio's. Raises DecodeError."""
    tracing = reader.object("tracing")
    if tracing is None:
        return DEFAULT_SAMPLING, NO_TRACING
    for name in ("client_sampling", "overall_sampling"):
        if tracing.percent(name) not in (None, _WHOLE):
            tracing.fail(name, "must be 100")
    percent = tracing.percent("random_sampling")
    tags = tuple(map(_decode_tag, tracing.objects("custom_tags")))
    max_path = tracing.integer("max_path_tag_length", MAX_PATH)
    is_propagated = not tracing.boolean("no_context_propagation")
    config = TracingConfig(tags, max_path, _decode_provider(tracing.object("provider")), is_propagated)
    return _WHOLE if percent is None else percent, config


def _decode_tag(reader: Reader) -> CustomTag:
    name, kind = reader.required_string("tag"), reader.oneof(*_TAG_KINDS)
    if kind is None:
        reader.fail("type", f"one of {', '.join(_TAG_KINDS)} is required")
    if kind == "value":
        return CustomTag(name, kind, _decode_format(reader))
    of = reader.required_object(kind)
    if kind == "literal":
        return CustomTag(name, kind, of.required_string("value"))
    if kind == "metadata":
        return CustomTag(name, kind, _decode_metadata(of), of.string("default_value"))
    return CustomTag(name, kind, of.required_string("name"), of.string("default_value"))


def _decode_format(reader: Reader) -> str:
    text = reader.required_string("value")
    try:
        check_text_format(text)
    except ValueError as error:
        reader.fail("value", str(error))
    return text


def _decode_metadata(reader: Reader) -> str:
    reader.required_object("kind").required_object("request")
    key = reader.required_object("metadata_key")
    return "\0".join((key.required_string("key"), *(step.required_string("key") for step in key.objects("path"))))


def _decode_provider(reader: Reader | None) -> SpanProvider | None:
    if reader is None:
        return None
    reader.ignore("name")
    type_url, config = reader.any("typed_config") or reader.fail("typed_config", "is required")
    decode = _PROVIDERS.get(type_url) or config.fail("@type", f"{type_url} is not a tracer of this proxy")
    return decode(config)


def _decode_zipkin(reader: Reader) -> SpanProvider:
    reader.ignore("@type", "collector_endpoint_version")
    if reader.boolean("shared_span_context", True):
        reader.fail("shared_span_context", "must be false")
    service = reader.object("collector_service")
    if service is not None:
        receiver = _decode_http_service(service)
    else:
        cluster = reader.required_string("collector_cluster")
        authority = reader.string("collector_hostname") or cluster
        receiver = Receiver(cluster, authority, reader.required_string("collector_endpoint"))
    also_w3c = reader.enum("trace_context_option", _TRACE_CONTEXTS) == _TRACE_CONTEXTS[1]
    return SpanProvider(receiver, True, also_w3c, not reader.boolean("trace_id_128bit"))


def _decode_opentelemetry(reader: Reader) -> SpanProvider:
    reader.ignore("@type", "service_name")
    kind = reader.oneof("http_service", "grpc_service")
    if kind is None:
        reader.fail("export", "one of http_service and grpc_service is required")
    service = reader.required_object(kind)
    receiver = _decode_http_service(service) if kind == "http_service" else _decode_grpc_service(service)
    return SpanProvider(receiver, reads_environment=_decode_detectors(reader))


def _decode_detectors(reader: Reader) -> bool:
    detectors = reader.objects("resource_detectors")
    for detector in detectors:
        detector.ignore("name")
        type_url, config = detector.any("typed_config") or detector.fail("typed_config", "is required")
        config.ignore("@type")
        if type_url != _ENVIRONMENT_DETECTOR:
            config.fail("@type", f"{type_url} is not a resource detector of this proxy")
    return bool(detectors)


def _decode_http_service(reader: Reader) -> Receiver:
    uri = reader.required_object("http_uri")
    authority, slash, path = uri.required_string("uri").partition("://")[2].partition("/")
    headers = tuple(map(_decode_header, reader.objects("request_headers_to_add")))
    return Receiver(uri.required_string("cluster"), authority, slash + path, uri.duration("timeout") or 0.0, headers)


def _decode_header(reader: Reader) -> tuple[str, str]:
    reader.ignore("append_action")
    return _decode_value(reader.required_object("header"))


def _decode_value(reader: Reader) -> tuple[str, str]:
    return reader.required_string("key").lower(), reader.string("value")


def _decode_grpc_service(reader: Reader) -> Receiver:
    server = reader.required_object("envoy_grpc")
    cluster = server.required_string("cluster_name")
    headers = tuple(map(_decode_value, reader.objects("initial_metadata")))
    path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
    authority = server.string("authority") or cluster
    return Receiver(cluster, authority, path, reader.duration("timeout") or 0.0, headers, is_grpc=True)


_PROVIDERS = {ZIPKIN: _decode_zipkin, OPENTELEMETRY: _decode_opentelemetry}
