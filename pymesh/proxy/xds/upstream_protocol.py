"""Which HTTP a cluster is spoken to with. Pure.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/upstreams/http/v3/http_protocol_options.proto
"""

from dataclasses import replace

from pymesh.protojson import Reader
from pymesh.proxy.upstream.cluster_config import ClusterConfig
from pymesh.proxy.upstream.http2_options import DEFAULT_HTTP2, Http2Options, UpstreamProtocol

_HTTP1, _HTTP2 = "http_protocol_options", "http2_protocol_options"
_WAYS = ("explicit_http_config", "use_downstream_protocol_config")

# Fields of Http2ProtocolOptions that change nothing here, and why.
_IGNORED = (
    "initial_stream_window_size",  # ours are as small as what is kept for a client that reads slowly
    "initial_connection_window_size",
    "hpack_table_size",  # the library's own bounds hold
    "max_outbound_frames",  # what is not read is not written here, so nothing piles up
    "max_outbound_control_frames",
    "max_consecutive_inbound_frames_with_empty_payload",
    "max_inbound_priority_frames_per_stream",
    "max_inbound_window_update_frames_per_data_frame_sent",
    "stream_error_on_invalid_http_messaging",  # a server that breaks the rules loses its connection
    "override_stream_error_on_invalid_http_message",
    "allow_metadata",  # Envoy's own extension
)


def with_protocol(config: ClusterConfig, options: Reader) -> ClusterConfig:
    """Of HttpProtocolOptions, its oneof upstream_protocol_options."""
    way = options.oneof(*_WAYS)
    if way is None:
        return config
    chosen = options.required_object(way)
    if way == "use_downstream_protocol_config":
        chosen.ignore(_HTTP1)
        if (http2 := chosen.object(_HTTP2)) is None:
            return config  # Envoy: a protocol without options is not spoken
        return replace(config, protocol=UpstreamProtocol.DOWNSTREAM, http2=decode_http2_options(http2))
    # None of the options of HTTP/1.1 would change what this proxy sends.
    chosen.ignore(_HTTP1)
    if (http2 := chosen.object(_HTTP2)) is None:
        return config
    return replace(config, protocol=UpstreamProtocol.HTTP2, http2=decode_http2_options(http2))


def decode_http2_options(reader: Reader) -> Http2Options:
    reader.ignore(*_IGNORED)
    if reader.boolean("allow_connect"):
        reader.fail("allow_connect", "this proxy does not speak the extended CONNECT of RFC 8441")
    interval, timeout = _decode_keepalive(reader.object("connection_keepalive"))
    return Http2Options(
        max_concurrent_streams=_decode_positive(reader, "max_concurrent_streams", DEFAULT_HTTP2.max_concurrent_streams),
        keepalive_interval=interval,
        keepalive_timeout=timeout,
    )


def _decode_positive(reader: Reader, key: str, default: int) -> int:
    value = reader.integer(key, default)
    return value if value > 0 else reader.fail(key, "must be above 0")


def _decode_keepalive(reader: Reader | None) -> tuple[float, float]:
    if reader is None:
        return 0.0, 0.0
    reader.ignore("interval_jitter")  # connections of one process do not begin together
    if "connection_idle_interval" in reader:
        reader.fail("connection_idle_interval", "this proxy pings at regular intervals only")
    timeout = reader.duration("timeout") or reader.fail("timeout", "is required")
    return reader.duration("interval") or 0.0, timeout
