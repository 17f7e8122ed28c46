"""Requests that write: create, replace, patch, delete. Decided in object_changes, done here."""

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import uuid4

import msgspec
from aiohttp import web

from pymesh.control.api.automatic_services import without_automatic_ports
from pymesh.control.api.body import read_body, read_object, read_yaml, unsupported_type
from pymesh.control.api.columns import utc_now
from pymesh.control.api.departed import Departed
from pymesh.control.api.generated_name import wants_name, with_name
from pymesh.control.api.json_patch import apply_json_patch
from pymesh.control.api.merge_patch import apply_merge_patch
from pymesh.control.api.namespaces import check_takes_objects, find_object, holds_back, is_implied, list_objects
from pymesh.control.api.object_changes import Change, Request, apply_to, change_to, check_place, encode_json
from pymesh.control.api.representation import OBJECTS, Form
from pymesh.control.api.request_options import check_propagation, parse_dry_run, parse_write_options
from pymesh.control.api.responses import respond
from pymesh.control.api.selectors import parse_field_selector, parse_label_selector
from pymesh.control.api.status import RequestError, invalid, success
from pymesh.control.api.strategic_merge_patch import apply_strategic_merge_patch
from pymesh.control.api.target import Target, accepted_of, form_of
from pymesh.control.model.document import read_json
from pymesh.control.model.foreign_kinds import is_foreign
from pymesh.control.model.kinds import CORE, NAMESPACE
from pymesh.control.model.resource import Key, Resource
from pymesh.control.registry.workload import is_automatic
from pymesh.control.store.errors import AlreadyExistsError, ConflictError, NotFoundError
from pymesh.control.store.stamp import stamp_created, stamp_replaced
from pymesh.control.store.store import ConfigStore
from pymesh.names import DEFAULT_NAMESPACE

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

_TIME = "%Y-%m-%dT%H:%M:%SZ"
_MOST_ATTEMPTS = 5  # of a patch that meets other writers, as in Kubernetes, and of a name that is taken


