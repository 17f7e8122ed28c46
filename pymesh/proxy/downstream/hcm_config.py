"""The configuration of an HTTP connection manager and how it is decoded.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import Any

from pymesh.durations import read_seconds
from pymesh.protojson import Reader
from pymesh.proxy.http_filters import router
from pymesh.proxy.http_filters.factories import FACTORY_BY_TYPE_URL
from pymesh.proxy.http_filters.filter import HttpFilterFactory
from pymesh.proxy.routing.route import RouteConfiguration
from pymesh.proxy.telemetry import stats_config
from pymesh.proxy.telemetry.access_log_config import AccessLogConfig, decode_access_logs
from pymesh.proxy.telemetry.stats_config import StatsConfig, decode_stats
from pymesh.proxy.telemetry.tracing_config import DEFAULT_SAMPLING, NO_TRACING, TracingConfig, decode_tracing

TYPE_URL = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"

OVERWRITE, APPEND_IF_ABSENT, PASS_THROUGH = SERVER_HEADER_TRANSFORMATIONS = (
    "OVERWRITE",
    "APPEND_IF_ABSENT",
    "PASS_THROUGH",
)
SANITIZE, FORWARD_ONLY, APPEND_FORWARD, SANITIZE_SET, ALWAYS_FORWARD_ONLY = FORWARD_CLIENT_CERT_DETAILS = (
    "SANITIZE",
    "FORWARD_ONLY",
    "APPEND_FORWARD",
    "SANITIZE_SET",
    "ALWAYS_FORWARD_ONLY",
)
KEEP_ESCAPED_SLASHES, REJECT_ESCAPED_SLASHES, UNESCAPE_AND_FORWARD = (
    "KEEP_UNCHANGED",
    "REJECT_REQUEST",
    "UNESCAPE_AND_FORWARD",
)
_ESCAPED_SLASHES = (
    "IMPLEMENTATION_SPECIFIC_DEFAULT",
    KEEP_ESCAPED_SLASHES,
    REJECT_ESCAPED_SLASHES,
    "UNESCAPE_AND_REDIRECT",
    UNESCAPE_AND_FORWARD,
)

UUID_REQUEST_ID = "type.googleapis.com/envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig"

AUTO, HTTP1, HTTP2 = CODEC_TYPES = ("AUTO", "HTTP1", "HTTP2")

# What this proxy does elsewhere (statistics are the proxy's, not the listener's) or what makes no difference.
_IGNORED = (
    "@type",
    "access_log_options",
    "http2_protocol_options",
    "local_reply_config",
    "proxy_status_config",
    "stream_error_on_invalid_http_message",
    "add_user_agent",
    "generate_request_id_mode",
)


@dataclass(frozen=True, slots=True)
class HttpFilterConfig:
    """One entry of the filter chain; `config` is what the factory's `decode` returned."""

    name: str
    factory: HttpFilterFactory
    config: Any


@dataclass(frozen=True, slots=True)
class ClientCertDetails:
    """Which parts of the peer's certificate x-forwarded-client-cert carries besides By and Hash."""

    subject: bool = False
    uri: bool = False
    dns: bool = False
    cert: bool = False


@dataclass(frozen=True, slots=True)
class HttpConnectionManagerConfig:
    """Times are seconds; 0 disables a timeout. Either `route_config_name` (RDS) or `route_config` is set.

    `upgrades` are lower-case types; the router is the last of `http_filters`; `random_sampling` is the percentage of
    the traces beginning here whose spans are sent. `internal_networks` (`10.0.0.0/8`) are those whose clients may tell
    the router by x-envoy-* headers what to do.
    """

    stat_prefix: str = ""
    codec_type: str = AUTO
    route_config_name: str = ""
    route_config: RouteConfiguration | None = None
    http_filters: tuple[HttpFilterConfig, ...] = ()
    random_sampling: float = DEFAULT_SAMPLING
    tracing: TracingConfig = NO_TRACING
    samples_by_request_id: bool = False
    access_logs: tuple[AccessLogConfig, ...] = ()
    stats: StatsConfig | None = None
    # heads
    server_name: str = "envoy"
    server_header_transformation: str = OVERWRITE
    use_remote_address: bool = False
    internal_networks: tuple[str, ...] = ()
    xff_num_trusted_hops: int = 0
    skip_xff_append: bool = False
    generate_request_id: bool = True
    preserve_external_request_id: bool = False
    always_set_request_id_in_response: bool = False
    forward_client_cert_details: str = SANITIZE
    set_current_client_cert_details: ClientCertDetails = ClientCertDetails()
    normalize_path: bool = False
    merge_slashes: bool = False
    path_with_escaped_slashes_action: str = KEEP_ESCAPED_SLASHES
    accept_http_10: bool = False
    default_host_for_http_10: str = ""
    proxy_100_continue: bool = False
    upgrades: frozenset[str] = frozenset()
    # limits
    idle_timeout: float = 3600.0
    stream_idle_timeout: float = 300.0
    request_timeout: float = 0.0
    request_headers_timeout: float = 0.0
    max_connection_duration: float = 0.0
    max_stream_duration: float = 0.0
    max_requests_per_connection: int = 0
    delayed_close_timeout: float = 1.0


