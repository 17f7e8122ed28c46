"""Circuit breakers of a cluster that several worker processes count together, each in cells of its own.

As in Envoy, whose threads share them, a limit holds for the whole proxy and may be exceeded when several workers take
the last place at the same moment, by at most one for each other worker.

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/circuit_breaking
"""

from collections.abc import Sequence

from pymesh.proxy.upstream.circuit_breaker import (
    CircuitBreakers,
    CircuitBreakerThresholds,
    Resource,
    RetryBudget,
    RetryResource,
)

# What all workers have in use of one resource: a signed 64-bit integer each.
Cells = memoryview


class _Shared(Resource):
    """`active` is this process's; `total` that of all workers. Only the `own` cell is written here."""

    __slots__ = ()
    _cells: Cells
    _own: int

    def try_acquire(self) -> bool:
        if sum(self._cells) >= self.limit:
            self.overflow += 1
            return False
        self.acquire()
        return True

    def acquire(self) -> None:
        self.active += 1
        self._cells[self._own] += 1

    def release(self) -> None:
        self.active -= 1
        self._cells[self._own] -= 1

    def total(self) -> int:
        return sum(self._cells)


class SharedResource(_Shared):
    __slots__ = ("_cells", "_own")

    def __init__(self, limit: int, cells: Cells, own: int) -> None:
        super().__init__(limit)
        self._cells = cells
        self._own = own


class SharedRetryResource(RetryResource, _Shared):
    """Its budget is a share of what all workers have in flight."""

    __slots__ = ("_cells", "_own")

    def __init__(self, limit: int, budget: RetryBudget | None, requests: Resource, cells: Cells, own: int) -> None:
        super().__init__(limit, budget, requests)
        self._cells = cells
        self._own = own


def build_shared_breakers(thresholds: CircuitBreakerThresholds, cells: Sequence[Cells], own: int) -> CircuitBreakers:
    """`cells` of connections, pending requests, requests and retries, in this order."""
    connections, pending, requests, retries = cells
    breakers = CircuitBreakers(thresholds)
    breakers.connections = SharedResource(thresholds.max_connections, connections, own)
    breakers.pending_requests = SharedResource(thresholds.max_pending_requests, pending, own)
    breakers.requests = SharedResource(thresholds.max_requests, requests, own)
    breakers.retries = SharedRetryResource(
        thresholds.max_retries,
        thresholds.retry_budget,
        breakers.requests,
        retries,
        own,
    )
    return breakers
