"""The counters and gauges of clusters that metrics show, by Envoy's names. Read when somebody asks."""

from collections.abc import Callable

from pymesh.proxy.telemetry.metric_names import (
    EJECTIONS_ACTIVE,
    EJECTIONS_ENFORCED,
    EJECTIONS_OVERFLOW,
    HEALTH_CHECK_ATTEMPT,
    HEALTH_CHECK_FAILURE,
    MEMBERSHIP_DEGRADED,
    MEMBERSHIP_HEALTHY,
    MEMBERSHIP_TOTAL,
    UPSTREAM_CX_ACTIVE,
    UPSTREAM_CX_OVERFLOW,
    UPSTREAM_CX_TOTAL,
    UPSTREAM_RQ_PENDING_OVERFLOW,
    UPSTREAM_RQ_RETRY,
    UPSTREAM_RQ_RETRY_OVERFLOW,
    Metric,
)
from pymesh.proxy.upstream.circuit_breaker import CircuitBreakers
from pymesh.proxy.upstream.cluster import Cluster

Figure = Callable[[Cluster], int]


def active_connections(cluster: Cluster) -> int:
    return sum(breakers.connections.active for breakers in _breakers(cluster))


def _breakers(cluster: Cluster) -> tuple[CircuitBreakers, CircuitBreakers]:
    return (cluster.circuit_breakers, cluster.high_priority_breakers)


COUNTERS: dict[Metric, Figure] = {
    UPSTREAM_CX_TOTAL: lambda cluster: cluster.stats.upstream_cx_total,
    UPSTREAM_RQ_RETRY: lambda cluster: cluster.stats.upstream_rq_retry,
    UPSTREAM_CX_OVERFLOW: lambda cluster: sum(b.connections.overflow for b in _breakers(cluster)),
    # Envoy counts requests over max_requests under this name, too.
    UPSTREAM_RQ_PENDING_OVERFLOW: lambda cluster: sum(
        b.pending_requests.overflow + b.requests.overflow for b in _breakers(cluster)
    ),
    UPSTREAM_RQ_RETRY_OVERFLOW: lambda cluster: sum(b.retries.overflow for b in _breakers(cluster)),
    EJECTIONS_ENFORCED: lambda cluster: cluster.health.count("ejections"),
    EJECTIONS_OVERFLOW: lambda cluster: cluster.health.count("ejections_overflow"),
    HEALTH_CHECK_ATTEMPT: lambda cluster: cluster.health.count("attempt"),
    HEALTH_CHECK_FAILURE: lambda cluster: cluster.health.count("failure"),
}

GAUGES: dict[Metric, Figure] = {
    UPSTREAM_CX_ACTIVE: active_connections,
    MEMBERSHIP_TOTAL: lambda cluster: len(cluster.endpoints),
    MEMBERSHIP_HEALTHY: lambda cluster: sum(e.is_healthy and not e.is_degraded for e in cluster.endpoints),
    MEMBERSHIP_DEGRADED: lambda cluster: sum(e.is_healthy and e.is_degraded for e in cluster.endpoints),
    EJECTIONS_ACTIVE: lambda cluster: sum(e.is_ejected for e in cluster.endpoints),
}
