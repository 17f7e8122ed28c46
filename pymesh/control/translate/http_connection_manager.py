"""The terminal filter of an HTTP listener: inbound, outbound and at the edge of the mesh."""

from typing import Any

from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.translate.clusters import DNS_CACHE
from pymesh.control.translate.config_source import CONFIG_SOURCE
from pymesh.control.translate.listener_telemetry import ListenerTelemetry
from pymesh.control.translate.proxy_headers import (
    edge_client,
    hides_debug_headers,
    inbound_client_certificate,
    path_normalization,
    request_id,
    server_header,
)
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
    UUID_REQUEST_ID,
)

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
_ROUTER_WITHOUT_HEADERS = {
    "name": ROUTER_FILTER,
    "typed_config": {"@type": ROUTER, "suppress_envoy_headers": True},
}
_REQUEST_ID_SAMPLING = {
    "typed_config": {"@type": UUID_REQUEST_ID, "use_request_id_for_trace_sampling": True},
}

# Faults and CORS are configured by routes; the forward proxy acts where the route leads to such a cluster.
_OUTBOUND_FILTERS = [_FAULT, _CORS, _FORWARD_PROXY]
_CAPTURED_FILTERS = [_FAULT, _CORS]


def rds(name: str) -> dict[str, Any]:
    return {"rds": {"route_config_name": name, "config_source": CONFIG_SOURCE}}


def build_outbound(
    mesh: MeshConfig, telemetry: ListenerTelemetry, stat_prefix: str, routes: dict[str, Any]
) -> dict[str, Any]:
    """From the application: its server's name in the response stays."""
    return _filter(
        mesh,
        telemetry,
        stat_prefix,
        routes,
        http_filters=_OUTBOUND_FILTERS,
        upgrade_configs=[_WEBSOCKET, {"upgrade_type": "CONNECT"}],
        server_header_transformation="PASS_THROUGH",
    )


def build_captured(
    mesh: MeshConfig, telemetry: ListenerTelemetry, stat_prefix: str, routes: dict[str, Any]
) -> dict[str, Any]:
    """From the application, which does not know that there is a proxy."""
    return _filter(
        mesh,
        telemetry,
        stat_prefix,
        routes,
        http_filters=_CAPTURED_FILTERS,
        upgrade_configs=[_WEBSOCKET],
        server_header_transformation="PASS_THROUGH",
    )


def build_inbound(
    mesh: MeshConfig,
    telemetry: ListenerTelemetry,
    stat_prefix: str,
    route_config: dict[str, Any],
    security: list[dict[str, Any]],
) -> dict[str, Any]:
    """To the application, which learns in x-forwarded-client-cert who asks. `security` are the filters that decide
    who may."""
    return _filter(
        mesh,
        telemetry,
        stat_prefix,
        {"route_config": route_config},
        http_filters=security,
        upgrade_configs=[_WEBSOCKET],
        **server_header(mesh),
        **inbound_client_certificate(mesh),
    )


def build_edge(
    mesh: MeshConfig,
    telemetry: ListenerTelemetry,
    stat_prefix: str,
    route_config_name: str,
    verifies_clients: bool,
    security: list[dict[str, Any]],
) -> dict[str, Any]:
    """From outside: nothing that a client says of itself is believed."""
    return _filter(
        mesh,
        telemetry,
        stat_prefix,
        rds(route_config_name),
        http_filters=[*security, *_OUTBOUND_FILTERS],
        upgrade_configs=[_WEBSOCKET],
        use_remote_address=True,
        **server_header(mesh),
        **edge_client(mesh, verifies_clients),
    )


def _filter(
    mesh: MeshConfig,
    telemetry: ListenerTelemetry,
    stat_prefix: str,
    routes: dict[str, Any],
    http_filters: list[dict[str, Any]],
    **options: Any,
) -> dict[str, Any]:
    """`http_filters` without the router."""
    config = {"@type": HTTP_CONNECTION_MANAGER, "stat_prefix": stat_prefix, **routes}
    config["http_filters"] = [*http_filters, _ROUTER_WITHOUT_HEADERS if hides_debug_headers(mesh) else _ROUTER]
    config |= options | path_normalization(mesh) | request_id(mesh)
    config["stream_idle_timeout"] = "0s"  # as Istio: a WebSocket may be silent for as long as it likes
    config["request_headers_timeout"] = _HEAD_TIMEOUT
    # Istio's PILOT_HTTP10, on: ab, nginx's proxy_pass, and the CONNECT of Python 3.11's http.client speak HTTP/1.0.
    config["http_protocol_options"] = {"accept_http_10": True}
    config["tracing"] = telemetry.tracing
    if telemetry.samples_by_request_id:
        config["request_id_extension"] = _REQUEST_ID_SAMPLING
    if telemetry.access_log:
        config["access_log"] = telemetry.access_log
    return {"name": HTTP_CONNECTION_MANAGER_FILTER, "typed_config": config}
