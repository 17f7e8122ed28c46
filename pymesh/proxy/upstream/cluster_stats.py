"""What the data path counts of a cluster; Envoy's names. What else is known of it, cluster_figures reads.

https://www.envoyproxy.io/docs/envoy/latest/configuration/upstream/cluster_manager/cluster_stats
"""

from dataclasses import dataclass


@dataclass(slots=True)
class ClusterStats:
    """`upstream_cx_total` counts attempts, as Envoy does. What is active, the circuit breakers know."""

    upstream_cx_total: int = 0
    upstream_rq_retry: int = 0
