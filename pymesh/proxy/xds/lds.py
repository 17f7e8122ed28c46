"""LDS: a Listener from JSON. Pure.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/listener/v3/listener.proto
https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/listener/v3/listener_components.proto
"""

from collections.abc import Iterator
from ipaddress import ip_network

from pymesh.protojson import Reader
from pymesh.proxy.downstream import http_inspector, original_dst, tls_inspector
from pymesh.proxy.downstream.filter_chain_match import (
    ANY_CONNECTION,
    DuplicateMatchError,
    FilterChainMatch,
    FilterChainTable,
    Network,
)
from pymesh.proxy.downstream.listener_config import FilterChainConfig, ListenerConfig
from pymesh.proxy.downstream.network_filter_config import (
    DecodeRouteConfig,
    GateConfig,
    NetworkFilterConfig,
    decode_network_filters,
)
from pymesh.proxy.routing.route import RouteConfiguration
from pymesh.proxy.tls.config import DOWNSTREAM_TLS_CONTEXT, DownstreamTlsConfig, decode_downstream_tls
from pymesh.proxy.xds.rds import PerFilterDecoders, decode_route_configuration
from pymesh.xds import UNIX_PREFIX, Address

_RAW_BUFFER = "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer"
_LISTENER_FILTERS = (tls_inspector.TYPE_URL, http_inspector.TYPE_URL, original_dst.TYPE_URL)
_DEFAULT_TIMEOUT = 15.0  # of Envoy's listener filters, and of its transport sockets for want of another


def decode_listener(reader: Reader, per_filter_decoders: PerFilterDecoders) -> ListenerConfig:
    """`per_filter_decoders` are for the routes of an inline RouteConfiguration. Raises DecodeError."""

    def decode_route_config(inline: Reader) -> RouteConfiguration:
        return decode_route_configuration(inline, per_filter_decoders)

    reader.ignore(
        "@type",
        "access_log",  # StreamInfo feeds the proxy's own access log
        "stat_prefix",  # statistics are named by the listener
        "per_connection_buffer_limit_bytes",  # the transports' watermarks bound each connection
        "enable_reuse_port",  # one process, one socket
        "tcp_backlog_size",
        "metadata",
    )
    hands_off = reader.boolean("use_original_dst")
    inspectors = _decode_listener_filters(reader)
    default = reader.object("default_filter_chain")
    timeout = reader.duration("listener_filters_timeout")
    config = ListenerConfig(
        name=reader.required_string("name"),
        address=_decode_address(reader),
        filter_chains=tuple(_decode_chain(chain, decode_route_config) for chain in reader.objects("filter_chains")),
        default_filter_chain=_decode_chain(default, decode_route_config) if default else None,
        is_inbound=reader.enum("traffic_direction", ("UNSPECIFIED", "INBOUND", "OUTBOUND")) == "INBOUND",
        is_bound=reader.boolean("bind_to_port", True),
        restores_destination=hands_off or original_dst.TYPE_URL in inspectors,
        hands_off=hands_off,
        inspects_tls=tls_inspector.TYPE_URL in inspectors,
        inspects_http=http_inspector.TYPE_URL in inspectors,
        no_http_ports=inspectors.get(http_inspector.TYPE_URL, ()),
        inspection_timeout=_DEFAULT_TIMEOUT if timeout is None else timeout,
        continues_on_timeout=reader.boolean("continue_on_listener_filters_timeout"),
    )
    _check_chains(reader, config)
    return config


def _decode_address(reader: Reader) -> Address:
    address = reader.required_object("address")
    pipe = address.object("pipe")
    if pipe is not None:
        return Address(UNIX_PREFIX + pipe.required_string("path"), 0)
    socket_address = address.required_object("socket_address")
    socket_address.enum("protocol", ("TCP",))
    port = socket_address.integer("port_value")
    if not 0 <= port <= 65535:
        socket_address.fail("port_value", "must be 0..65535")
    return Address(socket_address.required_string("address"), port)


