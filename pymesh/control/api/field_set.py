"""Sets of an object's fields, by path: what managedFields records, and how two states of an object differ. Pure.

A path is a tuple of Kubernetes' elements: `f:<name>`, or `k:{"port":80}` for the item of a list that has keys. A list
without keys is one value (Istio's CRDs have no others).
https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy
"""

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from pymesh.control.model.document import DocumentError, read_json

FieldPath = tuple[str, ...]
FieldSet = frozenset[FieldPath]

_Json = dict[str, Any]


class _Container:
    """The value of a path whose content are its children."""

    def __repr__(self) -> str:
        return "<container>"


CONTAINER = _Container()


class ListKeys(NamedTuple):
    """The fields by which an item of a list is known, with the value that an absent one has."""

    names: tuple[str, ...]
    defaults: Mapping[str, Any] = MappingProxyType({})


class ObjectShape(NamedTuple):
    """What the fields of a kind do not show by themselves: lists with keys, and maps that are one value. By the names
    of the fields that lead there."""

    list_keys: Mapping[tuple[str, ...], ListKeys] = MappingProxyType({})
    atomic_maps: frozenset[tuple[str, ...]] = frozenset()


_SHAPES = {
    "Service": ObjectShape(
        {("spec", "ports"): ListKeys(("port", "protocol"), {"protocol": "TCP"})},
        frozenset({("spec", "selector")}),
    ),
    "ServiceAccount": ObjectShape({("secrets",): ListKeys(("name",)), ("imagePullSecrets",): ListKeys(("name",))}),
}


def shape_of(kind_name: str) -> ObjectShape:
    return _SHAPES.get(kind_name, ObjectShape())


def flatten(fields: _Json, shape: ObjectShape) -> dict[FieldPath, Any]:
    """Every path of an object and its value; CONTAINER where the value is in the children."""
    flat: dict[FieldPath, Any] = {}
    for key, value in fields.items():
        _flatten(value, (f"f:{key}",), (key,), shape, flat)
    return flat


def _flatten(
    value: Any, path: FieldPath, names: tuple[str, ...], shape: ObjectShape, flat: dict[FieldPath, Any]
) -> None:
    keys = shape.list_keys.get(names)
    if value and isinstance(value, dict) and names not in shape.atomic_maps:
        flat[path] = CONTAINER
        for key, child in value.items():
            _flatten(child, (*path, f"f:{key}"), (*names, key), shape, flat)
    elif value and isinstance(value, list) and keys is not None:
        flat[path] = CONTAINER
        for item in value:
            _flatten(item, (*path, item_element(item, keys)), names, shape, flat)
    else:
        flat[path] = value


def item_element(item: Any, keys: ListKeys) -> str:
    values = {name: item.get(name, keys.defaults.get(name)) for name in keys.names} if isinstance(item, dict) else {}
    return f"k:{_compact(values)}"


def stated_fields(fields: _Json, shape: ObjectShape) -> FieldSet:
    """What somebody who applies these fields owns: the values, and the items of lists with keys."""
    flat = flatten(fields, shape)
    return frozenset(path for path, value in flat.items() if value is not CONTAINER or path[-1].startswith("k:"))


class Difference(NamedTuple):
    """`changed`: added, or with another value."""

    changed: FieldSet
    removed: FieldSet


def compare(old: dict[FieldPath, Any], new: dict[FieldPath, Any]) -> Difference:
    changed = frozenset(path for path, value in new.items() if path not in old or old[path] != value)
    return Difference(changed, frozenset(old.keys() - new.keys()))


def encode_field_set(fields: Iterable[FieldPath]) -> _Json:
    """As FieldsV1: a tree, in which a member that has children says so with `.`."""
    tree: _Json = {}
    for path in sorted(fields):
        node = tree
        for element in path:
            node = node.setdefault(element, {})
        node["."] = {}
    return _without_lone_dots(tree)


def decode_field_set(tree: Any) -> FieldSet:
    """Raises ValueError."""
    return frozenset(_paths(tree, ()))


def _without_lone_dots(node: _Json) -> _Json:
    return {} if node.keys() == {"."} else {key: _without_lone_dots(child) for key, child in node.items()}


def _paths(node: Any, path: FieldPath) -> Iterable[FieldPath]:
    if not isinstance(node, dict):
        raise ValueError("FieldsV1 must be objects in objects")
    if path and (not node or "." in node):
        yield path
    for element, child in node.items():
        if element != ".":
            yield from _paths(child, (*path, _canonical(element)))


def _canonical(element: str) -> str:
    if element[:2] not in ("f:", "k:", "v:", "i:"):
        raise ValueError(f"{element!r} is not f:<name>, k:<keys>, v:<value> or i:<index>")
    return f"k:{_compact(_read_keys(element[2:]))}" if element.startswith("k:") else element


def _read_keys(text: str) -> Any:
    try:
        return read_json(text)
    except DocumentError as error:
        raise ValueError(str(error)) from error


def _compact(values: Any) -> str:
    return json.dumps(values, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
