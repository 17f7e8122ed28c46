"""What a DestinationRule's connectionPool makes of a cluster: limits, timeouts, keep-alive."""

from typing import Any

from pymesh.control.model.destination_rule import (
    ConnectionPoolSettings,
    HTTPSettings,
    RetryBudget,
    TcpKeepalive,
    TCPSettings,
)
from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.translate.config_source import duration
from pymesh.control.translate.type_urls import HTTP_PROTOCOL_OPTIONS, HTTP_PROTOCOL_OPTIONS_KEY
from pymesh.protojson import parse_go_duration

_UNLIMITED = 4294967295
_BUDGET_PERCENT = 20.0
_MINIMUM_CONCURRENCY = 3
_NO_TCP = TCPSettings()
_NO_HTTP = HTTPSettings()
_NO_KEEPALIVE = TcpKeepalive()


def build_connection_pool(
    settings: ConnectionPoolSettings | None, mesh: MeshConfig, retry_budget: RetryBudget | None = None
) -> dict[str, Any]:
    """The fields of a cluster. Without settings: Istio's defaults, which are no limits and ten seconds to connect."""
    tcp = (settings.tcp if settings is not None else None) or _NO_TCP
    http = (settings.http if settings is not None else None) or _NO_HTTP
    fields: dict[str, Any] = {
        "connect_timeout": duration(tcp.connect_timeout or mesh.connect_timeout),
        "circuit_breakers": {"thresholds": [_thresholds(tcp, http) | _retry_budget(retry_budget)]},
    }
    if tcp.tcp_keepalive is not None or mesh.tcp_keepalive is not None:
        keepalive = _keepalive(tcp.tcp_keepalive or _NO_KEEPALIVE, mesh.tcp_keepalive or _NO_KEEPALIVE)
        fields["upstream_connection_options"] = {"tcp_keepalive": keepalive}
    options = _common_http_options(tcp, http)
    if options:
        fields["typed_extension_protocol_options"] = {HTTP_PROTOCOL_OPTIONS_KEY: _http_options(options)}
    return fields


def _thresholds(tcp: TCPSettings, http: HTTPSettings) -> dict[str, Any]:
    return {
        "max_connections": tcp.max_connections or _UNLIMITED,
        "max_pending_requests": http.http1_max_pending_requests or _UNLIMITED,
        "max_requests": http.http2_max_requests or _UNLIMITED,
        "max_retries": http.max_retries or _UNLIMITED,
        "track_remaining": True,
    }


def _retry_budget(budget: RetryBudget | None) -> dict[str, Any]:
    """Istio: applyRetryBudget. It holds instead of max_retries."""
    if budget is None:
        return {}
    percent = _BUDGET_PERCENT if budget.percent is None else budget.percent
    concurrency = budget.min_retry_concurrency or _MINIMUM_CONCURRENCY
    return {"retry_budget": {"budget_percent": {"value": percent}, "min_retry_concurrency": concurrency}}


def _common_http_options(tcp: TCPSettings, http: HTTPSettings) -> dict[str, Any]:
    """envoy.config.core.v3.HttpProtocolOptions; an HTTP idle timeout is nearer than the TCP one."""
    options: dict[str, Any] = {}
    idle_timeout = http.idle_timeout or tcp.idle_timeout
    if idle_timeout:
        options["idle_timeout"] = duration(idle_timeout)
    if http.max_requests_per_connection:
        options["max_requests_per_connection"] = http.max_requests_per_connection
    if tcp.max_connection_duration:
        options["max_connection_duration"] = duration(tcp.max_connection_duration)
    return options


def _http_options(common: dict[str, Any]) -> dict[str, Any]:
    return {
        "@type": HTTP_PROTOCOL_OPTIONS,
        "common_http_protocol_options": common,
        "explicit_http_config": {"http_protocol_options": {}},
    }


def _keepalive(settings: TcpKeepalive, defaults: TcpKeepalive) -> dict[str, Any]:
    """Whole seconds, field by field; what is not set is the operating system's."""
    values = {
        "keepalive_probes": settings.probes or defaults.probes,
        "keepalive_time": _seconds(settings.time or defaults.time),
        "keepalive_interval": _seconds(settings.interval or defaults.interval),
    }
    return {key: value for key, value in values.items() if value}


def _seconds(text: str) -> int:
    return int(parse_go_duration(text)) if text else 0
