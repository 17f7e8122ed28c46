"""JSON patch: a list of operations. Pure. RFC 6902, with the pointers of RFC 6901."""

import copy
import re
from collections.abc import Callable, Iterable
from typing import Any

from pymesh.control.api.status import RequestError, invalid
from pymesh.control.model.document import MAX_DEPTH

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_MOST_OPERATIONS = 10_000  # Kubernetes
_MOST_COPIED = 100_000  # values that copies may add: a few lines could double an object until memory ends


class _OperationError(Exception):
    """The operation cannot be done."""


def apply_json_patch(target: Any, patch: Any) -> Any:
    """The patched copy. Raises RequestError: 400 for what is no patch, 422 for one that does not fit the object."""
    operations = _check(patch)
    root = {"": copy.deepcopy(target)}  # the whole object is a member too: the empty pointer means it
    left = _MOST_COPIED
    for index, operation in enumerate(operations):
        try:
            if operation["op"] == "copy":
                left -= _size(_get(*_parent(root, operation["from"])), left)
            _OPERATIONS[operation["op"]](root, operation)
        except _OperationError as error:
            raise invalid(f"{operation['op']} {operation['path']}: {error}", f"patch[{index}]") from error
    _size(root, _MOST_COPIED * 10)
    return root.get("")  # removing everything leaves null


def _size(value: Any, most: int) -> int:
    """How many values it holds. Raises RequestError for too many of them, and for what is nested too deeply."""
    size = 0
    level = [value]
    for _ in range(MAX_DEPTH + 2):
        size += len(level)
        level = [child for one in level if isinstance(one, dict | list) for child in _children(one)]
        if size + len(level) > most:
            raise RequestError("the JSON patch makes the object too large", 413, "RequestEntityTooLarge")
        if not level:
            return size
    raise RequestError(f"the JSON patch nests deeper than {MAX_DEPTH}")


def _children(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def _check(patch: Any) -> list[dict[str, Any]]:
    if not isinstance(patch, list) or len(patch) > _MOST_OPERATIONS:
        raise RequestError(f"a JSON patch is a list of at most {_MOST_OPERATIONS} operations")
    for index, operation in enumerate(patch):
        if not isinstance(operation, dict) or operation.get("op") not in _OPERATIONS:
            raise RequestError(f"JSON patch: [{index}]: op must be one of {', '.join(_OPERATIONS)}")
        needed = ("path", *{"move": ("from",), "copy": ("from",)}.get(operation["op"], ()))
        for field in needed:
            pointer = operation.get(field)
            if not isinstance(pointer, str) or (pointer and not pointer.startswith("/")):
                raise RequestError(f"JSON patch: [{index}]: {field} must be a JSON pointer")
        if operation["op"] in ("add", "replace", "test") and "value" not in operation:
            raise RequestError(f"JSON patch: [{index}]: value is required")
    return patch


def _add(root: Any, operation: dict[str, Any]) -> None:
    _put(root, operation["path"], copy.deepcopy(operation["value"]))


def _remove(root: Any, operation: dict[str, Any]) -> None:
    _take(root, operation["path"])


def _replace(root: Any, operation: dict[str, Any]) -> None:
    parent, last = _parent(root, operation["path"])
    _get(parent, last)
    parent[_index(parent, last) if isinstance(parent, list) else last] = copy.deepcopy(operation["value"])


def _move(root: Any, operation: dict[str, Any]) -> None:
    if operation["path"].startswith(f"{operation['from']}/"):
        raise _OperationError("a value cannot be moved into itself")
    _put(root, operation["path"], _take(root, operation["from"]))


def _copy(root: Any, operation: dict[str, Any]) -> None:
    _put(root, operation["path"], copy.deepcopy(_get(*_parent(root, operation["from"]))))


def _test(root: Any, operation: dict[str, Any]) -> None:
    if _get(*_parent(root, operation["path"])) != operation["value"]:
        raise _OperationError("the value is another one")


_OPERATIONS: dict[str, Callable[[Any, dict[str, Any]], None]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy,
    "test": _test,
}


def _parent(root: Any, pointer: str) -> tuple[Any, str]:
    """The object or list that has the value, and its name there."""
    *steps, last = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")]
    value = root
    for step in steps:
        value = _get(value, step)
    return value, last


def _get(parent: Any, step: str) -> Any:
    if isinstance(parent, list):
        return parent[_index(parent, step)]
    if not isinstance(parent, dict) or step not in parent:
        raise _OperationError(f"there is no {step!r}")
    return parent[step]


def _put(root: Any, pointer: str, value: Any) -> None:
    parent, last = _parent(root, pointer)
    if isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else _index(parent, last, past_end=True), value)
    elif isinstance(parent, dict):
        parent[last] = value
    else:
        raise _OperationError("only objects and lists have members")


def _take(root: Any, pointer: str) -> Any:
    parent, last = _parent(root, pointer)
    _get(parent, last)
    return parent.pop(_index(parent, last) if isinstance(parent, list) else last)


def _index(items: list[Any], step: str, past_end: bool = False) -> int:
    if not _INDEX.fullmatch(step) or int(step) >= len(items) + past_end:
        raise _OperationError(f"the list has no item {step!r}")
    return int(step)
