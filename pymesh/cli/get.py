"""`pymesh get`: show objects, as tables with Istio's columns, or whole as YAML or JSON."""

import argparse
import json
import sys
from typing import Any, NamedTuple

from pymesh.cli.client import ControlClient, add_client_arguments, open_client
from pymesh.cli.objects import collection_path, expect_kind, object_path, read_objects
from pymesh.cli.table import format_table
from pymesh.control.model.kinds import Kind
from pymesh.errors import PymeshError, UsageError
from pymesh.names import DEFAULT_NAMESPACE

_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


class _Selection(NamedTuple):
    """What of one kind to show: the objects of these names, or all. `namespace` None: those of every namespace."""

    kind: Kind
    namespace: str | None
    names: tuple[str, ...] = ()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kinds", metavar="KIND[,KIND...]", nargs="?", help="for example virtualservices, vs, services")
    parser.add_argument("names", metavar="NAME", nargs="*")
    parser.add_argument("-f", "--filename", action="append", default=[], metavar="FILE", help="the objects of a file")
    parser.add_argument("-n", "--namespace", metavar="NS")
    parser.add_argument("-A", "--all-namespaces", action="store_true")
    parser.add_argument("-l", "--selector", metavar="LABELS", default="", help="for example app=web,version!=v1")
    parser.add_argument("-o", "--output", choices=("wide", "yaml", "json", "name"))
    add_client_arguments(parser)


def run(args: argparse.Namespace) -> int:
    selections = _selections(args)
    with open_client(args) as client:
        if args.output in ("yaml", "json"):
            objects = [item for selection in selections for item in _read_objects(client, selection, args.selector)]
            is_one = len(selections) == 1 and len(selections[0].names) == 1
            _print_objects(objects, is_one, args.output)
            return 0
        found = sum([_print_table(client, selection, args, len(selections) > 1) for selection in selections])
    if not found:
        where = "" if args.all_namespaces else f" in {args.namespace or DEFAULT_NAMESPACE} namespace"
        print(f"No resources found{where}.", file=sys.stderr)
    return 0


def _selections(args: argparse.Namespace) -> list[_Selection]:
    if bool(args.filename) == bool(args.kinds):
        raise UsageError("give either -f FILE or KIND [NAME ...]")
    if (args.names or args.filename) and (args.all_namespaces or args.selector):
        raise UsageError("a name or a file cannot stand beside -A or -l")
    if args.filename:
        return _selections_of_files(args)
    namespace = None if args.all_namespaces else args.namespace or DEFAULT_NAMESPACE
    return [_Selection(expect_kind(word), namespace, tuple(args.names)) for word in args.kinds.split(",")]


def _selections_of_files(args: argparse.Namespace) -> list[_Selection]:
    objects, problems = read_objects(args.filename, args.namespace)
    if problems:
        raise PymeshError("\n".join(map(str, problems)))
    names: dict[tuple[Kind, str], list[str]] = {}
    for item in objects:
        names.setdefault((item.kind, item.namespace), []).append(item.name)
    return [_Selection(kind, namespace, tuple(of_kind)) for (kind, namespace), of_kind in names.items()]


def _read_objects(client: ControlClient, selection: _Selection, selector: str) -> list[dict[str, Any]]:
    kind, namespace, names = selection
    if names:
        return [client.get(object_path(kind, namespace or DEFAULT_NAMESPACE, name)) for name in names]
    query = {"labelSelector": selector} if selector else None
    return list(client.get(collection_path(kind, namespace), query)["items"])


def _print_objects(objects: list[dict[str, Any]], is_one: bool, output: str) -> None:
    value = objects[0] if is_one else {"apiVersion": "v1", "kind": "List", "items": objects}
    if output == "json":
        print(json.dumps(value, indent=4, ensure_ascii=False))
        return
    import yaml  # only here, as most uses do not need it

    print(yaml.dump(value, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True), end="")


def _print_table(client: ControlClient, selection: _Selection, args: argparse.Namespace, is_one_of_many: bool) -> int:
    """Prints the table of one kind; returns how many objects it has."""
    kind, namespace, _ = selection
    columns, rows = _read_table(client, selection, args.selector)
    if not rows:
        return 0
    if args.output == "name":
        print("\n".join(f"{kind.resource_name}/{row['object']['metadata']['name']}" for row in rows))
        return len(rows)
    shown = [index for index, column in enumerate(columns) if column["priority"] == 0 or args.output == "wide"]
    header = [columns[index]["name"].upper() for index in shown]
    lines = [[str(row["cells"][index]) for index in shown] for row in rows]
    if is_one_of_many:
        lines = [[f"{kind.resource_name}/{line[0]}", *line[1:]] for line in lines]
    if namespace is None:
        header = ["NAMESPACE", *header]
        lines = [[row["object"]["metadata"]["namespace"], *line] for row, line in zip(rows, lines, strict=True)]
    print("\n".join(format_table([header, *lines])) + ("\n" if is_one_of_many else ""))
    return len(rows)


def _read_table(
    client: ControlClient, selection: _Selection, selector: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Column definitions and rows."""
    kind, namespace, names = selection
    if not names:
        query = {"labelSelector": selector} if selector else None
        tables = [client.get(collection_path(kind, namespace), query, _TABLE)]
    else:
        paths = [object_path(kind, namespace or DEFAULT_NAMESPACE, name) for name in names]
        tables = [client.get(path, accept=_TABLE) for path in paths]
    return tables[0]["columnDefinitions"], [row for table in tables for row in table["rows"]]
