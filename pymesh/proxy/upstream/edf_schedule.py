"""Earliest deadline first: weighted round robin with weights that may change at every choice. Pure.

Envoy: source/common/upstream/edf_scheduler.h.
"""

from collections.abc import Callable, Sequence
from heapq import heapify, heapreplace
from typing import Generic, TypeVar

T = TypeVar("T")


class EdfSchedule(Generic[T]):
    """Each choice puts an item off by 1 / its weight, so a heavy one comes round sooner. Weights are above 0."""

    __slots__ = ("_heap", "_weight")

    def __init__(self, items: Sequence[T], weight: Callable[[T], float], random_value: Callable[[], float]) -> None:
        self._weight = weight
        # A random share of the first period, so that proxies that start at once do not move in step.
        self._heap = [(random_value() / weight(item), i, item) for i, item in enumerate(items)]
        heapify(self._heap)

    def choose(self) -> T:
        deadline, order, item = self._heap[0]
        heapreplace(self._heap, (deadline + 1 / self._weight(item), order, item))
        return item
