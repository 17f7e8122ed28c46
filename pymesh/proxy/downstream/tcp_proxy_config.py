"""envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, decoded.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/filters/network/tcp_proxy/v3/tcp_proxy.proto
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate

from pymesh.protojson import Reader
from pymesh.proxy.routing.hash_policy import hash_source_ip
from pymesh.proxy.telemetry.access_log_config import AccessLogConfig, decode_access_logs
from pymesh.proxy.telemetry.stats_config import StatsConfig

TYPE_URL = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"

DEFAULT_IDLE_TIMEOUT = 3600.0


@dataclass(frozen=True, slots=True)
class TcpProxyConfig:
    """`clusters` are names with weights. `idle_timeout` in seconds, 0 for none. `hashes_source_ip`: connections of one
    client go to one endpoint of a consistent-hashing cluster."""

    clusters: tuple[tuple[str, int], ...]
    stat_prefix: str = ""
    idle_timeout: float = DEFAULT_IDLE_TIMEOUT
    max_connect_attempts: int = 1
    hashes_source_ip: bool = False
    access_logs: tuple[AccessLogConfig, ...] = ()
    stats: StatsConfig | None = None
    _bounds: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_bounds", tuple(accumulate(weight for _, weight in self.clusters)))

    def choose_cluster(self, random_value: float) -> str:
        """`random_value` is in [0, 1)."""
        return self.clusters[bisect_right(self._bounds, int(random_value * self._bounds[-1]))][0]

    def hash(self, remote_address: str) -> int | None:
        return hash_source_ip(remote_address) if self.hashes_source_ip else None


def decode_tcp_proxy(reader: Reader) -> TcpProxyConfig:
    reader.ignore("@type")
    idle_timeout = reader.duration("idle_timeout")
    attempts = reader.integer("max_connect_attempts", 1)
    if attempts < 1:
        reader.fail("max_connect_attempts", "must be 1 or more")
    return TcpProxyConfig(
        clusters=_decode_clusters(reader),
        stat_prefix=reader.string("stat_prefix"),
        idle_timeout=DEFAULT_IDLE_TIMEOUT if idle_timeout is None else idle_timeout,
        max_connect_attempts=attempts,
        hashes_source_ip=_decode_hash_policies(reader),
        access_logs=decode_access_logs(reader),
    )


def _decode_clusters(reader: Reader) -> tuple[tuple[str, int], ...]:
    kind = reader.oneof("cluster", "weighted_clusters")
    if kind is None:
        reader.fail("cluster_specifier", "one of cluster and weighted_clusters is required")
    if kind == "cluster":
        return ((reader.required_string("cluster"), 1),)
    weighted = reader.required_object(kind)
    clusters = tuple((item.required_string("name"), item.integer("weight")) for item in weighted.objects("clusters"))
    if not clusters or min(weight for _, weight in clusters) < 1:
        weighted.fail("clusters", "each needs a weight of 1 or more")
    return clusters


def _decode_hash_policies(reader: Reader) -> bool:
    """Of TCP only the source address can be hashed."""
    policies = reader.objects("hash_policy")
    for policy in policies:
        policy.required_object("source_ip")
    return bool(policies)
