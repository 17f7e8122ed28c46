"""How a Cluster's connections are made and kept: TLS, keep-alive, HTTP options. Pure."""

from dataclasses import replace

from pymesh.durations import read_seconds
from pymesh.protojson import Reader
from pymesh.proxy.tls.config import UPSTREAM_TLS_CONTEXT, UpstreamTlsConfig, decode_upstream_tls
from pymesh.proxy.upstream.cluster_config import ClusterConfig, TcpKeepalive
from pymesh.proxy.upstream.transport_socket_matcher import TransportSocketMatch, TransportSocketsConfig
from pymesh.proxy.xds.upstream_protocol import with_protocol

_RAW_BUFFER = "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer"
_HTTP_PROTOCOL_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def decode_keepalive(reader: Reader) -> TcpKeepalive | None:
    options = reader.object("upstream_connection_options")
    keepalive = None if options is None else options.object("tcp_keepalive")
    if keepalive is None:
        return None
    return TcpKeepalive(
        keepalive.integer("keepalive_probes"),
        keepalive.integer("keepalive_time"),
        keepalive.integer("keepalive_interval"),
    )


def _decode_transport_sockets(reader: Reader) -> TransportSocketsConfig:
    matches = tuple(_decode_match(match) for match in reader.objects("transport_socket_matches"))
    socket = reader.object("transport_socket")
    return TransportSocketsConfig(None if socket is None else _decode_transport_socket(socket), matches)


def _decode_match(reader: Reader) -> TransportSocketMatch:
    # "If no match is set", an empty one, it fits every endpoint.
    socket = _decode_transport_socket(reader.required_object("transport_socket"))
    return TransportSocketMatch(reader.string("name"), reader.map("match"), socket)


def _decode_transport_socket(reader: Reader) -> UpstreamTlsConfig | None:
    reader.ignore("name")  # the type URL says it
    found = reader.any("typed_config")
    if found is None:
        return reader.fail("typed_config", "is required")
    type_url, config = found
    if type_url == _RAW_BUFFER:
        config.ignore("@type")
        return None
    if type_url != UPSTREAM_TLS_CONTEXT:
        config.fail("@type", f"{type_url} is not a transport socket of this proxy")
    return decode_upstream_tls(config)


def with_http_options(config: ClusterConfig, reader: Reader) -> ClusterConfig:
    """https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/upstreams/http/v3/http_protocol_options.proto"""
    sockets = _decode_transport_sockets(reader)
    config = replace(config, transport_sockets=sockets)
    extensions = reader.object("typed_extension_protocol_options")
    options = None if extensions is None else extensions.object(_HTTP_PROTOCOL_OPTIONS)
    if options is None:
        return config
    options.ignore("@type")
    config = with_protocol(config, options)
    if (common := options.object("common_http_protocol_options")) is not None:
        config = _with_common_options(config, common)
    if (upstream := options.object("upstream_http_protocol_options")) is not None:
        config = replace(config, transport_sockets=_with_auto_sni(sockets, upstream))
    return config


def _with_common_options(config: ClusterConfig, reader: Reader) -> ClusterConfig:
    # HttpProtocolOptions.idle_timeout: "defaults to 1 hour", 0 disables it.
    return replace(
        config,
        idle_timeout=read_seconds(reader, "idle_timeout", config.idle_timeout),
        max_connection_duration=read_seconds(reader, "max_connection_duration", 0.0),
        max_requests_per_connection=reader.integer("max_requests_per_connection"),
    )


def _with_auto_sni(sockets: TransportSocketsConfig, reader: Reader) -> TransportSocketsConfig:
    """auto_san_validation is auto_sni_san_validation of each TLS config.

    Envoy takes the SNI from each request's host; here it is the cluster's service or the endpoint's name, so that
    connections of a pool are alike.
    """
    auto_sni = reader.boolean("auto_sni")
    if reader.boolean("auto_san_validation"):
        sockets = TransportSocketsConfig(
            _with_san_validation(sockets.default),
            tuple(
                match._replace(transport_socket=_with_san_validation(match.transport_socket))
                for match in sockets.matches
            ),
        )
    return replace(sockets, auto_sni=auto_sni)


def _with_san_validation(config: UpstreamTlsConfig | None) -> UpstreamTlsConfig | None:
    return None if config is None else replace(config, auto_sni_san_validation=True)
