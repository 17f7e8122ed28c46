"""The terminal filter of an HTTP listener: inbound, outbound and at the edge of the mesh."""

from typing import Any

from pymesh.control.translate.clusters import DNS_CACHE
from pymesh.control.translate.config_source import CONFIG_SOURCE
from pymesh.control.translate.listener_telemetry import ListenerTelemetry
from pymesh.control.translate.type_urls import (
    CORS,
    CORS_FILTER,
    DYNAMIC_FORWARD_PROXY_FILTER,
    FAULT_FILTER,
    FORWARD_PROXY_FILTER,
    HTTP_CONNECTION_MANAGER,
    HTTP_CONNECTION_MANAGER_FILTER,
    HTTP_FAULT,
    ROUTER,
    ROUTER_FILTER,
)

SERVER_NAME = "istio-envoy"

# Istio has none; but nobody needs five minutes for a head, except to hold connections.
_HEAD_TIMEOUT = "300s"

_WEBSOCKET = {"upgrade_type": "websocket"}
_FAULT = {"name": FAULT_FILTER, "typed_config": {"@type": HTTP_FAULT}}
_CORS = {"name": CORS_FILTER, "typed_config": {"@type": CORS}}
_FORWARD_PROXY = {
    "name": FORWARD_PROXY_FILTER,
    "typed_config": {"@type": DYNAMIC_FORWARD_PROXY_FILTER, "dns_cache_config": DNS_CACHE},
}
_ROUTER = {"name": ROUTER_FILTER, "typed_config": {"@type": ROUTER}}

# Faults and CORS are configured by routes; the forward proxy acts where the route leads to such a cluster.
_OUTBOUND_FILTERS = [_FAULT, _CORS, _FORWARD_PROXY, _ROUTER]
_CAPTURED_FILTERS = [_FAULT, _CORS, _ROUTER]


def rds(name: str) -> dict[str, Any]:
    return {"rds": {"route_config_name": name, "config_source": CONFIG_SOURCE}}


def build_outbound(telemetry: ListenerTelemetry, stat_prefix: str, routes: dict[str, Any]) -> dict[str, Any]:
    """From the application: its server's name in the response stays."""
    return _filter(
        telemetry,
        stat_prefix,
        routes,
        http_filters=_OUTBOUND_FILTERS,
        upgrade_configs=[_WEBSOCKET, {"upgrade_type": "CONNECT"}],
        server_header_transformation="PASS_THROUGH",
    )


def build_captured(telemetry: ListenerTelemetry, stat_prefix: str, routes: dict[str, Any]) -> dict[str, Any]:
    """From the application, which does not know that there is a proxy."""
    return _filter(
        telemetry,
        stat_prefix,
        routes,
        http_filters=_CAPTURED_FILTERS,
        upgrade_configs=[_WEBSOCKET],
        server_header_transformation="PASS_THROUGH",
    )


def build_inbound(
    telemetry: ListenerTelemetry, stat_prefix: str, route_config: dict[str, Any], security: list[dict[str, Any]]
) -> dict[str, Any]:
    """To the application, which learns in x-forwarded-client-cert who asks. `security` are the filters that decide
    who may."""
    return _filter(
        telemetry,
        stat_prefix,
        {"route_config": route_config},
        http_filters=[*security, _ROUTER],
        upgrade_configs=[_WEBSOCKET],
        server_name=SERVER_NAME,
        forward_client_cert_details="APPEND_FORWARD",
        set_current_client_cert_details={"subject": True, "uri": True},
    )


def build_edge(
    telemetry: ListenerTelemetry,
    stat_prefix: str,
    route_config_name: str,
    verifies_clients: bool,
    security: list[dict[str, Any]],
) -> dict[str, Any]:
    """From outside: nothing that a client says of itself is believed."""
    details = {"subject": True, "cert": True, "dns": True, "uri": True} if verifies_clients else {}
    return _filter(
        telemetry,
        stat_prefix,
        rds(route_config_name),
        http_filters=[*security, *_OUTBOUND_FILTERS],
        upgrade_configs=[_WEBSOCKET],
        server_name=SERVER_NAME,
        use_remote_address=True,
        forward_client_cert_details="SANITIZE_SET",
        **({"set_current_client_cert_details": details} if details else {}),
    )


def _filter(telemetry: ListenerTelemetry, stat_prefix: str, routes: dict[str, Any], **options: Any) -> dict[str, Any]:
    config = {"@type": HTTP_CONNECTION_MANAGER, "stat_prefix": stat_prefix, **routes, **options}
    config["normalize_path"] = True  # Istio's path normalization BASE
    config["stream_idle_timeout"] = "0s"  # as Istio: a WebSocket may be silent for as long as it likes
    config["request_headers_timeout"] = _HEAD_TIMEOUT
    # Istio's PILOT_HTTP10, on: ab, nginx's proxy_pass, and the CONNECT of Python 3.11's http.client speak HTTP/1.0.
    config["http_protocol_options"] = {"accept_http_10": True}
    config["tracing"] = {"random_sampling": {"value": telemetry.sampling}}
    if telemetry.access_log:
        config["access_log"] = telemetry.access_log
    return {"name": HTTP_CONNECTION_MANAGER_FILTER, "typed_config": config}
