"""Circuit breakers of two workers, both in this process, over the memory that real ones map."""

from collections.abc import Callable, Iterator

import pytest

from pymesh.proxy.upstream.circuit_breaker import CircuitBreakers, CircuitBreakerThresholds, RetryBudget
from pymesh.proxy.workers.breaker_cells import BreakerCells, MappedCells
from pymesh.xds import CLUSTER, ROUTE, DeltaResource, DeltaResponse

RESOURCES = ("connections", "pending_requests", "requests", "retries")
TWO_OF_EACH = CircuitBreakerThresholds(2, 2, 2, 2)


@pytest.fixture
def cells() -> Iterator[BreakerCells]:
    cells = BreakerCells(workers=2, most_clusters=3)
    yield cells
    cells.close()


@pytest.fixture
def breakers_of(cells: BreakerCells) -> Callable[..., CircuitBreakers]:
    """breakers_of(worker, cluster)"""
    workers = [MappedCells(cells.fd, 2, own) for own in range(2)]

    def build(
        worker: int, cluster: str = "c", thresholds: CircuitBreakerThresholds = TWO_OF_EACH, is_high: bool = False
    ) -> CircuitBreakers:
        workers[worker].learn(cells.places_of([clusters(cluster)]))
        return workers[worker].build_breakers(cluster, thresholds, is_high)

    return build


def clusters(*names: str) -> DeltaResponse:
    return DeltaResponse(CLUSTER, "n", tuple(DeltaResource(name, "1", {}) for name in names))


@pytest.mark.parametrize("name", RESOURCES)
def test_a_limit_holds_for_both_workers_together(breakers_of, name: str) -> None:
    one, two = (getattr(breakers_of(worker), name) for worker in range(2))
    assert one.try_acquire()
    assert two.try_acquire()
    assert not one.try_acquire()
    assert not two.try_acquire()
    assert (one.active, two.active, one.total(), one.overflow, two.overflow) == (1, 1, 2, 1, 1)
    one.release()
    assert two.try_acquire()
    assert two.active == 2


def test_a_worker_may_have_all(breakers_of) -> None:
    one, two = breakers_of(0).requests, breakers_of(1).requests
    assert one.try_acquire()
    assert one.try_acquire()
    assert not two.try_acquire()


def test_what_is_taken_beyond_the_limit_counts_for_all(breakers_of) -> None:
    one, two = breakers_of(0).connections, breakers_of(1).connections
    for _ in range(3):
        one.acquire()
    one.release()
    assert not two.try_acquire()
    one.release()
    assert two.try_acquire()


def test_resources_clusters_and_priorities_do_not_count_against_each_other(breakers_of) -> None:
    one, others = breakers_of(0, "c"), (breakers_of(1, "d"), breakers_of(1, "c", is_high=True))
    for name in RESOURCES:
        getattr(one, name).acquire()
        getattr(one, name).acquire()
    assert all(getattr(other, name).total() == 0 for name in RESOURCES for other in others)
    assert one.requests.total() == one.retries.total() == 2


def test_what_a_dead_worker_had_is_free_again(breakers_of, cells: BreakerCells) -> None:
    dead, living = breakers_of(0), breakers_of(1)
    for name in RESOURCES:
        getattr(dead, name).acquire()
        getattr(living, name).acquire()
    cells.clear(0)
    assert [getattr(living, name).total() for name in RESOURCES] == [1, 1, 1, 1]
    assert breakers_of(0).requests.try_acquire()


def test_a_retry_budget_is_a_share_of_what_both_have_in_flight(breakers_of) -> None:
    thresholds = CircuitBreakerThresholds(1000, 1000, 1000, 0, RetryBudget(20.0, 1))
    one, two = breakers_of(0, "c", thresholds), breakers_of(1, "c", thresholds)
    for _ in range(5):
        one.requests.acquire()
        two.requests.acquire()
    assert one.retries.try_acquire()
    assert two.retries.try_acquire()
    assert not one.retries.try_acquire()


def test_new_limits_hold_for_what_is_counted_already(breakers_of) -> None:
    one, two = breakers_of(0), breakers_of(1)
    one.requests.acquire()
    two.apply(CircuitBreakerThresholds(max_requests=1))
    assert not two.requests.try_acquire()


def test_a_cluster_keeps_its_place_and_other_resources_have_none(cells: BreakerCells) -> None:
    routes = DeltaResponse(ROUTE, "n", (DeltaResource("r", "1", {}),))
    assert cells.places_of([clusters("a", "b"), routes]) == {"a": 0, "b": 1}
    assert cells.places_of([clusters("c", "a")]) == {"c": 2, "a": 0}


def test_clusters_for_which_there_is_no_place_are_counted_by_each_worker(breakers_of, cells: BreakerCells) -> None:
    cells.places_of([clusters("x", "y", "z")])
    one, two = breakers_of(0, "late").requests, breakers_of(1, "late").requests
    one.acquire()
    one.acquire()
    assert not one.try_acquire()
    assert two.try_acquire()