def _decode_listener_filters(reader: Reader) -> dict[str, tuple[range, ...]]:
    """By type URL, at which ports each is disabled. Their order, which never differs from what it must be, is of no
    matter."""
    found = {}
    for listener_filter in reader.objects("listener_filters"):
        listener_filter.ignore("name")
        typed_config = listener_filter.any("typed_config")
        if typed_config is None:
            listener_filter.fail("typed_config", "is required")
        type_url, config = typed_config
        config.ignore("@type")
        if type_url not in _LISTENER_FILTERS:
            config.fail("@type", f"{type_url} is not a listener filter of this proxy")
        disabled = listener_filter.object("filter_disabled")
        if disabled is not None and type_url != http_inspector.TYPE_URL:
            listener_filter.fail("filter_disabled", "is for the http_inspector only")
        found[type_url] = tuple(_decode_ports(disabled)) if disabled is not None else ()
    return found


def _decode_ports(reader: Reader) -> Iterator[range]:
    """A ListenerFilterChainMatchPredicate of destination ports."""
    ports, either = reader.object("destination_port_range"), reader.object("or_match")
    if ports is not None:
        yield range(ports.integer("start"), ports.integer("end"))
    elif either is not None:
        for rule in either.objects("rules"):
            yield from _decode_ports(rule)
    else:
        reader.fail("destination_port_range", "is required, or an or_match of such")


def _decode_chain(reader: Reader, decode_route_config: DecodeRouteConfig) -> FilterChainConfig:
    reader.ignore("metadata")
    match = reader.object("filter_chain_match")
    timeout = reader.duration("transport_socket_connect_timeout")
    gates, network_filter = _decode_filters(reader, decode_route_config)
    return FilterChainConfig(
        name=reader.string("name"),
        network_filter=network_filter,
        gates=gates,
        match=_decode_match(match) if match else ANY_CONNECTION,
        tls=_decode_transport_socket(reader),
        handshake_timeout=timeout or _DEFAULT_TIMEOUT,
    )


def _decode_match(reader: Reader) -> FilterChainMatch:
    for name in reader.strings("server_names"):
        if "*" in name.removeprefix("*."):
            reader.fail("server_names", f"{name!r}: only a whole first label can be a wildcard")
    return FilterChainMatch(
        destination_port=reader.integer("destination_port"),
        prefix_ranges=tuple(_decode_range(item) for item in reader.objects("prefix_ranges")),
        server_names=reader.strings("server_names"),
        transport_protocol=reader.enum("transport_protocol", ("", "raw_buffer", "tls")),
        application_protocols=reader.strings("application_protocols"),
    )


def _decode_range(reader: Reader) -> Network:
    """envoy.config.core.v3.CidrRange; prefix_len absent is 0."""
    address, length = reader.required_string("address_prefix"), reader.integer("prefix_len")
    try:
        return ip_network(f"{address}/{length}", strict=False)
    except ValueError:
        reader.fail("address_prefix", f"{address}/{length} is not a range of IP addresses")


def _decode_filters(
    reader: Reader, decode_route_config: DecodeRouteConfig
) -> tuple[tuple[GateConfig, ...], NetworkFilterConfig]:
    gates, terminal = decode_network_filters(reader.objects("filters"), decode_route_config)
    if len(terminal) != 1:
        reader.fail("filters", "must be one terminal filter, and what goes before it")
    return gates, terminal[0]


def _decode_transport_socket(reader: Reader) -> DownstreamTlsConfig | None:
    transport_socket = reader.object("transport_socket")
    if transport_socket is None:
        return None
    transport_socket.ignore("name")
    typed_config = transport_socket.any("typed_config")
    if typed_config is None:
        transport_socket.fail("typed_config", "is required")
    type_url, config = typed_config
    if type_url == _RAW_BUFFER:
        config.ignore("@type")
        return None
    if type_url != DOWNSTREAM_TLS_CONTEXT:
        config.fail("@type", f"{type_url} is not a transport socket of this proxy")
    return decode_downstream_tls(config)


def _check_chains(reader: Reader, config: ListenerConfig) -> None:
    if not config.filter_chains and config.default_filter_chain is None:
        reader.fail("filter_chains", "is required")
    try:
        FilterChainTable([(chain.match, chain) for chain in config.filter_chains])
    except DuplicateMatchError:
        reader.fail("filter_chains", "two filter chains match the same connections")
