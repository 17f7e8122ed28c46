"""Server-side apply: merge what a manager applies into the object, find conflicts, and remove what it no longer states.
Pure.

https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from pymesh.control.api.field_set import (
    FieldPath,
    FieldSet,
    ListKeys,
    ObjectShape,
    compare,
    decode_field_set,
    flatten,
    item_element,
    stated_fields,
)
from pymesh.control.api.managed_fields import Entries, Writer, fields_of, with_fields, without_fields
from pymesh.control.model.resource import ManagedFieldsEntry
from pymesh.errors import PymeshError

_Json = dict[str, Any]


class FieldConflict(NamedTuple):
    """The apply would change a field that another manager owns."""

    owner: ManagedFieldsEntry
    path: FieldPath

    @property
    def field(self) -> str:
        """As Kubernetes writes it: `.spec.ports[port=80,protocol="TCP"].name`."""
        return "".join(map(_path_text, self.path))

    @property
    def with_whom(self) -> str:
        owner = self.owner
        part = f' with subresource "{owner.subresource}"' if owner.subresource else ""
        version = f" using {owner.api_version}" if owner.operation == "Update" else ""
        return f'conflict with "{owner.manager}"{part}{version}'


def _listed(paths: list[str]) -> str:
    return f" {paths[0]}" if len(paths) == 1 else "".join(f"\n- {path}" for path in paths)


class ApplyConflictError(PymeshError):
    """Without force, nothing of such an apply is done."""

    def __init__(self, conflicts: list[FieldConflict]) -> None:
        fields: dict[str, list[str]] = {}
        for conflict in conflicts:
            fields.setdefault(conflict.with_whom, []).append(conflict.field)
        noun = "conflicts" if len(conflicts) > 1 else "conflict"
        parts = (f"{whom}:{_listed(paths)}" for whom, paths in fields.items())
        super().__init__(f"Apply failed with {len(conflicts)} {noun}: " + "\n".join(parts))
        self.conflicts = conflicts


class Applied(NamedTuple):
    fields: _Json
    entries: Entries


def apply_fields(
    live: _Json, applied: _Json, entries: Entries, writer: Writer, force: bool, shape: ObjectShape
) -> Applied:
    """The object's owned part and its managers after `writer` has applied. Raises ApplyConflictError."""
    applied = without_nulls(applied)
    merged = _merge(live, applied, (), shape)
    before = flatten(live, shape)
    conflicts = list(_conflicts(entries, compare(before, flatten(merged, shape)).changed, writer))
    if conflicts and not force:
        raise ApplyConflictError(conflicts)
    entries = without_fields(entries, frozenset(conflict.path for conflict in conflicts), writer)
    stated = stated_fields(applied, shape)
    pruned = _prune(merged, fields_of(entries, writer) - stated, _owned_by_others(entries, writer) | stated, shape)
    removed = compare(before, flatten(pruned, shape)).removed
    return Applied(pruned, with_fields(without_fields(entries, removed, writer), stated, writer))


def without_nulls(value: Any) -> Any:
    """A field that is null is as good as absent."""
    if isinstance(value, dict):
        return {key: without_nulls(child) for key, child in value.items() if child is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def _conflicts(entries: Entries, changed: FieldSet, writer: Writer) -> Iterable[FieldConflict]:
    for entry in entries:
        if not writer.is_of(entry) and entry.subresource == writer.subresource:
            for path in sorted(decode_field_set(entry.fields_v1) & changed):
                yield FieldConflict(entry, path)


def _owned_by_others(entries: Entries, writer: Writer) -> FieldSet:
    sets = [decode_field_set(entry.fields_v1) for entry in entries if not writer.is_of(entry)]
    return frozenset().union(*sets)


def _merge(live: Any, applied: Any, names: tuple[str, ...], shape: ObjectShape) -> Any:
    if isinstance(live, dict) and isinstance(applied, dict) and names not in shape.atomic_maps:
        merged = {key: _merge(live.get(key), value, (*names, key), shape) for key, value in applied.items()}
        return live | merged
    keys = shape.list_keys.get(names)
    if isinstance(live, list) and isinstance(applied, list) and keys is not None:
        return _merge_items(live, applied, keys, names, shape)
    return applied


def _merge_items(
    live: list[Any], applied: list[Any], keys: ListKeys, names: tuple[str, ...], shape: ObjectShape
) -> list[Any]:
    """In the order of the live list; what is new stands at the end."""
    items = {item_element(item, keys): item for item in live}
    for item in applied:
        element = item_element(item, keys)
        items[element] = _merge(items.get(element), item, names, shape)
    return list(items.values())


def _prune(fields: _Json, dropped: FieldSet, kept: FieldSet, shape: ObjectShape) -> _Json:
    """Without the `dropped` fields that nobody else keeps, nor what is empty because of that."""
    holders = {path[:length] for path in kept for length in range(1, len(path) + 1)}
    gone = frozenset(path for path in dropped if path not in holders)
    pruned = _prune_value(fields, (), (), gone, shape) if gone else fields
    return pruned if isinstance(pruned, dict) else {}


_NOTHING: Any = object()


def _prune_value(value: Any, path: FieldPath, names: tuple[str, ...], gone: FieldSet, shape: ObjectShape) -> Any:
    if path in gone:
        return _NOTHING
    keys = shape.list_keys.get(names)
    left: Any = value
    if isinstance(value, dict) and names not in shape.atomic_maps:
        children = {
            key: _prune_value(child, (*path, f"f:{key}"), (*names, key), gone, shape) for key, child in value.items()
        }
        left = {key: child for key, child in children.items() if child is not _NOTHING}
    elif isinstance(value, list) and keys is not None:
        items = [_prune_value(item, (*path, item_element(item, keys)), names, gone, shape) for item in value]
        left = [item for item in items if item is not _NOTHING]
    became_empty = not left and bool(value) and path != ("f:spec",)
    return _NOTHING if became_empty else left


def _path_text(element: str) -> str:
    form, _, text = element.partition(":")
    if form != "k":
        return f".{text}"
    values = json.loads(text)
    return "[" + ",".join(f"{name}={json.dumps(value)}" for name, value in values.items()) + "]"
