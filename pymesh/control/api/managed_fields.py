"""Who owns which field of an object, and what a write does to that. Pure.

https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

from typing import Any, NamedTuple

import msgspec

from pymesh.control.api.field_set import (
    FieldSet,
    ObjectShape,
    compare,
    decode_field_set,
    encode_field_set,
    flatten,
    stated_fields,
)
from pymesh.control.model.resource import ManagedFieldsEntry

Entries = tuple[ManagedFieldsEntry, ...]

_Json = dict[str, Any]

# The part of metadata that the server alone decides, or that is the object's name: nobody owns it.
_UNOWNED_METADATA = frozenset(
    (
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "resourceVersion",
        "generation",
        "managedFields",
        "selfLink",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    )
)


class Writer(NamedTuple):
    """Who writes, how, and when. `subresource` is `status` or empty."""

    manager: str
    operation: str
    api_version: str
    subresource: str
    now: str

    def is_of(self, entry: ManagedFieldsEntry) -> bool:
        """Who applies stays the same, whichever version he writes; for updates, Kubernetes has an entry a version."""
        is_same = (entry.manager, entry.operation, entry.subresource) == (
            self.manager,
            self.operation,
            self.subresource,
        )
        return is_same and (self.operation == "Apply" or entry.api_version == self.api_version)


def owned_part(fields: _Json, subresource: str, has_status: bool) -> _Json:
    """What of an object can have an owner when it is written by this path: with a /status path, each has its half."""
    if subresource == "status":
        return {"status": fields["status"]} if fields.get("status") else {}
    left_out = ("apiVersion", "kind", "metadata", *(("status",) if has_status else ()))
    rest = {key: value for key, value in fields.items() if key not in left_out}
    metadata = {key: value for key, value in (fields.get("metadata") or {}).items() if key not in _UNOWNED_METADATA}
    return ({"metadata": metadata} if metadata else {}) | rest


def track_update(entries: Entries, old: _Json, new: _Json, writer: Writer, shape: ObjectShape) -> Entries:
    """The entries after a write that was no apply: the writer owns what it changed, and nobody what it removed."""
    changed, removed = compare(flatten(old, shape), flatten(new, shape))
    own = (fields_of(entries, writer) | changed) - removed
    return with_fields(without_fields(entries, changed | removed, writer), own, writer)


def first_entries(entries: Entries, live: _Json, writer: Writer, shape: ObjectShape) -> Entries:
    """Before the first apply: what nobody is known to have written belongs to `before-first-apply`."""
    if entries or not live:
        return entries
    before = writer._replace(manager="before-first-apply", operation="Update")
    return with_fields((), stated_fields(live, shape), before)


def fields_of(entries: Entries, writer: Writer) -> FieldSet:
    own = next((entry for entry in entries if writer.is_of(entry)), None)
    return frozenset() if own is None else decode_field_set(own.fields_v1)


def without_fields(entries: Entries, fields: FieldSet, keeper: Writer) -> Entries:
    """The entries of everybody but `keeper` without these fields, and without those to whom nothing is left."""
    left = []
    for entry in entries:
        if keeper.is_of(entry) or entry.subresource != keeper.subresource:
            left.append(entry)
            continue
        owned = decode_field_set(entry.fields_v1)
        if owned.isdisjoint(fields):
            left.append(entry)
        elif owned - fields:
            left.append(msgspec.structs.replace(entry, fields_v1=encode_field_set(owned - fields)))
    return tuple(left)


def with_fields(entries: Entries, fields: FieldSet, writer: Writer) -> Entries:
    """The entries with that of the writer changed or added. One that stays the same keeps its time, so that a write
    that changes nothing is none."""
    others = tuple(entry for entry in entries if not writer.is_of(entry))
    before = next((entry for entry in entries if writer.is_of(entry)), None)
    is_same_version = before is not None and before.api_version == writer.api_version
    if before is not None and is_same_version and decode_field_set(before.fields_v1) == fields:
        return entries
    if not fields:
        return others
    return (*others, _entry(writer, fields))


def _entry(writer: Writer, fields: FieldSet) -> ManagedFieldsEntry:
    return ManagedFieldsEntry(
        manager=writer.manager,
        operation=writer.operation,
        api_version=writer.api_version,
        time=writer.now,
        fields_type="FieldsV1",
        fields_v1=encode_field_set(fields),
        subresource=writer.subresource,
    )
