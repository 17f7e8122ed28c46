"""A store in memory, and the journal through which another module makes it durable."""

import asyncio
import builtins
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import uuid4

from pymesh.control.model.resource import Key, Resource
from pymesh.control.store.errors import AlreadyExistsError, ConflictError, NotFoundError
from pymesh.control.store.history import HISTORY_LIMIT, History
from pymesh.control.store.stamp import stamp_created, stamp_deleted, stamp_replaced
from pymesh.control.store.store import Event


class Journal(Protocol):
    """Takes each event before it counts. When `write` returns, the event must survive a crash; if it raises, the event
    did not happen."""

    async def write(self, event: Event) -> None: ...

    async def aclose(self) -> None: ...


class NoJournal:
    """Nothing is durable."""

    async def write(self, event: Event) -> None:
        return

    async def aclose(self) -> None:
        return


def _utc_now() -> datetime:
    return datetime.now(UTC)


class MemoryStore:
    """All objects in one dict; one write at a time. Satisfies ConfigStore."""

    def __init__(
        self,
        resources: Iterable[Resource[Any]] = (),
        revision: int = 0,
        journal: Journal | None = None,
        now: Callable[[], datetime] = _utc_now,
        history_limit: int = HISTORY_LIMIT,
    ) -> None:
        self._resources = {resource.key: resource for resource in resources}
        self._history = History(revision, history_limit)
        self._journal = journal or NoJournal()
        self._now = now
        self._lock = asyncio.Lock()
        self._writes: set[asyncio.Task[Resource[Any]]] = set()

    def __repr__(self) -> str:
        return f"<MemoryStore objects={len(self._resources)} revision={self.revision}>"

    @property
    def revision(self) -> int:
        return self._history.revision

    async def get(self, kind: str, namespace: str, name: str) -> Resource[Any] | None:
        return self._resources.get(Key(kind, namespace, name))

    async def list(self, kind: str | None = None, namespace: str | None = None) -> builtins.list[Resource[Any]]:
        keys = (key for key in self._resources if kind in (None, key.kind) and namespace in (None, key.namespace))
        return [self._resources[key] for key in sorted(keys)]

    async def create(self, resource: Resource[Any]) -> Resource[Any]:
        def plan(revision: int) -> Event:
            if resource.key in self._resources:
                raise AlreadyExistsError(resource.key)
            return Event("ADDED", stamp_created(resource, revision, self._now(), str(uuid4())), revision)

        return await self._write(plan)

    async def replace(self, resource: Resource[Any], expected_version: str | None) -> Resource[Any]:
        def plan(revision: int) -> Event:
            old = self._expect(resource.key, expected_version)
            return Event("MODIFIED", stamp_replaced(old, resource, revision), revision, old)

        return await self._write(plan)

    async def delete(self, kind: str, namespace: str, name: str, expected_version: str | None = None) -> Resource[Any]:
        def plan(revision: int) -> Event:
            old = self._expect(Key(kind, namespace, name), expected_version)
            return Event("DELETED", stamp_deleted(old, revision), revision, old)

        return await self._write(plan)

    def watch(self, since: int) -> AsyncIterator[Event]:
        return self._history.watch(since)

    async def aclose(self) -> None:
        await asyncio.gather(*self._writes, return_exceptions=True)
        await self._journal.aclose()

    def _expect(self, key: Key, version: str | None) -> Resource[Any]:
        stored = self._resources.get(key)
        if stored is None:
            raise NotFoundError(key)
        if version is not None and version != stored.metadata.resource_version:
            raise ConflictError(key, version, stored.metadata.resource_version)
        return stored

    async def _write(self, plan: Callable[[int], Event]) -> Resource[Any]:
        # A task of its own, so that a caller who is cancelled cannot leave journal and memory apart.
        write = asyncio.get_running_loop().create_task(self._commit(plan))
        self._writes.add(write)
        write.add_done_callback(self._writes.discard)
        return await asyncio.shield(write)

    async def _commit(self, plan: Callable[[int], Event]) -> Resource[Any]:
        async with self._lock:
            event = plan(self.revision + 1)
            if event.type == "MODIFIED" and event.resource is event.previous:
                return event.resource
            await self._journal.write(event)
            self._apply(event)
            return event.resource

    def _apply(self, event: Event) -> None:
        if event.type == "DELETED":
            del self._resources[event.resource.key]
        else:
            self._resources[event.resource.key] = event.resource
        self._history.append(event)
