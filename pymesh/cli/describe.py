"""`pymesh describe`: show objects with all their fields, as `kubectl describe` does."""

import argparse
import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any, NamedTuple

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
    """Lines. The values of lines that follow each other stand in one column, as kubectl's writer puts them."""
    for has_value, block in groupby(_lines(item), lambda line: line.value is not None):
        lines = list(block)
        width = max(len(line.label) for line in lines) + 2
        yield from (f"{line.label:<{width}}{line.value}" if has_value else line.label for line in lines)


class _Line(NamedTuple):
    """`value` None: the label of what is below, or an element of a list."""

    label: str
    value: str | None = None


def _lines(item: dict[str, Any]) -> Iterator[_Line]:
    metadata = item["metadata"]
    annotations = {key: value for key, value in metadata.get("annotations", {}).items() if key != _HIDDEN_ANNOTATION}
    yield _Line("Name:", metadata["name"])
    yield _Line("Namespace:", metadata.get("namespace", ""))
    yield from _pairs("Labels:", metadata.get("labels", {}), "=")
    yield from _pairs("Annotations:", annotations, ": ")
    yield _Line("API Version:", item["apiVersion"])
    yield _Line("Kind:", item["kind"])
    rest = {key: value for key, value in item.items() if key not in ("apiVersion", "kind", "metadata")}
    if item["kind"] == "Secret":  # as with kubectl, not on a screen that others look at
        rest["data"] = {key: f"{len(value)} characters of base64" for key, value in item.get("data", {}).items()}
    shown = {key: metadata[key] for key in _SHOWN_METADATA if key in metadata}
    yield from _fields({"metadata": shown} | rest, "")


def _pairs(label: str, values: dict[str, str], separator: str) -> Iterator[_Line]:
    first, *more = [f"{key}{separator}{value}" for key, value in sorted(values.items())] or ["<none>"]
    yield _Line(label, first)
    yield from (_Line("", line) for line in more)


def _fields(fields: dict[str, Any], indent: str) -> Iterator[_Line]:
    for key, value in sorted(fields.items()):
        label = f"{indent}{_label(key)}:"
        if isinstance(value, dict | list):
            yield _Line(label)
            yield from _values(value, indent + _INDENT)
        else:
            yield _Line(label, _scalar(value))


def _values(value: Any, indent: str) -> Iterator[_Line]:
    if isinstance(value, dict):
        yield from _fields(value, indent)
        return
    for item in value:
        if isinstance(item, dict | list):
            yield from _values(item, indent)
        else:
            yield _Line(f"{indent}{_scalar(item)}")


def _label(key: str) -> str:
    """`perTryTimeout` is Per Try Timeout; a key that is no field's name stays as it is."""
    if not key.isidentifier() or "_" in key:
        return key
    return " ".join(word if word.isupper() else word.capitalize() for word in _WORD.findall(key)).replace("Uid", "UID")


def _scalar(value: Any) -> str:
    if value is None:
        return "<none>"
    return str(value).lower() if isinstance(value, bool) else str(value)
