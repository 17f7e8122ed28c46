"""What a request makes of an object: the new object, checked and with its managers. Nothing is stored here.

Each function takes the object as it is (None: there is none) and gives the one to store.
"""

from typing import Any, NamedTuple

import msgspec

from pymesh.control.api.automatic_services import declare
from pymesh.control.api.field_set import ObjectShape, decode_field_set, flatten, shape_of
from pymesh.control.api.last_applied import MANAGER, conceded_fields, note_applied
from pymesh.control.api.managed_fields import (
    Entries,
    Writer,
    fields_of,
    first_entries,
    owned_part,
    track_update,
    with_fields,
)
from pymesh.control.api.namespaces import initial_status
from pymesh.control.api.request_options import WriteOptions
from pymesh.control.api.server_side_apply import Applied, ApplyConflictError, apply_fields
from pymesh.control.api.service_defaults import with_defaults
from pymesh.control.api.status import RequestError, invalid
from pymesh.control.api.target import Target
from pymesh.control.model.foreign_kinds import is_foreign, skip_warning
from pymesh.control.model.kinds import SERVICE
from pymesh.control.model.resource import ManagedFieldsEntry, Resource
from pymesh.control.model.serializer import decode_with_warnings, encode
from pymesh.control.registry.workload import is_automatic
from pymesh.control.store.errors import ConflictError
from pymesh.errors import Violation

_Json = dict[str, Any]


class Change(NamedTuple):
    """`warnings` are for the client."""

    resource: Resource[Any]
    warnings: tuple[str, ...] = ()


class Request(NamedTuple):
    """What a write is about, how it wants to be done, and when it came (as managedFields have it)."""

    target: Target
    options: WriteOptions
    now: str

    def writer(self, operation: str) -> Writer:
        path = self.target.path
        return Writer(self.options.manager, operation, path.api_version, path.subresource, self.now)


def encode_json(resource: Resource[Any], api_version: str) -> _Json:
    """As plain JSON values, which patches can change."""
    encoded: _Json = msgspec.json.decode(msgspec.json.encode(encode(resource, api_version)))
    return encoded


def change_to(old: Resource[Any] | None, fields: Any, request: Request) -> Change:
    """The object that `fields` describe in the place of `old`. Raises RequestError, ValidationError, ConflictError."""
    fields = _expect_object(fields)
    if old is not None:
        _check_identity(old, fields)
    given = _given_entries(fields)
    if old is not None and request.target.path.subresource:
        change = Change(msgspec.structs.replace(old, status=_status_of(fields)))
    else:
        change = _decode(old, fields, request)
    change = change._replace(resource=declare(change.resource))
    entries = given if given is not None else old.metadata.managed_fields if old is not None else ()
    before = _owned(old, request)
    tracked = track_update(entries, before, _owned(change.resource, request), request.writer("Update"), _shape(request))
    return change._replace(resource=_with_entries(change.resource, tracked))


def apply_to(old: Resource[Any] | None, fields: Any, request: Request) -> Change:
    """What server-side apply makes of `old`. Raises also RequestError with the conflicts as causes."""
    fields = _expect_object(fields)
    if _given_entries(fields):
        raise RequestError("metadata.managedFields must be nil")
    _check_applied_identity(old, fields, request)
    target, shape = request.target, _shape(request)
    writer = request.writer("Apply")
    live = {} if old is not None and is_automatic(old) else _owned(old, request)
    entries = first_entries(old.metadata.managed_fields if old is not None else (), live, writer, shape)
    applied = owned_part(fields, target.path.subresource, _has_status(target))
    merged = _merge(live, applied, entries, writer, request)
    if writer.manager == MANAGER and not target.path.subresource:
        merged = merged._replace(fields=note_applied(merged.fields, fields))
    if old is not None and target.path.subresource:
        change = Change(msgspec.structs.replace(old, status=_status_of(merged.fields)))
    else:
        change = _decode(old, _whole(merged.fields, fields, target), request)
    dropped = fields_of(merged.entries, writer) - flatten(_owned(change.resource, request), shape).keys()
    left = with_fields(merged.entries, fields_of(merged.entries, writer) - dropped, writer)
    return change._replace(resource=_with_entries(change.resource, left))


def _merge(live: _Json, applied: _Json, entries: Entries, writer: Writer, request: Request) -> Applied:
    shape = _shape(request)
    try:
        return apply_fields(live, applied, entries, writer, request.options.is_forced, shape)
    except ApplyConflictError as error:
        conceded = conceded_fields(live, shape) if writer.manager == MANAGER else frozenset()
        if not conceded.issuperset(conflict.path for conflict in error.conflicts):
            raise _conflict(error) from error
    return apply_fields(live, applied, entries, writer, True, shape)


def check_place(fields: Any, target: Target) -> None:
    """An object may leave out what the URL says, and must not say something else. Raises RequestError."""
    fields = _expect_object(fields)
    name, namespace = fields["metadata"].get("name"), fields["metadata"].get("namespace")
    if fields.get("kind", target.resource.name) != target.resource.name:
        raise RequestError(f"the object is a {fields['kind']}, the URL is that of {target.path.plural}")
    if namespace and namespace != target.namespace:
        raise RequestError(f"the object is in namespace {namespace}, the URL says {target.namespace}")
    if target.name and name and name != target.name:
        raise RequestError(f"the object is named {name}, the URL says {target.name}")


