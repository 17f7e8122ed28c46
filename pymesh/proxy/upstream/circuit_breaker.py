"""Circuit breakers: how many connections, pending requests, requests and retries a cluster may have at once.

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/circuit_breaking
"""

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

    def release(self) -> None:
        self.active -= 1

    def __repr__(self) -> str:
        return f"<Resource {self.active}/{self.limit} overflow={self.overflow}>"


class RetryResource(Resource):
    """Concurrent retries, limited by a number or by a share of the active and pending requests."""

    __slots__ = ("_pending", "_requests", "budget")

    def __init__(self, limit: int, budget: RetryBudget | None, requests: Resource, pending: Resource) -> None:
        super().__init__(limit)
        self.budget = budget
        self._requests = requests
        self._pending = pending

    def try_acquire(self) -> bool:
        if self.budget is not None:
            share = int((self._requests.active + self._pending.active) * self.budget.budget_percent / 100)
            self.limit = max(share, self.budget.min_retry_concurrency)
        return Resource.try_acquire(self)


class CircuitBreakers:
    """Those of one cluster; `apply` changes the limits and keeps what is counted."""

    __slots__ = ("connections", "pending_requests", "requests", "retries")

    def __init__(self, thresholds: CircuitBreakerThresholds) -> None:
        self.connections = Resource(thresholds.max_connections)
        self.pending_requests = Resource(thresholds.max_pending_requests)
        self.requests = Resource(thresholds.max_requests)
        self.retries = RetryResource(
            thresholds.max_retries, thresholds.retry_budget, self.requests, self.pending_requests
        )

    def apply(self, thresholds: CircuitBreakerThresholds) -> None:
        self.connections.limit = thresholds.max_connections
        self.pending_requests.limit = thresholds.max_pending_requests
        self.requests.limit = thresholds.max_requests
        self.retries.limit = thresholds.max_retries
        self.retries.budget = thresholds.retry_budget
