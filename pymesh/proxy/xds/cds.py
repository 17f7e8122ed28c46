"""Cluster -> ClusterConfig. Pure.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/cluster/v3/cluster.proto
"""

from collections.abc import Mapping
from dataclasses import replace

from pymesh.names import ISTIO_METADATA
from pymesh.protojson import Reader
from pymesh.proxy.tls.config import UPSTREAM_TLS_CONTEXT, UpstreamTlsConfig, decode_upstream_tls
from pymesh.proxy.upstream.circuit_breaker import CircuitBreakerThresholds, RetryBudget
from pymesh.proxy.upstream.cluster import (
    DYNAMIC_FORWARD_PROXY,
    EDS,
    LOGICAL_DNS,
    STATIC,
    STRICT_DNS,
    ClusterConfig,
    Service,
    TcpKeepalive,
)
from pymesh.proxy.upstream.dns import LOOKUP_FAMILIES, DnsConfig, is_address
from pymesh.proxy.upstream.dynamic_forward_proxy import DnsCacheConfig
from pymesh.proxy.upstream.endpoint import ClusterLoadAssignment
from pymesh.proxy.upstream.load_balancer import LoadBalancerConfig
from pymesh.proxy.upstream.outlier_detection import OutlierDetectionConfig
from pymesh.proxy.upstream.priority_set import PANIC_THRESHOLD
from pymesh.proxy.upstream.transport_socket_matcher import TransportSocketMatch, TransportSocketsConfig
from pymesh.proxy.xds.eds import decode_cluster_load_assignment

_EXTENSIONS = "type.googleapis.com/envoy.extensions."
_RAW_BUFFER = _EXTENSIONS + "transport_sockets.raw_buffer.v3.RawBuffer"
_FORWARD_PROXY_CLUSTER = _EXTENSIONS + "clusters.dynamic_forward_proxy.v3.ClusterConfig"
_HTTP_PROTOCOL_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

_LB_POLICIES = ("ROUND_ROBIN", "LEAST_REQUEST", "RING_HASH", "RANDOM", "MAGLEV", "CLUSTER_PROVIDED")
_MOST_RING_POINTS = 8 * 1024 * 1024
_MOST_TABLE_SLOTS = 5_000_011  # Envoy's limit of a Maglev table

# Fields of Cluster that change nothing here, and why.
_IGNORED = (
    "@type",
    "alt_stat_name",  # our metrics are named by the cluster
    "per_connection_buffer_limit_bytes",  # transports have their own watermarks
    "respect_dns_ttl",  # the system's resolver does not tell the TTL: dns_refresh_rate holds
    "dns_jitter",  # proxies do not start in step
    "wait_for_warm_on_init",  # a cluster without endpoints answers 503 UH meanwhile
    "ignore_health_on_host_removal",  # an endpoint that left is always removed
    "close_connections_on_host_health_failure",  # an unhealthy endpoint gets nothing new; what is open finishes
    "cleanup_interval",  # of ORIGINAL_DST clusters
    "track_cluster_stats",  # more statistics
    "use_tcp_for_dns_lookups",  # the system's resolver decides
)


def decode_cluster(reader: Reader) -> ClusterConfig:
    """Raises DecodeError."""
    reader.ignore(*_IGNORED)
    config = ClusterConfig(
        name=reader.required_string("name"),
        service=_decode_service(reader),
        load_balancer=_decode_load_balancer(reader),
        panic_threshold=_decode_panic_threshold(reader),
        outlier_detection=_decode_outlier_detection(reader),
        circuit_breakers=_decode_circuit_breakers(reader),
        # Cluster.connect_timeout: "If not set, a default value of 5s will be used."
        connect_timeout=_seconds(reader, "connect_timeout", 5.0),
        tcp_keepalive=_decode_keepalive(reader),
    )
    config = _with_discovery(config, reader)
    return _with_http_options(config, reader, _decode_transport_sockets(reader))


