"""The terminal filter of a TCP listener."""

from typing import Any

from pymesh.control.snapshot.mesh_service import MeshService
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.config_source import duration
from pymesh.control.translate.hash_policy import build_tcp_hash_policy
from pymesh.control.translate.listener_telemetry import ListenerTelemetry, listener_telemetry
from pymesh.control.translate.traffic_policy import consistent_hash, effective_policy, with_mesh_defaults
from pymesh.control.translate.type_urls import TCP_PROXY, TCP_PROXY_FILTER
from pymesh.names import parse_cluster


def build_tcp_proxy(
    telemetry: ListenerTelemetry, stat_prefix: str, target: dict[str, Any], **options: Any
) -> dict[str, Any]:
    """`target` is `cluster` or `weighted_clusters`; `options` are further fields, empty ones left out."""
    config = {"@type": TCP_PROXY, "stat_prefix": stat_prefix, **target}
    config |= {key: value for key, value in {**options, "access_log": telemetry.access_log}.items() if value}
    return {"name": TCP_PROXY_FILTER, "typed_config": config}


def build_service_proxy(
    view: ProxyView, stat_prefix: str, target: dict[str, Any], service: MeshService | None
) -> dict[str, Any]:
    """With what the service's DestinationRule says of connections; `stat_prefix` is the name of a cluster."""
    options: dict[str, Any] = {}
    cluster = parse_cluster(stat_prefix)
    if service is not None and cluster is not None:
        rule = view.destination_rule(service)
        pool = with_mesh_defaults(effective_policy(rule, cluster.port, cluster.subset), view.mesh).connection_pool
        options["idle_timeout"] = duration(pool.tcp.idle_timeout) if pool and pool.tcp and pool.tcp.idle_timeout else ""
        options["hash_policy"] = build_tcp_hash_policy(consistent_hash(rule, cluster.port, cluster.subset))
    return build_tcp_proxy(listener_telemetry(view, "CLIENT"), stat_prefix, target, **options)
