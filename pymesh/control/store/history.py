"""The last events of a store, bounded, and the watches that read them. Watchers have no queues of their own."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from pymesh.control.store.errors import RevisionGoneError
from pymesh.control.store.store import Event

HISTORY_LIMIT = 10_000


class History:
    """Events since the store was opened, `limit` at most. `revision` is that of the last one."""

    def __init__(self, revision: int, limit: int = HISTORY_LIMIT) -> None:
        self.revision = revision
        self._oldest = revision  # the first revision after which all is kept
        self._events: deque[Event] = deque()
        self._limit = limit
        self._appended = asyncio.Event()

    def append(self, event: Event) -> None:
        self._events.append(event)
        if len(self._events) > self._limit:
            self._oldest = self._events.popleft().revision
        self.revision = event.revision
        self._appended.set()
        self._appended = asyncio.Event()

    async def watch(self, since: int) -> AsyncIterator[Event]:
        """Every event after `since`. Raises RevisionGoneError."""
        while True:
            appended = self._appended
            for event in self._after(since):
                since = event.revision
                yield event
            if since == self.revision:
                await appended.wait()

    def _after(self, since: int) -> list[Event]:
        if not self._oldest <= since <= self.revision:
            raise RevisionGoneError(since, self._oldest, self.revision)
        # Revisions count one by one, so the place of an event follows from its number.
        first = len(self._events) - (self.revision - since)
        return [self._events[index] for index in range(first, min(first + 256, len(self._events)))]
