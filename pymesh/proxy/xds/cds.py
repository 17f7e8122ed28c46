"""Cluster -> ClusterConfig. Pure; each noun of it has a file of its own beside this one.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/cluster/v3/cluster.proto
"""

from collections.abc import Mapping

from pymesh.durations import read_seconds
from pymesh.names import ISTIO_METADATA
from pymesh.protojson import Reader
from pymesh.proxy.upstream.cluster_config import STRICT_DNS, ClusterConfig, Service
from pymesh.proxy.xds.circuit_breakers import decode_circuit_breakers
from pymesh.proxy.xds.cluster_balancing import decode_load_balancer
from pymesh.proxy.xds.cluster_connections import decode_keepalive, with_http_options
from pymesh.proxy.xds.cluster_discovery import with_discovery
from pymesh.proxy.xds.health_checks import decode_health_checks
from pymesh.proxy.xds.outlier_detection import decode_outlier_detection

# Fields of Cluster that change nothing here, and why.
_IGNORED = (
    "@type",
    "alt_stat_name",  # our metrics are named by the cluster
    "per_connection_buffer_limit_bytes",  # transports have their own watermarks
    "respect_dns_ttl",  # the system's resolver does not tell the TTL: dns_refresh_rate holds
    "wait_for_warm_on_init",  # a cluster without endpoints answers 503 UH meanwhile
    "cleanup_interval",  # of ORIGINAL_DST clusters
    "track_cluster_stats",  # more statistics
    "use_tcp_for_dns_lookups",  # the system's resolver decides
)


def decode_cluster(reader: Reader) -> ClusterConfig:
    """Raises DecodeError."""
    reader.ignore(*_IGNORED)
    if reader.boolean("close_connections_on_host_health_failure"):
        reader.fail("close_connections_on_host_health_failure", "TCP connections to a sick endpoint stay open here")
    balancer, panic_threshold = decode_load_balancer(reader)
    breakers = decode_circuit_breakers(reader)
    config = ClusterConfig(
        name=reader.required_string("name"),
        service=_decode_service(reader),
        load_balancer=balancer,
        panic_threshold=panic_threshold,
        outlier_detection=decode_outlier_detection(reader),
        health_check=decode_health_checks(reader),
        ignore_health_on_host_removal=reader.boolean("ignore_health_on_host_removal"),
        circuit_breakers=breakers.default,
        high_priority_breakers=breakers.high,
        # Cluster.connect_timeout: "If not set, a default value of 5s will be used."
        connect_timeout=read_seconds(reader, "connect_timeout", 5.0),
        tcp_keepalive=decode_keepalive(reader),
    )
    config = with_http_options(with_discovery(config, reader), reader)
    if balancer.use_hostname_for_hashing and config.type != STRICT_DNS:
        # Envoy: "Cannot use hostname for consistent hashing loadbalancing for cluster of type ..."
        reader.fail(
            "common_lb_config.consistent_hashing_lb_config.use_hostname_for_hashing", "is for STRICT_DNS clusters"
        )
    return config


def _decode_service(reader: Reader) -> Service | None:
    """Istio: metadata `istio.services[0]`, which also names the service of inbound clusters."""
    metadata = reader.object("metadata")
    if metadata is None:
        return None
    metadata.ignore("typed_filter_metadata")
    istio = metadata.map("filter_metadata").get(ISTIO_METADATA)
    services = istio.get("services") if isinstance(istio, Mapping) else None
    if not isinstance(services, list) or not services or not isinstance(services[0], Mapping):
        return None
    return Service(*(str(services[0].get(key, "")) for key in ("name", "namespace", "host")))
