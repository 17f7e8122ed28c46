"""Timeouts by the thousand: one FIFO for each duration and purpose, and one loop timer for each FIFO.

All timeouts of a queue last the same, so the first that was started is the first that is due: starting and stopping
one is a dict operation, and the loop sees one timer a queue, not one a request.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol


class Clock(Protocol):
    """What timers ask of an event loop; tests bring their own."""

    def time(self) -> float: ...

    def call_at(self, when: float, callback: Callable[[], object], /) -> asyncio.TimerHandle: ...


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
        deadlines = self._deadlines
        if owner in deadlines:
            del deadlines[owner]
        deadline = deadlines[owner] = self._time() + self.duration
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


class Timers:
    """All queues of a process, made on demand."""

    __slots__ = ("_clock", "_queues", "time")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.time = clock.time
        self._queues: dict[tuple[float, Callable[[Any], None]], TimerQueue] = {}

    def queue(self, duration: float, fire: Callable[[Any], None]) -> TimerQueue:
        """The queue of this duration (seconds) and purpose; keep it rather than ask again for each request."""
        key = (duration, fire)
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = TimerQueue(duration, fire, self._clock)
        return queue

    def call_later(self, delay: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
        """For what is rare and lasts differently each time: a retry's back-off, a delay fault."""
        return self._clock.call_at(self._clock.time() + delay, callback)
