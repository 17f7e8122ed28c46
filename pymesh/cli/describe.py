"""`pymesh describe`: show objects with all their fields, as `kubectl describe` does."""

import argparse
import re
from collections.abc import Iterator
from typing import Any

from pymesh.cli.client import add_client_arguments, open_client
from pymesh.cli.selection import add_selection_arguments, read_selected, selections_of, selector_query
from pymesh.errors import PymeshError

_INDENT = "  "
_HIDDEN_ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"
_SHOWN_METADATA = ("creationTimestamp", "generation", "resourceVersion", "uid")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_selection_arguments(parser)
    add_client_arguments(parser)


def run(args: argparse.Namespace) -> int:
    selections, query = selections_of(args), selector_query(args)
    with open_client(args) as client:
        objects = [item for selection in selections for item in read_selected(client, selection, query)]
    if not objects:
        raise PymeshError("no resources found")
    print("\n\n\n".join("\n".join(describe(item)) for item in objects))
    return 0


def describe(item: dict[str, Any]) -> Iterator[str]:
    """Lines; labels of one level stand above each other."""
    metadata = item["metadata"]
    annotations = {key: value for key, value in metadata.get("annotations", {}).items() if key != _HIDDEN_ANNOTATION}
    head = {
        "Name": metadata["name"],
        **({"Namespace": metadata["namespace"]} if metadata.get("namespace") else {}),
        "Labels": _pairs(metadata.get("labels", {}), "="),
        "Annotations": _pairs(annotations, ": "),
        "API Version": item["apiVersion"],
        "Kind": item["kind"],
    }
    yield from _aligned(head)
    rest = {key: value for key, value in item.items() if key not in ("apiVersion", "kind", "metadata")}
    shown = {key: metadata[key] for key in _SHOWN_METADATA if key in metadata}
    if item["kind"] == "Secret":  # as with kubectl, not on a screen that others look at
        rest["data"] = {key: f"{len(value)} characters of base64" for key, value in item.get("data", {}).items()}
    yield from _fields({"metadata": shown} | rest, "")


def _aligned(head: dict[str, list[str] | str]) -> Iterator[str]:
    width = max(map(len, head)) + 3
    for label, value in head.items():
        first, *more = value if isinstance(value, list) else [value]
        yield f"{label + ':':<{width}}{first}"
        yield from (" " * width + line for line in more)


def _pairs(values: dict[str, str], separator: str) -> list[str]:
    return [f"{key}{separator}{value}" for key, value in sorted(values.items())] or ["<none>"]


def _fields(fields: dict[str, Any], indent: str) -> Iterator[str]:
    scalars = [_label(key) for key, value in fields.items() if not isinstance(value, dict | list)]
    width = max(map(len, scalars), default=0) + 3
    for key, value in fields.items():
        label = f"{indent}{_label(key)}:"
        if isinstance(value, dict | list):
            yield label
            yield from _values(value, indent + _INDENT)
        else:
            yield f"{label:<{len(indent) + width}}{_scalar(value)}"


def _values(value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, dict):
        yield from _fields(value, indent)
        return
    for item in value:
        if isinstance(item, dict | list):
            yield from _values(item, indent)
        else:
            yield f"{indent}{_scalar(item)}"


def _label(key: str) -> str:
    """`perTryTimeout` is Per Try Timeout; a key that is no field's name stays as it is."""
    if not key.isidentifier() or "_" in key:
        return key
    return " ".join(word if word.isupper() else word.capitalize() for word in _WORD.findall(key)).replace("Uid", "UID")


def _scalar(value: Any) -> str:
    if value is None:
        return "<none>"
    return str(value).lower() if isinstance(value, bool) else str(value)
