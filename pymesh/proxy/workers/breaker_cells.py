"""The memory in which all workers count what a cluster has in use: made by the supervisor, mapped by each worker.

Four resources for each of two priorities a cluster, a cell a worker. The supervisor says which cluster has which place;
a cluster that comes after the last place is given away is counted by each worker alone.
"""

import mmap
import os
from collections.abc import Iterable, Mapping, Sequence

from pymesh.proxy.upstream.circuit_breaker import CircuitBreakers, CircuitBreakerThresholds
from pymesh.proxy.upstream.shared_circuit_breaker import build_shared_breakers
from pymesh.xds import CLUSTER, DeltaResponse

MOST_CLUSTERS = 16_384  # by name, ever: pages that nobody has written cost nothing

_OF_A_PRIORITY = 4
_RESOURCES = 2 * _OF_A_PRIORITY
_CELL = 8


class BreakerCells:
    """Of the supervisor; `fd` is what workers inherit."""

    def __init__(self, workers: int, most_clusters: int = MOST_CLUSTERS) -> None:
        self.fd = os.memfd_create("pymesh-circuit-breakers")
        os.truncate(self.fd, most_clusters * _RESOURCES * workers * _CELL)
        self._workers = workers
        self._most_clusters = most_clusters
        self._places: dict[str, int] = {}
        self._memory = mmap.mmap(self.fd, 0)
        self._cells = memoryview(self._memory).cast("q")

    def places_of(self, responses: Iterable[DeltaResponse]) -> dict[str, int]:
        """The place of each cluster among them. A name keeps its place: its old connections count on."""
        names = [r.name for response in responses if response.type_url == CLUSTER for r in response.resources]
        for name in names:
            if name not in self._places and len(self._places) < self._most_clusters:
                self._places[name] = len(self._places)
        return {name: self._places[name] for name in names if name in self._places}

    def clear(self, worker: int) -> None:
        """It has died, and with it all that it had in use."""
        for index in range(worker, len(self._places) * _RESOURCES * self._workers, self._workers):
            self._cells[index] = 0

    def close(self) -> None:
        self._cells.release()
        self._memory.close()
        os.close(self.fd)


class MappedCells:
    """Of a worker. `places` are those of its clusters, as far as the supervisor has told."""

    def __init__(self, fd: int, workers: int, own: int) -> None:
        self.places: dict[str, int] = {}
        self._cells = memoryview(mmap.mmap(fd, 0)).cast("q")
        self._workers = workers
        self._own = own

    def learn(self, places: Mapping[str, int]) -> None:
        self.places.update(places)

    def build_breakers(
        self, cluster: str, thresholds: CircuitBreakerThresholds, is_high_priority: bool
    ) -> CircuitBreakers:
        place = self.places.get(cluster)
        if place is None:
            return CircuitBreakers(thresholds)
        return build_shared_breakers(
            thresholds, self._cells_of(place * _RESOURCES + _OF_A_PRIORITY * is_high_priority), self._own
        )

    def _cells_of(self, first: int) -> Sequence[memoryview]:
        starts = [(first + n) * self._workers for n in range(_OF_A_PRIORITY)]
        return [self._cells[start : start + self._workers] for start in starts]
