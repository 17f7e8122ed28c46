"""`pymesh delete`: delete the objects of files, or objects by kind and name, by label, or all."""

import argparse
import sys
from typing import NamedTuple

from pymesh.cli.client import ApiError, ControlClient, add_client_arguments, open_client
from pymesh.cli.objects import object_path
from pymesh.cli.selection import Selection, add_selection_arguments, read_selected, selections_of, selector_query
from pymesh.control.model.kinds import Kind
from pymesh.errors import UsageError
from pymesh.names import DEFAULT_NAMESPACE


class _Target(NamedTuple):
    kind: Kind
    namespace: str
    name: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_selection_arguments(parser)
    parser.add_argument("--all", action="store_true", help="all objects of the kinds")
    parser.add_argument("--ignore-not-found", action="store_true")
    parser.add_argument("--dry-run", action="store_true", help="check and delete nothing")
    add_client_arguments(parser)


def run(args: argparse.Namespace) -> int:
    selections = selections_of(args)
    if not args.filename and not selections[0].names and not (args.all or args.selector or args.field_selector):
        raise UsageError(f"give the names of the {args.kinds} to delete, or -l, --field-selector or --all")
    with open_client(args) as client:
        targets = [target for selection in selections for target in _targets(client, selection, args)]
        # Every object is tried; what fails does not keep the others.
        failures = [error for target in targets if (error := _delete(client, target, args))]
    for failure in failures:
        print(f"pymesh delete: {failure}", file=sys.stderr)
    if not targets:
        print("No resources found.", file=sys.stderr)
    return 1 if failures else 0


def _targets(client: ControlClient, selection: Selection, args: argparse.Namespace) -> list[_Target]:
    kind, namespace, names = selection
    if names:
        return [_Target(kind, namespace or DEFAULT_NAMESPACE, name) for name in names]
    found = read_selected(client, selection, selector_query(args))
    return [_Target(kind, item["metadata"].get("namespace", ""), item["metadata"]["name"]) for item in found]


def _delete(client: ControlClient, target: _Target, args: argparse.Namespace) -> ApiError | None:
    try:
        client.request("DELETE", object_path(*target), {"dryRun": "All"} if args.dry_run else None)
    except ApiError as error:
        return None if error.code == 404 and args.ignore_not_found else error
    print(f'{target.kind.resource_name} "{target.name}" deleted{" (dry run)" if args.dry_run else ""}')
    return None