def _seconds(reader: Reader, key: str, default: float) -> float:
    value = reader.duration(key)
    if value is not None and value < 0:
        reader.fail(key, "must not be negative")
    return default if value is None else value


# where endpoints come from


def _with_discovery(config: ClusterConfig, reader: Reader) -> ClusterConfig:
    """`type` or `cluster_type`; ORIGINAL_DST is refused, as nothing here knows the original destination."""
    if reader.oneof("type", "cluster_type") == "cluster_type":
        return _with_cluster_type(config, reader)
    kind = reader.enum("type", (STATIC, STRICT_DNS, LOGICAL_DNS, EDS))
    config = replace(config, type=kind, load_assignment=_decode_load_assignment(reader, kind))
    if kind == EDS:
        eds = reader.object("eds_cluster_config")
        if eds is not None:
            # Everything comes through one poll, whatever eds_config says.
            eds.ignore("eds_config")
            config = replace(config, eds_service_name=eds.string("service_name"))
    if kind in (STRICT_DNS, LOGICAL_DNS):
        config = replace(config, dns=_decode_dns(reader, DnsConfig()))
    return config


def _decode_load_assignment(reader: Reader, kind: str) -> ClusterLoadAssignment | None:
    # Cluster.load_assignment: "Setting this is required for specifying members of STATIC, STRICT_DNS or LOGICAL_DNS";
    # a STATIC cluster without one has no members: Istio's BlackHoleCluster.
    found = reader.object("load_assignment")
    if kind == EDS and found is not None:
        reader.fail("load_assignment", "cannot stand in an EDS cluster")
    if found is None:
        return None
    assignment = decode_cluster_load_assignment(found)
    if kind == LOGICAL_DNS and len(assignment.endpoints) != 1:
        # "LOGICAL_DNS clusters must have a single locality_lb_endpoint and a single lb_endpoint"
        found.fail("endpoints", "a LOGICAL_DNS cluster has one endpoint")
    if kind == STATIC and not all(is_address(endpoint.host) for endpoint in assignment.endpoints):
        found.fail("endpoints", "a STATIC cluster's endpoints are IP addresses")
    return assignment


def _decode_dns(reader: Reader, default: DnsConfig) -> DnsConfig:
    # Cluster.dns_refresh_rate: "If not specified, DNS refresh rate is 5000 ms"; DnsCacheConfig's is 60 s.
    refresh_rate = _seconds(reader, "dns_refresh_rate", default.refresh_rate)
    if refresh_rate <= 0:
        reader.fail("dns_refresh_rate", "must be above 0")
    return DnsConfig(refresh_rate, reader.enum("dns_lookup_family", LOOKUP_FAMILIES))


def _with_cluster_type(config: ClusterConfig, reader: Reader) -> ClusterConfig:
    cluster_type = reader.required_object("cluster_type")
    cluster_type.ignore("name")  # the type URL says it
    found = cluster_type.any("typed_config")
    if found is None or found[0] != _FORWARD_PROXY_CLUSTER:
        cluster_type.fail("typed_config", "this proxy knows only the dynamic_forward_proxy cluster")
    typed = found[1]
    typed.ignore("@type")
    # Without auto_sni Envoy wants to be told that TLS without a name is meant. There, as here, it is then not verified.
    typed.ignore("allow_insecure_cluster_options")
    return replace(config, type=DYNAMIC_FORWARD_PROXY, dns_cache=_decode_dns_cache(typed))


def _decode_dns_cache(reader: Reader) -> DnsCacheConfig:
    cache = reader.required_object("dns_cache_config")
    # Each cluster has a cache of its own, so its name is of no matter; refreshes happen at use.
    cache.ignore("name", "dns_min_refresh_rate", "dns_failure_refresh_rate", "use_tcp_for_dns_lookups")
    default = DnsCacheConfig()
    max_hosts = cache.integer("max_hosts", default.max_hosts)
    if max_hosts <= 0:
        cache.fail("max_hosts", "must be above 0")
    return DnsCacheConfig(_decode_dns(cache, default.dns), _seconds(cache, "host_ttl", default.host_ttl), max_hosts)


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


