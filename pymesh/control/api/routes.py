"""The URLs of the API and what they do. `api_routes(store)` is all that the control plane's composition needs.

/apis/<group>/<version>/namespaces/<namespace>/<plural>[/<name>]    /apis/<group>/<version>/<plural>
/api/v1/namespaces/<namespace>/{services,secrets}[/<name>]          /api/v1/{services,secrets}
"""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec
from aiohttp import web

from pymesh.control.api.body import read_object
from pymesh.control.api.columns import utc_now
from pymesh.control.api.representation import build_list, build_table, wants_table
from pymesh.control.api.selectors import Predicate, parse_field_selector, parse_label_selector
from pymesh.control.api.status import RequestError, failure, respond, success
from pymesh.control.api.watch import WatchOptions, serve_watch
from pymesh.control.model.kinds import Kind, kind_at
from pymesh.control.model.resource import Key, Resource
from pymesh.control.model.serializer import decode, encode
from pymesh.control.store.errors import AlreadyExistsError, ConflictError, NotFoundError
from pymesh.control.store.store import ConfigStore
from pymesh.errors import PymeshError

_ROOTS = ("/apis/{group}/{version}", "/api/{version}")


def api_routes(store: ConfigStore) -> list[web.RouteDef]:
    api = _ResourceApi(store)
    routes: list[web.RouteDef] = []
    for root in _ROOTS:
        collection = f"{root}/namespaces/{{namespace}}/{{plural}}"
        routes += [
            web.get(f"{root}/{{plural}}", _handler(api.list), allow_head=False),
            web.get(collection, _handler(api.list), allow_head=False),
            web.post(collection, _handler(api.create)),
            web.get(f"{collection}/{{name}}", _handler(api.get), allow_head=False),
            web.put(f"{collection}/{{name}}", _handler(api.replace)),
            web.delete(f"{collection}/{{name}}", _handler(api.delete)),
        ]
    return routes


class _Target(NamedTuple):
    """What a URL means. `namespace` None: all of them; `name` empty: the collection."""

    kind: Kind
    api_version: str
    namespace: str | None
    name: str

    @property
    def key(self) -> Key:
        return Key(self.kind.name, self.namespace or "", self.name)


_Action = Callable[[web.Request, _Target], Awaitable[web.StreamResponse]]


def _handler(action: _Action) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        kind, name = None, request.match_info.get("name", "")
        try:
            target = _target_of(request)
            kind = target.kind
            return await action(request, target)
        except PymeshError as error:
            return respond(failure(error, kind, name))

    return handle


def _target_of(request: web.Request) -> _Target:
    match = request.match_info
    group, version = match.get("group", ""), match["version"]
    kind = kind_at(group, version, match["plural"])
    if kind is None:
        raise RequestError("the server could not find the requested resource", 404, "NotFound")
    api_version = f"{group}/{version}" if group else version
    return _Target(kind, api_version, match.get("namespace"), match.get("name", ""))


