"""Cluster.health_checks -> HealthCheckConfig. Pure.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/core/v3/health_check.proto
"""

import re
from dataclasses import replace

from pymesh.durations import read_positive_seconds, read_seconds
from pymesh.protojson import Reader
from pymesh.proxy.matchers.string_matcher import decode_string_matcher
from pymesh.proxy.routing.header_mutations import decode_header_change, merge_changes
from pymesh.proxy.upstream.health_check import HealthCheckConfig, HttpCheck, StatusRange, TcpCheck

_CHECKERS = ("http_health_check", "tcp_health_check", "grpc_health_check", "custom_health_check")
_METHODS = ("METHOD_UNSPECIFIED", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH")
_WITHOUT_BODY = ("GET", "HEAD", "DELETE", "TRACE")
# RFC 9112 3.2: what a target may consist of; anything else would be another request.
_BAD_PATH = re.compile(r"[^!-~]")
_BAD_VALUE = re.compile(r"[\r\n\0]")


def decode_health_checks(reader: Reader) -> HealthCheckConfig | None:
    checks = reader.objects("health_checks")
    if len(checks) > 1:
        reader.fail("health_checks", "this proxy makes one kind of check for a cluster")
    return _decode_health_check(checks[0]) if checks else None


def _decode_health_check(reader: Reader) -> HealthCheckConfig:
    default = HealthCheckConfig(TcpCheck(), 1.0, 1.0, 1, 1)
    interval = read_positive_seconds(reader, "interval", 0.0)
    unhealthy_interval = read_positive_seconds(reader, "unhealthy_interval", interval)
    no_traffic = read_positive_seconds(reader, "no_traffic_interval", default.no_traffic_interval)
    config = replace(
        default,
        check=_decode_checker(reader),
        timeout=read_positive_seconds(reader, "timeout", 0.0),
        interval=interval,
        unhealthy_threshold=_threshold(reader, "unhealthy_threshold"),
        healthy_threshold=_threshold(reader, "healthy_threshold"),
        unhealthy_interval=unhealthy_interval,
        unhealthy_edge_interval=read_positive_seconds(reader, "unhealthy_edge_interval", unhealthy_interval),
        healthy_edge_interval=read_positive_seconds(reader, "healthy_edge_interval", interval),
        no_traffic_interval=no_traffic,
        no_traffic_healthy_interval=read_positive_seconds(reader, "no_traffic_healthy_interval", no_traffic),
    )
    return _with_jitter_and_log(config, reader)


def _with_jitter_and_log(config: HealthCheckConfig, reader: Reader) -> HealthCheckConfig:
    percent = reader.integer("interval_jitter_percent")
    if percent < 0:
        reader.fail("interval_jitter_percent", "must not be negative")
    return replace(
        config,
        initial_jitter=read_seconds(reader, "initial_jitter", 0.0),
        interval_jitter=read_seconds(reader, "interval_jitter", 0.0),
        interval_jitter_percent=percent,
        reuse_connection=reader.boolean("reuse_connection", True),
        event_log_path=reader.string("event_log_path"),
        always_log_failures=reader.boolean("always_log_health_check_failures"),
        always_log_success=reader.boolean("always_log_health_check_success"),
    )


def _threshold(reader: Reader, key: str) -> int:
    value = reader.integer(key)
    return value if value > 0 else reader.fail(key, "must be 1 or more")


def _decode_checker(reader: Reader) -> HttpCheck | TcpCheck:
    kind = reader.oneof(*_CHECKERS)
    if kind == "http_health_check":
        return _decode_http(reader.required_object(kind))
    if kind == "tcp_health_check":
        tcp = reader.required_object(kind)
        return TcpCheck(_payload(tcp.object("send")), tuple(map(_payload, tcp.objects("receive"))))
    return reader.fail(kind or "health_checker", "one of http_health_check and tcp_health_check is required")


def _decode_http(reader: Reader) -> HttpCheck:
    reader.enum("codec_client_type", ("HTTP1",))
    method = reader.enum("method", _METHODS)
    method = "GET" if method == "METHOD_UNSPECIFIED" else method
    send = _payload(reader.object("send"))
    if send and method in _WITHOUT_BODY:
        reader.fail("send", f"a {method} has no body")
    name = reader.object("service_name_matcher")
    check = HttpCheck(
        path=_text(reader, "path", _BAD_PATH) or reader.fail("path", "is required"),
        host=_text(reader, "host", _BAD_VALUE),
        method=method,
        send=send,
        receive=tuple(map(_payload, reader.objects("receive"))),
        response_buffer_size=reader.integer("response_buffer_size", 1024),
        request_headers=merge_changes([decode_header_change(reader, "request")]),
        expected_statuses=_ranges(reader, "expected_statuses") or ((200, 201),),
        retriable_statuses=_ranges(reader, "retriable_statuses"),
        service_name=None if name is None else decode_string_matcher(name),
    )
    if 0 < check.response_buffer_size < sum(map(len, check.receive)):
        reader.fail("response_buffer_size", "is too small for what is expected")
    return check


def _text(reader: Reader, key: str, bad: re.Pattern[str]) -> str:
    value = reader.string(key)
    return value if not bad.search(value) else reader.fail(key, "has a character that it cannot have")


def _ranges(reader: Reader, key: str) -> tuple[StatusRange, ...]:
    return tuple(_range(item) for item in reader.objects(key))


def _range(reader: Reader) -> StatusRange:
    first, end = reader.integer("start"), reader.integer("end")
    # "Only statuses in the range [100, 600) are allowed."
    return (first, end) if 100 <= first < end <= 600 else reader.fail("start", "must be 100 <= start < end <= 600")


def _payload(reader: Reader | None) -> bytes:
    """Hexadecimal text; `binary` is what Envoy does not implement either."""
    if reader is None:
        return b""
    try:
        return bytes.fromhex(reader.required_string("text"))
    except ValueError:
        return reader.fail("text", "is not hexadecimal")