# who is chosen


def _decode_load_balancer(reader: Reader) -> LoadBalancerConfig:
    config = LoadBalancerConfig(policy=reader.enum("lb_policy", _LB_POLICIES))
    if (least := reader.object("least_request_lb_config")) is not None:
        config = replace(config, choice_count=least.integer("choice_count", 2), active_request_bias=_decode_bias(least))
        # LeastRequestLbConfig.choice_count: "uint32 {gte: 2}"
        if config.choice_count < 2:
            least.fail("choice_count", "must be at least 2")
    if (ring := reader.object("ring_hash_lb_config")) is not None:
        config = _with_ring(config, ring)
    if (maglev := reader.object("maglev_lb_config")) is not None:
        config = replace(config, table_size=maglev.integer("table_size", config.table_size))
        if not 1 < config.table_size <= _MOST_TABLE_SLOTS or not _is_prime(config.table_size):
            # "The table size must be prime number limited to 5000011."
            maglev.fail("table_size", f"must be a prime number up to {_MOST_TABLE_SLOTS}")
    return config


def _decode_bias(reader: Reader) -> float:
    bias = reader.object("active_request_bias")
    if bias is None:
        return 1.0
    bias.ignore("runtime_key")
    return bias.number("default_value")


def _with_ring(config: LoadBalancerConfig, ring: Reader) -> LoadBalancerConfig:
    ring.enum("hash_function", ("XX_HASH",))
    config = replace(
        config,
        minimum_ring_size=ring.integer("minimum_ring_size", config.minimum_ring_size),
        maximum_ring_size=ring.integer("maximum_ring_size", config.maximum_ring_size),
    )
    if not 0 < config.minimum_ring_size <= config.maximum_ring_size <= _MOST_RING_POINTS:
        ring.fail("minimum_ring_size", f"must be 1..maximum_ring_size, and that up to {_MOST_RING_POINTS}")
    return config


def _is_prime(number: int) -> bool:
    return all(number % divisor for divisor in range(2, int(number**0.5) + 1))


def _decode_panic_threshold(reader: Reader) -> float:
    common = reader.object("common_lb_config")
    if common is None:
        return PANIC_THRESHOLD
    common.ignore("update_merge_window")  # changes come merged from the control plane
    threshold = common.percent("healthy_panic_threshold")
    if threshold is not None and not 0 <= threshold <= 100:
        common.fail("healthy_panic_threshold", "must be 0..100")
    return PANIC_THRESHOLD if threshold is None else threshold


def _decode_outlier_detection(reader: Reader) -> OutlierDetectionConfig | None:
    """https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/cluster/v3/outlier_detection.proto"""
    found = reader.object("outlier_detection")
    if found is None:
        return None
    found.ignore(
        "successful_active_health_check_uneject_host",  # there are no active health checks
        # local origin errors are not judged by rate, only by count
        "enforcing_local_origin_success_rate",
        "enforcing_failure_percentage_local_origin",
    )
    default = OutlierDetectionConfig()
    return OutlierDetectionConfig(
        interval=_positive_seconds(found, "interval", default.interval),
        base_ejection_time=_positive_seconds(found, "base_ejection_time", default.base_ejection_time),
        max_ejection_time=_positive_seconds(found, "max_ejection_time", default.max_ejection_time),
        max_ejection_time_jitter=_seconds(found, "max_ejection_time_jitter", 0.0),
        split_external_local_origin_errors=found.boolean("split_external_local_origin_errors"),
        always_eject_one_host=found.boolean("always_eject_one_host"),
        **{key: found.integer(key, getattr(default, key)) for key in _OUTLIER_COUNTS},
        **{key: _outlier_percent(found, key, getattr(default, key)) for key in _OUTLIER_PERCENTS},
    )