def _decode(old: Resource[Any] | None, fields: _Json, request: Request) -> Change:
    target = request.target
    check_place(fields, target)
    envelope: _Json = {"apiVersion": target.api_version, "kind": target.resource.name}
    fields = envelope | fields
    if target.name:
        fields["metadata"] = {**fields["metadata"], "name": target.name}
    if target.kind is SERVICE:
        fields = with_defaults(fields)
    decoded = decode_with_warnings(fields, target.namespace or "", request.options.field_validation)
    resource = decoded.resource
    if old is not None:
        _check_finalizers(old, resource)
    if _has_status(target):  # it has a path of its own
        status = old.status if old is not None else initial_status(resource.kind)
        resource = msgspec.structs.replace(resource, status=status)
    skipped = (skip_warning(resource.kind, resource.name),) if is_foreign(resource.kind) else ()
    return Change(resource, (*map(_warning, decoded.warnings), *skipped))


def _check_finalizers(old: Resource[Any], new: Resource[Any]) -> None:
    """Whoever comes while it is being deleted comes too late."""
    added = [name for name in new.metadata.finalizers if name not in old.metadata.finalizers]
    if old.metadata.deletion_timestamp and added:
        reason = f"cannot be added to while the object is being deleted: {', '.join(added)}"
        raise invalid(reason, "metadata.finalizers")


def _warning(violation: Violation) -> str:
    is_unknown = violation.message.startswith("unknown field")
    return f'unknown field "{violation.path}"' if is_unknown else str(violation)


def _has_status(target: Target) -> bool:
    return "status" in target.resource.subresources


def _shape(request: Request) -> ObjectShape:
    return shape_of(request.target.resource.name)


def _owned(resource: Resource[Any] | None, request: Request) -> _Json:
    if resource is None:
        return {}
    fields = encode_json(resource, request.target.api_version)
    return owned_part(fields, request.target.path.subresource, _has_status(request.target))


def _with_entries(resource: Resource[Any], entries: Entries) -> Resource[Any]:
    metadata = msgspec.structs.replace(resource.metadata, managed_fields=entries)
    return msgspec.structs.replace(resource, metadata=metadata)


def _whole(merged: _Json, fields: _Json, target: Target) -> _Json:
    metadata = {**merged.get("metadata", {}), "name": fields["metadata"].get("name") or target.name}
    if target.namespace:
        metadata["namespace"] = fields["metadata"].get("namespace") or target.namespace
    envelope: _Json = {key: fields[key] for key in ("apiVersion", "kind") if key in fields}
    return {**envelope, **merged, "metadata": metadata}


def _expect_object(fields: Any) -> _Json:
    if not isinstance(fields, dict):
        raise RequestError("the body must be an object")
    metadata = fields.get("metadata")
    if metadata is None:
        return {**fields, "metadata": {}}
    if not isinstance(metadata, dict):
        raise RequestError("metadata must be an object")
    return fields


def _check_identity(old: Resource[Any], fields: _Json) -> None:
    """The writer may say which object, and which state of it, he has read."""
    stored = {"resourceVersion": old.metadata.resource_version, "uid": old.metadata.uid}
    for what, actual in stored.items():
        expected = fields["metadata"].get(what)
        if expected not in (None, "", actual):
            raise ConflictError(old.key, str(expected), actual, what)


def _check_applied_identity(old: Resource[Any] | None, fields: _Json, request: Request) -> None:
    if old is not None:
        _check_identity(old, fields)
    elif fields["metadata"].get("resourceVersion") or fields["metadata"].get("uid"):
        key = request.target.key
        raise ConflictError(
            key, str(fields["metadata"].get("resourceVersion") or fields["metadata"].get("uid")), "none"
        )


def _given_entries(fields: _Json) -> Entries | None:
    """managedFields as the writer wants them; None where he leaves them alone. `[{}]` gives up all ownership."""
    given = fields["metadata"].get("managedFields")
    if not given:
        return None
    if given == [{}]:
        return ()
    try:
        entries = msgspec.convert(given, tuple[ManagedFieldsEntry, ...])
        for entry in entries:
            decode_field_set(entry.fields_v1)
        return entries
    except ValueError as error:  # also msgspec's ValidationError
        raise invalid(str(error), "metadata.managedFields") from error


def _status_of(fields: _Json) -> _Json:
    status = fields.get("status") or {}
    if not isinstance(status, dict):
        raise RequestError("status must be an object")
    return status


def _conflict(error: ApplyConflictError) -> RequestError:
    causes = tuple(
        {
            "reason": "FieldManagerConflict",
            "message": conflict.with_whom,
            "field": conflict.field,
        }
        for conflict in error.conflicts
    )
    return RequestError(str(error), 409, "Conflict", causes)
