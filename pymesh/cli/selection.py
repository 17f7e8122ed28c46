"""Which objects a command means: by kind and name, by label, by field, or those of files."""

import argparse
from typing import Any, NamedTuple

from pymesh.cli.client import ControlClient
from pymesh.cli.objects import collection_path, expect_kind, expect_kinds, expect_objects, object_path
from pymesh.control.model.kinds import Kind
from pymesh.errors import UsageError
from pymesh.names import DEFAULT_NAMESPACE

Query = dict[str, str]


class Selection(NamedTuple):
    """Of one kind the objects of these names, or all. `namespace` None: those of every namespace."""

    kind: Kind
    namespace: str | None
    names: tuple[str, ...] = ()

    def path(self, name: str) -> str:
        return object_path(self.kind, self.namespace or DEFAULT_NAMESPACE, name)


def add_selection_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "kinds", metavar="KIND[,KIND...]", nargs="?", help="for example virtualservices, vs, services, vs/reviews"
    )
    parser.add_argument("names", metavar="NAME", nargs="*")
    parser.add_argument("-f", "--filename", action="append", default=[], metavar="FILE", help="the objects of a file")
    parser.add_argument("-n", "--namespace", metavar="NS")
    parser.add_argument("-A", "--all-namespaces", action="store_true")
    parser.add_argument("-l", "--selector", metavar="LABELS", default="", help="for example app=web,version!=v1")
    parser.add_argument(
        "--field-selector", metavar="FIELDS", default="", help="metadata.name=..., metadata.namespace=..."
    )


def selections_of(args: argparse.Namespace) -> list[Selection]:
    """Raises UsageError for flags that contradict each other, PymeshError for files that cannot be read."""
    if bool(args.filename) == bool(args.kinds):
        raise UsageError("give either -f FILE or KIND [NAME ...]")
    names = [] if args.filename else _named(args)
    if (names or args.filename) and (args.all_namespaces or args.selector or args.field_selector):
        raise UsageError("a name or a file cannot stand beside -A, -l or --field-selector")
    if args.filename:
        return _selections_of_files(args)
    namespace = None if args.all_namespaces else args.namespace or DEFAULT_NAMESPACE
    if names:
        return _grouped((kind, namespace, name) for kind, name in names)
    return [Selection(kind, namespace) for kind in expect_kinds(args.kinds)]


def selector_query(args: argparse.Namespace) -> Query:
    selectors = {"labelSelector": args.selector, "fieldSelector": args.field_selector}
    return {name: text for name, text in selectors.items() if text}


def read_selected(client: ControlClient, selection: Selection, query: Query) -> list[dict[str, Any]]:
    kind, namespace, names = selection
    if names:
        return [client.get(selection.path(name)) for name in names]
    return list(client.get(collection_path(kind, namespace), query)["items"])


def _named(args: argparse.Namespace) -> list[tuple[Kind, str]]:
    """`vs a b`, or `vs/a svc/b`."""
    if "/" not in args.kinds:
        return [(kind, name) for kind in expect_kinds(args.kinds) for name in args.names]
    words = [args.kinds, *args.names]
    if not all(word.count("/") == 1 for word in words):
        raise UsageError("a KIND/NAME stands beside others of its form only")
    return [(expect_kind(kind), name) for kind, name in (word.split("/") for word in words)]


def _selections_of_files(args: argparse.Namespace) -> list[Selection]:
    objects = expect_objects(args.filename, args.namespace)
    return _grouped((item.kind, item.namespace, item.name) for item in objects)


def _grouped(objects: Any) -> list[Selection]:
    names: dict[tuple[Kind, str | None], list[str]] = {}
    for kind, namespace, name in objects:
        names.setdefault((kind, namespace), []).append(name)
    return [Selection(kind, namespace, tuple(of_kind)) for (kind, namespace), of_kind in names.items()]
