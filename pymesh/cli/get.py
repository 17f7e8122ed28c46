"""`pymesh get`: show objects, as tables with Istio's columns, or whole as YAML or JSON."""

import argparse
import json
import sys
from typing import Any

from pymesh.cli.client import ControlClient, add_client_arguments, open_client
from pymesh.cli.objects import collection_path, expect_kind, object_path
from pymesh.cli.table import format_table
from pymesh.control.model.kinds import Kind
from pymesh.errors import UsageError
from pymesh.names import DEFAULT_NAMESPACE

_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kinds", metavar="KIND[,KIND...]", help="for example virtualservices, vs, services")
    parser.add_argument("names", metavar="NAME", nargs="*")
    parser.add_argument("-n", "--namespace", metavar="NS", default=DEFAULT_NAMESPACE)
    parser.add_argument("-A", "--all-namespaces", action="store_true")
    parser.add_argument("-l", "--selector", metavar="LABELS", default="", help="for example app=web,version!=v1")
    parser.add_argument("-o", "--output", choices=("wide", "yaml", "json", "name"))
    add_client_arguments(parser)


def run(args: argparse.Namespace) -> int:
    kinds = [expect_kind(word) for word in args.kinds.split(",")]
    if args.names and (args.all_namespaces or args.selector):
        raise UsageError("a name cannot stand beside -A or -l")
    namespace = None if args.all_namespaces else args.namespace
    with open_client(args) as client:
        if args.output in ("yaml", "json"):
            _print_objects(_read_objects(client, kinds, namespace, args), args)
            return 0
        found = sum([_print_table(client, kind, namespace, args, len(kinds) > 1) for kind in kinds])
    if not found:
        where = "" if namespace is None else f" in {namespace} namespace"
        print(f"No resources found{where}.", file=sys.stderr)
    return 0


def _read_objects(
    client: ControlClient, kinds: list[Kind], namespace: str | None, args: argparse.Namespace
) -> list[dict[str, Any]]:
    if args.names:
        return [client.get(object_path(kind, args.namespace, name)) for kind in kinds for name in args.names]
    query = {"labelSelector": args.selector} if args.selector else None
    return [item for kind in kinds for item in client.get(collection_path(kind, namespace), query)["items"]]


def _print_objects(objects: list[dict[str, Any]], args: argparse.Namespace) -> None:
    is_one = len(args.names) == 1 and len(objects) == 1
    value = objects[0] if is_one else {"apiVersion": "v1", "kind": "List", "items": objects}
    if args.output == "json":
        print(json.dumps(value, indent=4, ensure_ascii=False))
        return
    import yaml  # only here, as most uses do not need it

    print(yaml.dump(value, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True), end="")


def _print_table(
    client: ControlClient, kind: Kind, namespace: str | None, args: argparse.Namespace, is_one_of_many: bool
) -> int:
    """Prints the table of one kind; returns how many objects it has."""
    columns, rows = _read_table(client, kind, namespace, args)
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
    client: ControlClient, kind: Kind, namespace: str | None, args: argparse.Namespace
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Column definitions and rows."""
    if not args.names:
        query = {"labelSelector": args.selector} if args.selector else None
        tables = [client.get(collection_path(kind, namespace), query, _TABLE)]
    else:
        tables = [client.get(object_path(kind, args.namespace, name), accept=_TABLE) for name in args.names]
    return tables[0]["columnDefinitions"], [row for table in tables for row in table["rows"]]