class Writes:
    """One method an operation. PymeshErrors become Status objects in the caller."""

    def __init__(self, store: ConfigStore) -> None:
        self._store = store
        self._departed = Departed()

    async def create(self, request: web.Request, target: Target) -> web.Response:
        plan = _plan(request, target)
        fields = await read_object(request)
        if not wants_name(fields):
            return await self._create(request, target, plan, fields)
        for _ in range(_MOST_ATTEMPTS):
            try:
                return await self._create(request, target, plan, with_name(fields))
            except AlreadyExistsError:
                continue
        raise RequestError("every name that was tried is taken", 409, "AlreadyExists")

    async def _create(self, request: web.Request, target: Target, plan: Request, fields: Any) -> web.Response:
        change = change_to(None, fields, plan)
        existing = await self._store.get(*change.resource.key)
        if existing is not None and not is_automatic(existing):
            raise AlreadyExistsError(existing.key)
        return _answer(request, target, change, await self._commit(existing, change, plan), 201)

    async def replace(self, request: web.Request, target: Target) -> web.Response:
        plan = _plan(request, target)
        fields = await read_object(request)
        check_place(fields, target)
        old = await self._expect(target.key)
        change = change_to(old, fields, plan)
        is_conditional = bool(change.resource.metadata.resource_version)
        return _answer(request, target, change, await self._commit(old, change, plan, is_conditional))

    async def patch(self, request: web.Request, target: Target) -> web.Response:
        plan = _plan(request, target)
        patch = await _read_patch(request, target)
        if patch.is_apply and "fieldManager" not in request.query:
            raise invalid("is required for apply patch", "fieldManager")
        for attempt in range(1, _MOST_ATTEMPTS + 1):
            old = await find_object(self._store, target.key)
            if old is None and target.path.subresource:
                raise NotFoundError(target.key)
            change = patch.change(old, plan)
            try:
                stored = await self._commit(old, change, plan)
                return _answer(request, target, change, stored, 200 if old is not None else 201)
            except (ConflictError, AlreadyExistsError):  # somebody else wrote between our reading and our writing
                if attempt == _MOST_ATTEMPTS:
                    raise
        raise AssertionError("the last attempt returns or raises")

    async def delete(self, request: web.Request, target: Target) -> web.Response:
        options = await _read_delete_options(request)
        if target.key in self._departed and await self._store.get(*target.key) is None:
            return respond(success(target.resource, target.name, ""), accepted_of(request))
        old = await self._expect(target.key)
        expected = options.check(old)
        if target.kind is NAMESPACE:
            await self._empty_namespace(old.name, options)
        left = await self._remove(old, options, expected)
        if left is not None:
            accepted = accepted_of(request, OBJECTS)
            return respond(form_of(request, target, accepted).build_object(left), accepted)
        return respond(success(target.resource, target.name, old.metadata.uid), accepted_of(request))

    async def delete_collection(self, request: web.Request, target: Target) -> web.Response:
        options = await _read_delete_options(request)
        if target.kind is NAMESPACE:
            raise RequestError("namespaces are deleted one by one", 405, "MethodNotAllowed")
        has_labels = parse_label_selector(request.query.get("labelSelector", ""))
        has_fields = parse_field_selector(request.query.get("fieldSelector", ""))
        listed = await list_objects(self._store, target.kind, target.namespace)
        wanted = [one for one in listed if has_labels(one) and has_fields(one)]
        await self._delete_all(wanted, options)
        form = form_of(request, target, accepted_of(request))
        return respond(form.build_list(wanted, {"resourceVersion": str(self._store.revision)}), accepted_of(request))

    async def _empty_namespace(self, namespace: str, options: "_DeleteOptions") -> None:
        if namespace == DEFAULT_NAMESPACE:
            message = f'namespaces "{namespace}" is forbidden: this namespace may not be deleted'
            raise RequestError(message, 403, "Forbidden")
        present = await self._store.list(namespace=namespace)
        await self._delete_all(present, options)
        if not options.is_dry_run:
            self._departed.add(one.key for one in present if not one.metadata.finalizers)

    async def _delete_all(self, resources: list[Resource[Any]], options: "_DeleteOptions") -> None:
        for one in resources:
            present = await self._store.get(*one.key)
            if present is not None:
                await self._remove(present, options)

    async def _remove(
        self, one: Resource[Any], options: "_DeleteOptions", expected: str | None = None
    ) -> Resource[Any] | None:
        """None: it is gone. One that must wait stays, marked, until what it waits for has happened."""
        if not await self._must_wait(one):
            if not options.is_dry_run and not is_implied(one):
                await self._delete(one.key, expected)
            return None
        if options.is_dry_run or one.metadata.deletion_timestamp:
            return one
        marked = _marked(one)
        # A namespace that nobody created waits in the store as others do.
        return await (self._store.create(marked) if is_implied(one) else self._store.replace(marked, expected))

    async def _must_wait(self, one: Resource[Any]) -> bool:
        """For its finalizers, or as a namespace for those of what is in it."""
        if one.metadata.finalizers:
            return True
        return one.kind is NAMESPACE and await holds_back(self._store, one.name)

    async def _delete(self, key: Key, expected: str | None) -> Resource[Any]:
        deleted = await self._store.delete(*key, expected)
        namespace = await self._store.get(NAMESPACE.name, "", key.namespace)
        if namespace is not None and namespace.metadata.deletion_timestamp and not await self._must_wait(namespace):
            with contextlib.suppress(NotFoundError):  # two last ones may go at once
                await self._store.delete(*namespace.key)
        return deleted

    async def _expect(self, key: Key) -> Resource[Any]:
        found = await find_object(self._store, key)
        if found is None:
            raise NotFoundError(key)
        return found

    async def _commit(
        self, old: Resource[Any] | None, change: Change, plan: Request, is_conditional: bool = True
    ) -> Resource[Any]:
        """The object as it is stored, or would be. Raises ConflictError if `old` is no longer what is there."""
        if old is None or is_implied(old):
            return await self._commit_new(change.resource, plan)
        version = old.metadata.resource_version
        is_kept = not old.metadata.deletion_timestamp or await self._must_wait(change.resource)
        if not is_kept and not plan.options.is_dry_run:
            return await self._delete(old.key, version if is_conditional else None)
        if plan.options.is_dry_run:
            # Kubernetes' dry run answers the version that was there.
            return stamp_replaced(old, change.resource, int(version))
        return await self._store.replace(change.resource, version if is_conditional else None)

    async def _commit_new(self, resource: Resource[Any], plan: Request) -> Resource[Any]:
        await check_takes_objects(self._store, resource, plan.target.resource.qualified_name)
        if not plan.options.is_dry_run:
            return await self._store.create(resource)
        stamped = stamp_created(resource, 0, utc_now(), str(uuid4()))
        metadata = msgspec.structs.replace(stamped.metadata, resource_version="")
        return msgspec.structs.replace(stamped, metadata=metadata)


