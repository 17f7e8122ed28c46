"""Time and names as the tests say."""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from typing import Any

import pytest


class _Timer:
    def __init__(self) -> None:
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class FakeClock:
    """An event loop's clock that moves only when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._order = itertools.count()
        self._calls: list[tuple[float, int, Callable[[], object], _Timer]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], object]) -> Any:
        timer = _Timer()
        heapq.heappush(self._calls, (when, next(self._order), callback, timer))
        return timer

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while self._calls and self._calls[0][0] <= end:
            when, _, callback, timer = heapq.heappop(self._calls)
            self.now = max(self.now, when)
            if not timer.is_cancelled:
                callback()
        self.now = end

    @property
    def pending(self) -> int:
        return sum(not timer.is_cancelled for _, _, _, timer in self._calls)


class FakeResolver:
    """`answers` by name; what is not there fails."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[str, ...]] = {}
        self.hanging: set[str] = set()
        self.asked: list[str] = []

    async def resolve(self, host: str, lookup_family: str) -> tuple[str, ...]:
        self.asked.append(host)
        if host in self.hanging:
            await asyncio.Event().wait()
        if host not in self.answers:
            raise OSError("Name or service not known")
        return self.answers[host]


class FakePool:
    connection_count = 2
    request_count = 5

    def __init__(self) -> None:
        self.is_drained = False

    def drain(self) -> None:
        self.is_drained = True


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def resolver() -> FakeResolver:
    return FakeResolver()


@pytest.fixture
def make_pool() -> type[FakePool]:
    return FakePool


@pytest.fixture
def settle() -> Callable[[], Any]:
    """Let the tasks that are ready run to their next wait."""

    async def run() -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    return run
