"""Requests that read: one object, a list of them, a watch."""

from collections.abc import Mapping

from aiohttp import web

from pymesh.control.api.namespaces import find_object, list_objects
from pymesh.control.api.negotiation import TABLE
from pymesh.control.api.paging import cut_page
from pymesh.control.api.representation import LISTS, OBJECTS
from pymesh.control.api.request_options import is_true, parse_number
from pymesh.control.api.responses import respond
from pymesh.control.api.selectors import Predicate, parse_field_selector, parse_label_selector
from pymesh.control.api.status import RequestError
from pymesh.control.api.target import Target, accepted_of, form_of
from pymesh.control.api.watch import LONGEST_WATCH_SECONDS, WatchOptions, serve_watch
from pymesh.control.store.errors import NotFoundError, RevisionGoneError
from pymesh.control.store.store import ConfigStore


class Reads:
    """One method an operation. PymeshErrors become Status objects in the caller."""

    def __init__(self, store: ConfigStore) -> None:
        self._store = store

    async def get(self, request: web.Request, target: Target) -> web.StreamResponse:
        accepted = accepted_of(request, OBJECTS)
        resource = await find_object(self._store, target.key)
        if resource is None:
            raise NotFoundError(target.key)
        return respond(form_of(request, target, accepted).build_object(resource), accepted)

    async def list(self, request: web.Request, target: Target) -> web.StreamResponse:
        query = request.query
        is_wanted = parse_selectors(query, target)
        if is_true(query, "watch"):
            return await self._watch(request, target, is_wanted)
        accepted = accepted_of(request, LISTS)
        revision = self._store.revision
        _check_version(query, revision)
        present = await list_objects(self._store, target.kind, target.namespace)
        wanted = [one for one in present if is_wanted(one)]
        page = cut_page(wanted, revision, parse_number(query, "limit") or 0, query.get("continue", ""))
        return respond(form_of(request, target, accepted).build_list(page.resources, page.metadata), accepted)

    async def _watch(self, request: web.Request, target: Target, is_wanted: Predicate) -> web.StreamResponse:
        query = request.query
        accepted = accepted_of(request, (TABLE, *OBJECTS))
        sends_initial = is_true(query, "sendInitialEvents")
        wants_bookmarks = is_true(query, "allowWatchBookmarks")
        since = parse_number(query, "resourceVersion")
        options = WatchOptions(
            form_of(request, target, accepted),
            is_wanted,
            None if sends_initial else since or None,  # 0 as well as none: from what is there
            min(parse_number(query, "timeoutSeconds") or LONGEST_WATCH_SECONDS, LONGEST_WATCH_SECONDS),
            wants_bookmarks,
            sends_initial and wants_bookmarks,
        )
        return await serve_watch(request, self._store, options)


def parse_selectors(query: Mapping[str, str], target: Target) -> Predicate:
    """Raises RequestError."""
    has_labels = parse_label_selector(query.get("labelSelector", ""))
    has_fields = parse_field_selector(query.get("fieldSelector", ""))
    namespace, name = target.namespace, target.name
    return lambda one: (
        namespace in (None, one.namespace) and name in ("", one.name) and has_labels(one) and has_fields(one)
    )


def _check_version(query: Mapping[str, str], revision: int) -> None:
    """A list is always of now. Raises RevisionGoneError for the exact state of another time, RequestError for one that
    is to come."""
    version = parse_number(query, "resourceVersion")
    if not version or query.get("continue"):
        return
    if version > revision:
        raise RequestError(f"Too large resource version: {version}, current: {revision}", 504, "Timeout")
    if query.get("resourceVersionMatch") == "Exact" and version != revision:
        raise RevisionGoneError(version, revision, revision)