def _marked(one: Resource[Any]) -> Resource[Any]:
    now = utc_now().strftime(_TIME)
    metadata = msgspec.structs.replace(one.metadata, deletion_timestamp=now, deletion_grace_period_seconds=0)
    status = {"phase": "Terminating"} if one.kind is NAMESPACE else one.status
    return msgspec.structs.replace(one, metadata=metadata, status=status)


class _Patch(NamedTuple):
    """`change` makes the new object out of the old one. Raises NotFoundError where there must be one."""

    is_apply: bool
    change: Callable[[Resource[Any] | None, Request], Change]


async def _read_patch(request: web.Request, target: Target) -> _Patch:
    """Raises RequestError: 415 for a kind of patch that the resource does not know, as Kubernetes answers it."""
    content_type = request.content_type
    if content_type == APPLY_PATCH:
        applied = await read_yaml(request)
        return _Patch(True, lambda old, plan: apply_to(old, applied, plan))
    is_strategic = target.kind.group in (CORE, "discovery.k8s.io") or is_foreign(target.kind)
    accepted = (JSON_PATCH, MERGE_PATCH, *((STRATEGIC_MERGE_PATCH,) if is_strategic else ()), APPLY_PATCH)
    if content_type not in accepted:
        raise unsupported_type(*accepted)
    patch = read_json(await read_body(request))
    name = target.kind.name
    patched: Callable[[Any], Any] = {
        JSON_PATCH: lambda fields: apply_json_patch(fields, patch),
        MERGE_PATCH: lambda fields: apply_merge_patch(fields, patch),
        STRATEGIC_MERGE_PATCH: lambda fields: without_automatic_ports(
            fields, apply_strategic_merge_patch(fields, patch, name), patch
        ),
    }[content_type]
    return _Patch(False, lambda old, plan: _patch_object(old, patched, plan))


def _patch_object(old: Resource[Any] | None, patched: Callable[[Any], Any], plan: Request) -> Change:
    if old is None:
        raise NotFoundError(plan.target.key)
    return change_to(old, patched(encode_json(old, plan.target.api_version)), plan)


def _plan(request: web.Request, target: Target) -> Request:
    options = parse_write_options(request.query, request.headers.get("User-Agent", ""))
    return Request(target, options, utc_now().strftime(_TIME))


def _answer(
    request: web.Request, target: Target, change: Change, stored: Resource[Any], status: int = 200
) -> web.Response:
    accepted = accepted_of(request, OBJECTS)
    form: Form = form_of(request, target, accepted)
    return respond(form.build_object(stored), accepted, status, change.warnings)


class _DeleteOptions(NamedTuple):
    is_dry_run: bool
    preconditions: dict[str, Any]

    def check(self, stored: Resource[Any]) -> str | None:
        """The resourceVersion that is demanded. Raises ConflictError if another object of the name is meant."""
        uid, version = self.preconditions.get("uid"), self.preconditions.get("resourceVersion")
        if uid not in (None, stored.metadata.uid):
            raise ConflictError(stored.key, str(uid), stored.metadata.uid, "uid")
        if version not in (None, stored.metadata.resource_version):
            raise ConflictError(stored.key, str(version), stored.metadata.resource_version)
        return version if isinstance(version, str) else None


async def _read_delete_options(request: web.Request) -> _DeleteOptions:
    """DeleteOptions of the body, or of the query. Raises RequestError."""
    body = await read_object(request) if request.can_read_body else {}
    options = body if isinstance(body, dict) else {}
    for source in (options, request.query):
        check_propagation(source.get("propagationPolicy"))
    is_dry_run = parse_dry_run(options.get("dryRun")) or parse_dry_run(request.query.get("dryRun"))
    preconditions = options.get("preconditions")
    return _DeleteOptions(is_dry_run, preconditions if isinstance(preconditions, dict) else {})
