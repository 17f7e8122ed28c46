"""What a cluster counts; Envoy's names.

https://www.envoyproxy.io/docs/envoy/latest/configuration/upstream/cluster_manager/cluster_stats
"""

from dataclasses import dataclass


@dataclass(slots=True)
class ClusterStats:
    """`upstream_cx_total` counts attempts, as Envoy does. What is active, the circuit breakers know."""

    upstream_cx_total: int = 0
    upstream_rq_retry: int = 0

    def add(self, other: "ClusterStats") -> None:
        self.upstream_cx_total += other.upstream_cx_total
        self.upstream_rq_retry += other.upstream_rq_retry
