"""Timeouts by the thousand: one FIFO for each duration and purpose, and one loop timer for each FIFO.

All timeouts of a queue last the same, so the first that was started is the first that is due: starting and stopping
one is a dict operation, and the loop sees one timer a queue, not one a request. What is idle most of its life and
busy often is watched instead: being busy costs it nothing but a note of the time.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Protocol

# Beyond so many of one purpose, queues that nobody waits in are forgotten; and beyond so many purposes.
MAX_QUEUES = 1024


class Clock(Protocol):
    """What timers ask of an event loop; tests bring their own."""

    def time(self) -> float: ...

    def call_at(self, when: float, callback: Callable[[], object], /) -> asyncio.TimerHandle: ...


class LoopClock:
    """A loop's timers with the exact time: uvloop's own stands still, to the millisecond, while callbacks run."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.time = time.monotonic
        self.call_at = loop.call_at


class TimerQueue:
    """Calls `fire(owner)` for each owner that was started `duration` seconds ago and was not stopped.

    An owner is in a queue at most once; it is kept alive only while it is there.
    """

    __slots__ = ("_clock", "_deadlines", "_fire", "_handle", "_time", "duration")

    def __init__(self, duration: float, fire: Callable[[Any], None], clock: Clock) -> None:
        self.duration = duration
        self._fire = fire
        self._clock = clock
        self._time = clock.time
        self._deadlines: dict[object, float] = {}
        self._handle: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._deadlines)

    def start(self, owner: object) -> None:
        """Begin, or begin anew."""
        deadlines, time = self._deadlines, self._time
        if owner in deadlines:
            del deadlines[owner]
        deadline = deadlines[owner] = time() + self.duration
        if self._handle is None:
            self._handle = self._clock.call_at(deadline, self._run)

    def begin(self, owner: object, now: float) -> None:
        """`start` for an owner that is not in the queue, by somebody who has just asked for the time."""
        deadline = self._deadlines[owner] = now + self.duration
        if self._handle is None:
            self._handle = self._clock.call_at(deadline, self._run)

    def stop(self, owner: object) -> None:
        """No effect where the owner is not in the queue."""
        self._deadlines.pop(owner, None)

    def _run(self) -> None:
        self._handle = None
        deadlines, now = self._deadlines, self._time()
        try:
            while deadlines:
                owner, deadline = next(iter(deadlines.items()))
                if deadline > now:
                    break
                del deadlines[owner]
                self._fire(owner)
        finally:  # also where `fire` had a bug: the others' timeouts must go on
            if deadlines and self._handle is None:
                self._handle = self._clock.call_at(next(iter(deadlines.values())), self._run)


class IdleWatch:
    """Calls `fire(owner)` when an owner has been idle for `duration` seconds; `since(owner)` says since when, in the
    clock's time, and None while it is not idle. Between `watch` and `forget` it may change its mind at no cost.

    It fires late by at most a 64th of the duration, so that many owners do not mean many looks at all of them.
    """

    __slots__ = ("_clock", "_fire", "_handle", "_owners", "_since", "duration")

    def __init__(
        self, duration: float, since: Callable[[Any], float | None], fire: Callable[[Any], None], clock: Clock
    ) -> None:
        self.duration = duration
        self._since = since
        self._fire = fire
        self._clock = clock
        self._owners: set[object] = set()
        self._handle: asyncio.TimerHandle | None = None

    def watch(self, owner: object) -> None:
        self._owners.add(owner)
        if self._handle is None:
            self._handle = self._clock.call_at(self._clock.time() + self.duration, self._run)

    def forget(self, owner: object) -> None:
        """No effect where the owner is not watched."""
        self._owners.discard(owner)

    def _run(self) -> None:
        self._handle = None
        now = self._clock.time()
        # Whoever becomes idle from now on is not due before this.
        earliest = now + self.duration
        try:
            for owner in tuple(self._owners):
                since = self._since(owner)
                if since is None:
                    continue
                if since + self.duration <= now:
                    self._fire(owner)
                else:
                    earliest = min(earliest, since + self.duration)
        finally:  # also where `fire` had a bug: the others' timeouts must go on
            if self._owners:
                self._handle = self._clock.call_at(max(earliest, now + self.duration / 64), self._run)


class _Queues(dict[float, TimerQueue]):
    """Those of one purpose, by their duration in seconds."""

    def __init__(self, fire: Callable[[Any], None], clock: Clock) -> None:
        super().__init__()
        self._fire = fire
        self._clock = clock

    def __missing__(self, duration: float) -> TimerQueue:
        """Requests may name durations of their own. Who keeps a forgotten queue can still use it."""
        if len(self) >= MAX_QUEUES:
            for known in [known for known, queue in self.items() if not len(queue)]:
                del self[known]
        queue = self[duration] = TimerQueue(duration, self._fire, self._clock)
        return queue


class _Purposes(dict[Callable[[Any], None], _Queues]):
    """By what is called for those whose time is over."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def __missing__(self, fire: Callable[[Any], None]) -> _Queues:
        if len(self) >= MAX_QUEUES:
            for known in [known for known, queues in self.items() if not any(map(len, queues.values()))]:
                del self[known]
        queues = self[fire] = _Queues(fire, self._clock)
        return queues


class Timers:
    """All queues and watches of a process, made on demand. `queues[fire][duration]` is what `queue` returns, at the
    price of two lookups."""

    __slots__ = ("_clock", "_watches", "queues", "time")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.time = clock.time
        self._watches: dict[tuple[float, object, object], IdleWatch] = {}
        self.queues = _Purposes(clock)

    def queue(self, duration: float, fire: Callable[[Any], None]) -> TimerQueue:
        """The queue of this duration (seconds) and purpose; keep it rather than ask again for each request."""
        return self.queues[fire][duration]

    def idle_watch(
        self, duration: float, since: Callable[[Any], float | None], fire: Callable[[Any], None]
    ) -> IdleWatch:
        """The watch of this duration (seconds) and purpose."""
        key = (duration, since, fire)
        watch = self._watches.get(key)
        if watch is None:
            watch = self._watches[key] = IdleWatch(duration, since, fire, self._clock)
        return watch

    def call_later(self, delay: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
        """For what is rare and lasts differently each time: a retry's back-off, a delay fault."""
        return self._clock.call_at(self._clock.time() + delay, callback)
