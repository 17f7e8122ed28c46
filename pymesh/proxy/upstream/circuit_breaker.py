"""Circuit breakers: how many connections, pending requests, requests and retries a cluster may have at once.

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/circuit_breaking
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """Retries may be `budget_percent` of the active requests, and always `min_retry_concurrency`."""

    budget_percent: float = 20.0
    min_retry_concurrency: int = 3


@dataclass(frozen=True, slots=True)
class CircuitBreakerThresholds:
    """Envoy's defaults; Istio's control plane sets 2^32 - 1."""

    max_connections: int = 1024
    max_pending_requests: int = 1024
    max_requests: int = 1024
    max_retries: int = 3
    retry_budget: RetryBudget | None = None
    max_connections_per_host: int | None = None  # of HTTP, to one endpoint; None: no limit
    track_remaining: bool = False  # and show what remains of each


class Resource:
    """One limited resource. Every `try_acquire` that said True needs one `release`."""

    __slots__ = ("active", "limit", "overflow")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.active = 0
        self.overflow = 0  # refused so far

    def try_acquire(self) -> bool:
        if self.active >= self.limit:
            self.overflow += 1
            return False
        self.active += 1
        return True

    def acquire(self) -> None:
        """Beyond the limit, if need be."""
        self.active += 1

    def release(self) -> None:
        self.active -= 1

    def total(self) -> int:
        """`active`, and what other processes of this proxy have in use."""
        return self.active

    def __repr__(self) -> str:
        return f"<Resource {self.active}/{self.limit} overflow={self.overflow}>"


class RetryResource(Resource):
    """Concurrent retries, limited by a number or by a share of the requests. Those that wait for a connection are
    active here, too; Envoy adds them up."""

    __slots__ = ("_requests", "budget")

    def __init__(self, limit: int, budget: RetryBudget | None, requests: Resource) -> None:
        super().__init__(limit)
        self.budget = budget
        self._requests = requests

    def try_acquire(self) -> bool:
        if self.budget is not None:
            share = int(self._requests.total() * self.budget.budget_percent / 100)
            self.limit = max(share, self.budget.min_retry_concurrency)
        return super().try_acquire()


class CircuitBreakers:
    """Those of one priority of a cluster; `apply` changes the limits and keeps what is counted."""

    __slots__ = (
        "connections",
        "max_connections_per_host",
        "pending_requests",
        "requests",
        "retries",
        "tracks_remaining",
    )

    def __init__(self, thresholds: CircuitBreakerThresholds) -> None:
        self.connections = Resource(thresholds.max_connections)
        self.pending_requests = Resource(thresholds.max_pending_requests)
        self.requests = Resource(thresholds.max_requests)
        self.retries = RetryResource(thresholds.max_retries, thresholds.retry_budget, self.requests)
        self.max_connections_per_host = thresholds.max_connections_per_host
        self.tracks_remaining = thresholds.track_remaining

    def apply(self, thresholds: CircuitBreakerThresholds) -> None:
        self.connections.limit = thresholds.max_connections
        self.pending_requests.limit = thresholds.max_pending_requests
        self.requests.limit = thresholds.max_requests
        self.retries.limit = thresholds.max_retries
        self.retries.budget = thresholds.retry_budget
        self.max_connections_per_host = thresholds.max_connections_per_host
        self.tracks_remaining = thresholds.track_remaining


# Of the cluster of this name, for requests of priority HIGH or of all others.
BuildBreakers = Callable[[str, CircuitBreakerThresholds, bool], CircuitBreakers]


def build_own_breakers(cluster: str, thresholds: CircuitBreakerThresholds, is_high_priority: bool) -> CircuitBreakers:
    """Counted by this process alone."""
    return CircuitBreakers(thresholds)