def decode_http_connection_manager(
    reader: Reader, decode_route_config: Callable[[Reader], RouteConfiguration]
) -> HttpConnectionManagerConfig:
    """`decode_route_config` decodes an inline RouteConfiguration. Raises DecodeError."""
    reader.ignore(*_IGNORED)
    internal_networks = _decode_internal_networks(reader)
    name, inline = _decode_routes(reader, decode_route_config)
    common = reader.object("common_http_protocol_options") or Reader({})
    http_1 = reader.object("http_protocol_options") or Reader({})
    filters = reader.objects("http_filters")
    sampling, tracing = decode_tracing(reader)
    http_1.ignore("header_key_format", "enable_trailers", "allow_absolute_url")
    return HttpConnectionManagerConfig(
        stat_prefix=reader.string("stat_prefix"),
        codec_type=reader.enum("codec_type", CODEC_TYPES),
        route_config_name=name,
        route_config=inline,
        http_filters=_decode_http_filters(filters, reader, obeys_requests=bool(internal_networks)),
        stats=_decode_stats(filters),
        random_sampling=sampling,
        tracing=tracing,
        samples_by_request_id=_decode_request_id_extension(reader),
        access_logs=decode_access_logs(reader),
        server_name=reader.string("server_name") or "envoy",
        server_header_transformation=reader.enum("server_header_transformation", SERVER_HEADER_TRANSFORMATIONS),
        use_remote_address=reader.boolean("use_remote_address"),
        internal_networks=internal_networks,
        xff_num_trusted_hops=reader.integer("xff_num_trusted_hops"),
        skip_xff_append=reader.boolean("skip_xff_append"),
        generate_request_id=reader.boolean("generate_request_id", True),
        preserve_external_request_id=reader.boolean("preserve_external_request_id"),
        always_set_request_id_in_response=reader.boolean("always_set_request_id_in_response"),
        forward_client_cert_details=reader.enum("forward_client_cert_details", FORWARD_CLIENT_CERT_DETAILS),
        set_current_client_cert_details=_decode_client_cert_details(reader),
        normalize_path=reader.boolean("normalize_path"),
        merge_slashes=reader.boolean("merge_slashes"),
        path_with_escaped_slashes_action=_decode_escaped_slashes(reader),
        accept_http_10=http_1.boolean("accept_http_10"),
        default_host_for_http_10=http_1.string("default_host_for_http_10"),
        proxy_100_continue=reader.boolean("proxy_100_continue"),
        upgrades=_decode_upgrades(reader),
        idle_timeout=read_seconds(common, "idle_timeout", 3600.0),
        stream_idle_timeout=read_seconds(reader, "stream_idle_timeout", 300.0),
        request_timeout=read_seconds(reader, "request_timeout", 0.0),
        request_headers_timeout=read_seconds(reader, "request_headers_timeout", 0.0),
        max_connection_duration=read_seconds(common, "max_connection_duration", 0.0),
        max_stream_duration=read_seconds(common, "max_stream_duration", 0.0),
        max_requests_per_connection=common.integer("max_requests_per_connection"),
        delayed_close_timeout=read_seconds(reader, "delayed_close_timeout", 1.0),
    )


