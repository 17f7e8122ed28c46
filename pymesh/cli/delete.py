"""`pymesh delete`: delete the objects of files, or objects by kind and name."""

import argparse
import sys
from typing import NamedTuple

from pymesh.cli.client import ApiError, ControlClient, add_client_arguments, open_client
from pymesh.cli.objects import expect_kind, object_path, read_objects
from pymesh.control.model.kinds import Kind
from pymesh.errors import PymeshError, UsageError
from pymesh.names import DEFAULT_NAMESPACE


class _Target(NamedTuple):
    kind: Kind
    namespace: str
    name: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", metavar="KIND", nargs="?")
    parser.add_argument("names", metavar="NAME", nargs="*")
    parser.add_argument("-f", "--filename", action="append", default=[], metavar="FILE", help="as for apply")
    parser.add_argument("-n", "--namespace", metavar="NS")
    parser.add_argument("--ignore-not-found", action="store_true")
    add_client_arguments(parser)


def run(args: argparse.Namespace) -> int:
    targets = _targets(args)
    with open_client(args) as client:
        # Every object is tried; what fails does not keep the others.
        failures = [error for target in targets if (error := _delete(client, target, args.ignore_not_found))]
    for failure in failures:
        print(f"pymesh delete: {failure}", file=sys.stderr)
    return 1 if failures else 0


def _targets(args: argparse.Namespace) -> list[_Target]:
    if bool(args.filename) == bool(args.kind):
        raise UsageError("give either -f FILE or KIND NAME")
    if args.kind:
        if not args.names:
            raise UsageError(f"give the names of the {args.kind} to delete")
        kind = expect_kind(args.kind)
        return [_Target(kind, args.namespace or DEFAULT_NAMESPACE, name) for name in args.names]
    objects, problems = read_objects(args.filename, args.namespace)
    if problems:
        raise PymeshError("\n".join(map(str, problems)))
    return [_Target(item.kind, item.namespace, item.name) for item in objects]


def _delete(client: ControlClient, target: _Target, ignore_not_found: bool) -> ApiError | None:
    try:
        client.request("DELETE", object_path(*target))
    except ApiError as error:
        return None if error.code == 404 and ignore_not_found else error
    print(f'{target.kind.resource_name} "{target.name}" deleted')
    return None
