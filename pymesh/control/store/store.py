"""The contract of every store. `tests/contract` holds the suite that a store must pass."""

from collections.abc import AsyncIterator
from typing import Any, Literal, NamedTuple, Protocol

from pymesh.control.model.resource import Resource

EventType = Literal["ADDED", "MODIFIED", "DELETED"]


class Event(NamedTuple):
    """One change. `resource` of a DELETED event is the last state, with the revision of the deletion as its version.

    `previous` is the state before, None for ADDED.
    """

    type: EventType
    resource: Resource[Any]
    revision: int
    previous: Resource[Any] | None = None


class ConfigStore(Protocol):
    """Objects by (kind name, namespace, name) and one revision counter over all of them.

    The store alone sets creation time, uid, generation (counts changes of the spec) and resourceVersion (the revision
    of the last change, as text). What it has acknowledged survives a crash, if it survives restarts at all. Revisions
    are never used again. A write whose caller is cancelled happens whole or not at all.
    """

    @property
    def revision(self) -> int:
        """Of the last change of any object; 0 where there was none."""

    async def get(self, kind: str, namespace: str, name: str) -> Resource[Any] | None: ...

    async def list(self, kind: str | None = None, namespace: str | None = None) -> list[Resource[Any]]:
        """Ordered by kind, namespace, name. Read `revision` before to know from where to watch."""

    async def create(self, resource: Resource[Any]) -> Resource[Any]:
        """The stored resource. Raises AlreadyExistsError."""

    async def replace(self, resource: Resource[Any], expected_version: str | None) -> Resource[Any]:
        """The stored resource; the same as before, with no event, where nothing differs.

        Raises NotFoundError, and ConflictError where `expected_version` is given and is not the stored one.
        """

    async def delete(self, kind: str, namespace: str, name: str, expected_version: str | None = None) -> Resource[Any]:
        """The last state. Raises NotFoundError and ConflictError."""

    def watch(self, since: int) -> AsyncIterator[Event]:
        """Endless: every change after revision `since`, in order. Raises RevisionGoneError, at once or when the
        watcher has fallen behind what is kept."""

    async def aclose(self) -> None: ...