_OUTLIER_COUNTS = (
    "consecutive_5xx",
    "consecutive_gateway_failure",
    "consecutive_local_origin_failure",
    "success_rate_minimum_hosts",
    "success_rate_request_volume",
    "success_rate_stdev_factor",
    "failure_percentage_minimum_hosts",
    "failure_percentage_request_volume",
)
_OUTLIER_PERCENTS = (
    "enforcing_consecutive_5xx",
    "enforcing_consecutive_gateway_failure",
    "enforcing_consecutive_local_origin_failure",
    "enforcing_success_rate",
    "enforcing_failure_percentage",
    "failure_percentage_threshold",
    "max_ejection_percent",
)


def _positive_seconds(reader: Reader, key: str, default: float) -> float:
    value = _seconds(reader, key, default)
    return value if value > 0 else reader.fail(key, "must be above 0")


def _outlier_percent(reader: Reader, key: str, default: int) -> int:
    value = reader.integer(key, default)
    return value if 0 <= value <= 100 else reader.fail(key, "must be 0..100")


def _decode_circuit_breakers(reader: Reader) -> CircuitBreakerThresholds:
    """https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/cluster/v3/circuit_breaker.proto"""
    breakers = reader.object("circuit_breakers")
    config = CircuitBreakerThresholds()
    for thresholds in breakers.objects("thresholds") if breakers is not None else ():
        # Routes have the priority DEFAULT: nothing would ever count against another.
        thresholds.enum("priority", ("DEFAULT",))
        # More statistics; and one pool for each endpoint is all that there is.
        thresholds.ignore("track_remaining", "max_connection_pools")
        config = CircuitBreakerThresholds(
            max_connections=thresholds.integer("max_connections", config.max_connections),
            max_pending_requests=thresholds.integer("max_pending_requests", config.max_pending_requests),
            max_requests=thresholds.integer("max_requests", config.max_requests),
            max_retries=thresholds.integer("max_retries", config.max_retries),
            retry_budget=_decode_retry_budget(thresholds),
        )
    return config


def _decode_retry_budget(reader: Reader) -> RetryBudget | None:
    # "budget_percent ... defaults to 20%", "min_retry_concurrency ... defaults to 3"
    budget = reader.object("retry_budget")
    if budget is None:
        return None
    percent = budget.percent("budget_percent")
    return RetryBudget(20.0 if percent is None else percent, budget.integer("min_retry_concurrency", 3))


# connections


def _decode_keepalive(reader: Reader) -> TcpKeepalive | None:
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


def _with_http_options(config: ClusterConfig, reader: Reader, sockets: TransportSocketsConfig) -> ClusterConfig:
    """https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/upstreams/http/v3/http_protocol_options.proto"""
    config = replace(config, transport_sockets=sockets)
    extensions = reader.object("typed_extension_protocol_options")
    options = None if extensions is None else extensions.object(_HTTP_PROTOCOL_OPTIONS)
    if options is None:
        return config
    options.ignore("@type")
    if (explicit := options.object("explicit_http_config")) is not None:
        # HTTP/1.1 is what this proxy speaks, and none of its options would change what it sends.
        explicit.ignore("http_protocol_options")
    if (common := options.object("common_http_protocol_options")) is not None:
        config = _with_common_options(config, common)
    if (upstream := options.object("upstream_http_protocol_options")) is not None:
        config = replace(config, transport_sockets=_with_auto_sni(sockets, upstream))
    return config


def _with_common_options(config: ClusterConfig, reader: Reader) -> ClusterConfig:
    # HttpProtocolOptions.idle_timeout: "defaults to 1 hour", 0 disables it.
    return replace(
        config,
        idle_timeout=_seconds(reader, "idle_timeout", config.idle_timeout),
        max_connection_duration=_seconds(reader, "max_connection_duration", 0.0),
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
