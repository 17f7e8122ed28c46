"""Where the endpoints of a Cluster come from: its type, its own assignment, DNS. Pure."""

from dataclasses import replace

from pymesh.durations import read_positive_seconds, read_seconds
from pymesh.protojson import Reader
from pymesh.proxy.upstream.cluster_config import (
    DYNAMIC_FORWARD_PROXY,
    EDS,
    LOGICAL_DNS,
    ORIGINAL_DST,
    STATIC,
    STRICT_DNS,
    ClusterConfig,
)
from pymesh.proxy.upstream.dns import LOOKUP_FAMILIES, DnsConfig, FailureRefresh, is_address
from pymesh.proxy.upstream.dynamic_forward_proxy import DnsCacheConfig
from pymesh.proxy.upstream.endpoint import ClusterLoadAssignment
from pymesh.proxy.xds.eds import decode_cluster_load_assignment
from pymesh.xds import UNIX_PREFIX

_FORWARD_PROXY_CLUSTER = "type.googleapis.com/envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig"

_MOST_DESTINATIONS = 65536  # of an ORIGINAL_DST cluster at one time; Envoy has no limit


def with_discovery(config: ClusterConfig, reader: Reader) -> ClusterConfig:
    """`type` or `cluster_type`. Of an ORIGINAL_DST cluster the destination itself is the endpoint."""
    if reader.oneof("type", "cluster_type") == "cluster_type":
        return _with_cluster_type(config, reader)
    kind = reader.enum("type", (STATIC, STRICT_DNS, LOGICAL_DNS, EDS, ORIGINAL_DST))
    if kind == ORIGINAL_DST:
        return _with_original_dst(config, reader)
    config = replace(config, type=kind, load_assignment=_decode_load_assignment(reader, kind))
    if kind == EDS:
        eds = reader.object("eds_cluster_config")
        if eds is not None:
            # Everything comes through one poll, whatever eds_config says.
            eds.ignore("eds_config")
            config = replace(config, eds_service_name=eds.string("service_name"))
    if kind in (STRICT_DNS, LOGICAL_DNS):
        dns = replace(
            _decode_dns(reader, DnsConfig()),
            jitter=read_seconds(reader, "dns_jitter", 0.0),
            failure_refresh=_decode_failure_refresh(reader.object("dns_failure_refresh_rate")),
        )
        config = replace(config, dns=dns)
    return config


def _with_original_dst(config: ClusterConfig, reader: Reader) -> ClusterConfig:
    if config.load_balancer.policy != "CLUSTER_PROVIDED":
        # Envoy: "ORIGINAL_DST cluster requires CLUSTER_PROVIDED LB policy"
        reader.fail("lb_policy", "an ORIGINAL_DST cluster needs CLUSTER_PROVIDED")
    if "load_assignment" in reader:
        reader.fail("load_assignment", "cannot stand in an ORIGINAL_DST cluster")
    return replace(config, type=ORIGINAL_DST, dns_cache=DnsCacheConfig(max_hosts=_MOST_DESTINATIONS))


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
    if kind == STATIC and not all(_is_static(endpoint.host) for endpoint in assignment.endpoints):
        found.fail("endpoints", "a STATIC cluster's endpoints are IP addresses")
    return assignment


def _is_static(host: str) -> bool:
    return is_address(host) or host.startswith(UNIX_PREFIX)


def _decode_dns(reader: Reader, default: DnsConfig) -> DnsConfig:
    # Cluster.dns_refresh_rate: "If not specified, DNS refresh rate is 5000 ms"; DnsCacheConfig's is 60 s.
    refresh_rate = read_seconds(reader, "dns_refresh_rate", default.refresh_rate)
    if refresh_rate <= 0:
        reader.fail("dns_refresh_rate", "must be above 0")
    return DnsConfig(refresh_rate, reader.enum("dns_lookup_family", LOOKUP_FAMILIES))


def _decode_failure_refresh(reader: Reader | None) -> FailureRefresh | None:
    if reader is None:
        return None
    base = read_positive_seconds(reader, "base_interval", 0.0)
    # Cluster.RefreshRate.max_interval: "The default is 10 times the base_interval."
    maximum = read_positive_seconds(reader, "max_interval", 10 * base)
    if maximum < base:
        reader.fail("max_interval", "must not be below base_interval")
    return FailureRefresh(base, maximum)


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
    return DnsCacheConfig(_decode_dns(cache, default.dns), read_seconds(cache, "host_ttl", default.host_ttl), max_hosts)
