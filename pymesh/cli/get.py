"""`pymesh get`: show objects, as tables with Istio's columns, or whole as YAML or JSON."""

import argparse
import json
import sys
from typing import Any

from pymesh.cli.client import ControlClient, add_client_arguments, open_client
from pymesh.cli.objects import collection_path
from pymesh.cli.selection import (
    Query,
    Selection,
    add_selection_arguments,
    read_selected,
    selections_of,
    selector_query,
)
from pymesh.cli.table import format_table
from pymesh.names import DEFAULT_NAMESPACE

_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"

_Rows = list[dict[str, Any]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_selection_arguments(parser)
    parser.add_argument("-o", "--output", choices=("wide", "yaml", "json", "name"))
    parser.add_argument("--show-labels", action="store_true", help="a last column with all labels")
    parser.add_argument("--show-managed-fields", action="store_true", help="in YAML and JSON: who wrote which field")
    add_client_arguments(parser)


def run(args: argparse.Namespace) -> int:
    selections, query = selections_of(args), selector_query(args)
    with open_client(args) as client:
        if args.output in ("yaml", "json"):
            objects = [item for selection in selections for item in read_selected(client, selection, query)]
            is_one = len(selections) == 1 and len(selections[0].names) == 1
            _print_objects(objects, is_one, args)
            return 0
        tables = [(selection, *_read_table(client, selection, query)) for selection in selections]
    shown = [_format(*table, args, len(selections) > 1) for table in tables if table[2]]
    print(("\n" if args.output == "name" else "\n\n").join(shown), end="\n" if shown else "")
    if not shown:
        where = "" if args.all_namespaces else f" in {args.namespace or DEFAULT_NAMESPACE} namespace"
        print(f"No resources found{where}.", file=sys.stderr)
    return 0


def _print_objects(objects: list[dict[str, Any]], is_one: bool, args: argparse.Namespace) -> None:
    if not args.show_managed_fields:
        for item in objects:
            item["metadata"].pop("managedFields", None)
    value = objects[0] if is_one else {"apiVersion": "v1", "kind": "List", "items": objects}
    if args.output == "json":
        print(json.dumps(value, indent=4, ensure_ascii=False))
        return
    import yaml  # only here, as most uses do not need it

    print(yaml.dump(value, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True), end="")


def _format(selection: Selection, columns: _Rows, rows: _Rows, args: argparse.Namespace, is_one_of_many: bool) -> str:
    kind = selection.kind
    if args.output == "name":
        return "\n".join(f"{kind.resource_name}/{row['object']['metadata']['name']}" for row in rows)
    shown = [index for index, column in enumerate(columns) if column["priority"] == 0 or args.output == "wide"]
    lines = [[columns[index]["name"].upper() for index in shown]]
    lines += [[str(row["cells"][index]) for index in shown] for row in rows]
    if is_one_of_many:
        lines[1:] = [[f"{kind.resource_name}/{line[0]}", *line[1:]] for line in lines[1:]]
    if selection.namespace is None and kind.is_namespaced:
        namespaces = ["NAMESPACE", *(row["object"]["metadata"]["namespace"] for row in rows)]
        lines = [[namespace, *line] for namespace, line in zip(namespaces, lines, strict=True)]
    if args.show_labels:
        labels = ["LABELS", *(_labels(row["object"]["metadata"]) for row in rows)]
        lines = [[*line, text] for line, text in zip(lines, labels, strict=True)]
    return "\n".join(format_table(lines))


def _labels(metadata: dict[str, Any]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(metadata.get("labels", {}).items())) or "<none>"


def _read_table(client: ControlClient, selection: Selection, query: Query) -> tuple[_Rows, _Rows]:
    """Column definitions and rows."""
    kind, namespace, names = selection
    if names:
        tables = [client.get(selection.path(name), accept=_TABLE) for name in names]
    else:
        tables = [client.get(collection_path(kind, namespace), query, _TABLE)]
    return tables[0]["columnDefinitions"], [row for table in tables for row in table["rows"]]
