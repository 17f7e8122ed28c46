"""A watch: JSON lines, one an event, until the client goes or the time that it asked for is over.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec
from aiohttp import web

from pymesh.control.api.representation import Form
from pymesh.control.api.selectors import Predicate
from pymesh.control.api.status import failure
from pymesh.control.store.errors import RevisionGoneError
from pymesh.control.store.store import ConfigStore, Event

# Between events: look whether the client is still there, and tell it the revision if it takes bookmarks.
HEARTBEAT_SECONDS = 10.0
LONGEST_WATCH_SECONDS = 24 * 3600.0


class WatchOptions(NamedTuple):
    """`since` None: start with what is there. `timeout` in seconds, None for no end. `marks_initial`: a bookmark says
    where what is there ends."""

    form: Form
    is_wanted: Predicate
    since: int | None
    timeout: float | None
    wants_bookmarks: bool
    marks_initial: bool = False


async def serve_watch(
    request: web.Request, store: ConfigStore, options: WatchOptions, heartbeat: float = HEARTBEAT_SECONDS
) -> web.StreamResponse:
    """Raises RevisionGoneError if the watch cannot start; later that is an ERROR event, as the head is sent then."""
    revision = store.revision
    present = await store.list(options.form.kind.name) if options.since is None else []
    events = store.watch(revision if options.since is None else options.since)
    upcoming = _Upcoming(events)
    await upcoming.check_start()
    watch = _Watch(web.StreamResponse(headers={"Content-Type": "application/json"}), options)
    await watch.response.prepare(request)
    try:
        async with asyncio.timeout(options.timeout):
            for resource in filter(options.is_wanted, present):
                await watch.write("ADDED", options.form.build_object(resource))
            if options.marks_initial:
                await watch.write_bookmark(revision, ends_initial=True)
            while not _has_left(request):
                await watch.on_event(await upcoming.take(heartbeat), store.revision)
    except RevisionGoneError as error:
        await watch.write("ERROR", failure(error))
    except (TimeoutError, ConnectionResetError):
        pass  # the end that the client asked for, or it has gone
    finally:
        await upcoming.aclose()
    return watch.response


class _Upcoming:
    """The next event of a watch; waiting for it with a limit does not lose it."""

    def __init__(self, events: AsyncIterator[Event]) -> None:
        self._events = events
        self._next = asyncio.ensure_future(anext(events))

    async def check_start(self) -> None:
        """A watch from a revision that is not kept fails in its first step: raise that."""
        await asyncio.wait({self._next}, timeout=0)
        if self._next.done():
            self._next.result()

    async def take(self, timeout: float) -> Event | None:
        """None if nothing came within `timeout` seconds."""
        await asyncio.wait({self._next}, timeout=timeout)
        if not self._next.done():
            return None
        event = self._next.result()
        self._next = asyncio.ensure_future(anext(self._events))
        return event

    async def aclose(self) -> None:
        self._next.cancel()
        with suppress(asyncio.CancelledError, RevisionGoneError):
            await self._next


class _Watch:
    def __init__(self, response: web.StreamResponse, options: WatchOptions) -> None:
        self.response = response
        self._options = options

    async def on_event(self, event: Event | None, revision: int) -> None:
        """Write the event if it is wanted; without one, a bookmark."""
        if event is None:
            if self._options.wants_bookmarks:
                await self.write_bookmark(revision)
            return
        form = self._options.form
        if event.resource.kind == form.kind and (event_type := self._seen_type(event)) is not None:
            await self.write(event_type, form.build_object(event.resource))

    async def write(self, event_type: str, item: dict[str, Any]) -> None:
        await self.response.write(msgspec.json.encode({"type": event_type, "object": item}) + b"\n")

    async def write_bookmark(self, revision: int, ends_initial: bool = False) -> None:
        await self.write("BOOKMARK", self._options.form.build_bookmark(revision, ends_initial))

    def _seen_type(self, event: Event) -> str | None:
        """What happened as seen through the selectors: an object that stops to match is gone."""
        is_wanted = self._options.is_wanted
        was_there = event.previous is not None and is_wanted(event.previous)
        is_there = event.type != "DELETED" and is_wanted(event.resource)
        return {(False, True): "ADDED", (True, True): "MODIFIED", (True, False): "DELETED"}.get((was_there, is_there))


def _has_left(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()