def _decode_routes(
    reader: Reader, decode_route_config: Callable[[Reader], RouteConfiguration]
) -> tuple[str, RouteConfiguration | None]:
    if reader.oneof("rds", "route_config") is None:
        reader.fail("route_specifier", "rds or route_config is required")
    rds = reader.object("rds")
    if rds is not None:
        rds.map("config_source")  # everything comes through our own poll
        return rds.required_string("route_config_name"), None
    return "", decode_route_config(reader.required_object("route_config"))


def _decode_stats(filters: list[Reader]) -> StatsConfig | None:
    """Of the filter istio.stats, which does nothing to a request."""
    for item in filters:
        if item.string("name") == stats_config.FILTER_NAME:
            item.ignore("is_optional")
            type_url, config = item.any("typed_config") or item.fail("typed_config", "is required")
            if type_url != stats_config.TYPE_URL:
                config.fail("@type", f"{type_url} is not known to {stats_config.FILTER_NAME}")
            return decode_stats(config)
    return None


def _decode_http_filters(items: list[Reader], reader: Reader, obeys_requests: bool) -> tuple[HttpFilterConfig, ...]:
    names = (item.string("name") for item in items)
    of_requests = (item for item, name in zip(items, names, strict=True) if name != stats_config.FILTER_NAME)
    filters = tuple(_decode_http_filter(item) for item in of_requests)
    if not filters or filters[-1].factory is not router.FACTORY:
        reader.fail("http_filters", "the last filter must be the router")
    *others, last = filters
    return (*others, replace(last, config=replace(last.config, obeys_requests=obeys_requests)))


def _decode_request_id_extension(reader: Reader) -> bool:
    """Whether request ids decide on traces. Without the extension, where Envoy's do, they do not here."""
    extension = reader.object("request_id_extension")
    if extension is None:
        return False
    type_url, config = extension.any("typed_config") or extension.fail("typed_config", "is required")
    if type_url != UUID_REQUEST_ID:
        config.fail("@type", f"{type_url} is not a request id extension of this proxy")
    config.ignore("@type", "pack_trace_reason")
    return config.boolean("use_request_id_for_trace_sampling", True)


def _decode_internal_networks(reader: Reader) -> tuple[str, ...]:
    """Envoy: without this, no address is internal."""
    config = reader.object("internal_address_config")
    if config is None:
        return ()
    config.ignore("unix_sockets")  # nobody comes by one
    return tuple(map(_decode_network, config.objects("cidr_ranges")))


def _decode_network(reader: Reader) -> str:
    text = f"{reader.required_string('address_prefix')}/{reader.integer('prefix_len')}"
    try:
        return str(ip_network(text, strict=False))
    except ValueError as error:
        reader.fail("address_prefix", str(error))


def _decode_http_filter(reader: Reader) -> HttpFilterConfig:
    name = reader.required_string("name")
    typed_config = reader.any("typed_config")
    if typed_config is None:
        reader.fail("typed_config", "is required")
    type_url, config = typed_config
    factory = FACTORY_BY_TYPE_URL.get(type_url) or config.fail("@type", f"{type_url} is not a filter of this proxy")
    return HttpFilterConfig(name, factory, factory.decode(config))


def _decode_client_cert_details(reader: Reader) -> ClientCertDetails:
    details = reader.object("set_current_client_cert_details")
    if details is None:
        return ClientCertDetails()
    return ClientCertDetails(
        details.boolean("subject"), details.boolean("uri"), details.boolean("dns"), details.boolean("cert")
    )


def _decode_escaped_slashes(reader: Reader) -> str:
    action = reader.enum("path_with_escaped_slashes_action", _ESCAPED_SLASHES)
    if action == "UNESCAPE_AND_REDIRECT":
        reader.fail("path_with_escaped_slashes_action", "UNESCAPE_AND_REDIRECT is not supported")
    return KEEP_ESCAPED_SLASHES if action == _ESCAPED_SLASHES[0] else action


def _decode_upgrades(reader: Reader) -> frozenset[str]:
    upgrades = set()
    for upgrade in reader.objects("upgrade_configs"):
        name = upgrade.required_string("upgrade_type").lower()
        if upgrade.boolean("enabled", True):
            upgrades.add(name)
    return frozenset(upgrades)