class _ResourceApi:
    """One method an operation. PymeshErrors become Status objects in `_handler`."""

    def __init__(self, store: ConfigStore) -> None:
        self._store = store

    async def list(self, request: web.Request, target: _Target) -> web.StreamResponse:
        is_wanted = _parse_selectors(request, target)
        if request.query.get("watch") in ("true", "1"):
            return await serve_watch(request, self._store, _watch_options(request, target, is_wanted))
        revision = self._store.revision
        resources = [one for one in await self._store.list(target.kind.name, target.namespace) if is_wanted(one)]
        if wants_table(request.headers.get("Accept", "")):
            return web.json_response(build_table(target.kind, resources, revision, utc_now()))
        return web.json_response(build_list(target.kind, resources, revision, target.api_version))

    async def get(self, request: web.Request, target: _Target) -> web.StreamResponse:
        resource = await self._expect(target.key)
        if wants_table(request.headers.get("Accept", "")):
            return web.json_response(build_table(target.kind, [resource], self._store.revision, utc_now()))
        return _object_response(resource, target)

    async def create(self, request: web.Request, target: _Target) -> web.StreamResponse:
        resource = await _read_resource(request, target)
        if not _is_dry_run(request):
            return _object_response(await self._store.create(resource), target, status=201)
        if await self._store.get(*resource.key) is not None:
            raise AlreadyExistsError(resource.key)
        return _object_response(resource, target, status=201)

    async def replace(self, request: web.Request, target: _Target) -> web.StreamResponse:
        resource = await _read_resource(request, target)
        if resource.name != target.name:
            raise RequestError(f"the object is named {resource.name}, the URL says {target.name}")
        expected = resource.metadata.resource_version or None
        stored = await self._expect(target.key, expected)
        if resource.metadata.uid not in ("", stored.metadata.uid):
            raise ConflictError(target.key, resource.metadata.uid, stored.metadata.uid, "uid")
        if not resource.status:  # a file that says nothing of the status does not end it
            resource = msgspec.structs.replace(resource, status=stored.status)
        if not _is_dry_run(request):
            resource = await self._store.replace(resource, expected)
        return _object_response(resource, target)

    async def delete(self, request: web.Request, target: _Target) -> web.StreamResponse:
        stored = await self._expect(target.key)
        expected = await _read_precondition(request, stored)
        if not _is_dry_run(request):
            await self._store.delete(*target.key, expected)
        return respond(success(target.kind, target.name, stored.metadata.uid))

    async def _expect(self, key: Key, version: str | None = None) -> Resource[Any]:
        stored = await self._store.get(*key)
        if stored is None:
            raise NotFoundError(key)
        if version is not None and version != stored.metadata.resource_version:
            raise ConflictError(key, version, stored.metadata.resource_version)
        return stored


async def _read_resource(request: web.Request, target: _Target) -> Resource[Any]:
    fields = await read_object(request)
    resource = decode(fields, target.namespace or "")
    if resource.kind != target.kind:
        raise RequestError(f"the object is a {resource.kind.name}, the URL is that of {target.kind.plural}")
    if resource.namespace != target.namespace:
        raise RequestError(f"the object is in namespace {resource.namespace}, the URL says {target.namespace}")
    return resource


async def _read_precondition(request: web.Request, stored: Resource[Any]) -> str | None:
    """The resourceVersion that DeleteOptions demand. Raises ConflictError if they mean an object with another uid."""
    if not request.can_read_body:
        return None
    options = await read_object(request)
    preconditions = options.get("preconditions") if isinstance(options, dict) else None
    if not isinstance(preconditions, dict):
        return None
    if preconditions.get("uid") not in (None, stored.metadata.uid):
        raise ConflictError(stored.key, str(preconditions["uid"]), stored.metadata.uid, "uid")
    version = preconditions.get("resourceVersion")
    return version if isinstance(version, str) else None


def _object_response(resource: Resource[Any], target: _Target, status: int = 200) -> web.Response:
    return web.json_response(encode(resource, target.api_version), status=status)


def _is_dry_run(request: web.Request) -> bool:
    values = request.query.getall("dryRun", [])
    if any(value != "All" for value in values):
        raise RequestError("dryRun must be All")
    return bool(values)


def _parse_selectors(request: web.Request, target: _Target) -> Predicate:
    has_labels = parse_label_selector(request.query.get("labelSelector", ""))
    has_fields = parse_field_selector(request.query.get("fieldSelector", ""))
    namespace = target.namespace
    return lambda one: namespace in (None, one.namespace) and has_labels(one) and has_fields(one)


def _watch_options(request: web.Request, target: _Target, is_wanted: Predicate) -> WatchOptions:
    since = _query_number(request, "resourceVersion")
    return WatchOptions(
        target.kind,
        target.api_version,
        is_wanted,
        since or None,  # 0 as well as none: from what is there
        _query_number(request, "timeoutSeconds"),
        request.query.get("allowWatchBookmarks") in ("true", "1"),
    )


def _query_number(request: web.Request, name: str) -> int | None:
    text = request.query.get(name, "")
    if not text:
        return None
    if not text.isdecimal() or len(text) > 18:
        raise RequestError(f"{name} must be a number, not {text!r}")
    return int(text)
