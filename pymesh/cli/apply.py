"""`pymesh apply`: create or change the objects of files; all of them are checked before the first is stored."""

import argparse
import sys
from typing import Any

from pymesh.cli.client import MERGE_PATCH, ApiError, ControlClient, add_client_arguments, open_client
from pymesh.cli.last_applied import ANNOTATION, build_patch, with_note
from pymesh.cli.objects import FileObject, Problem, collection_path, read_objects
from pymesh.errors import PymeshError
from pymesh.names import MANAGED_BY_LABEL, MANAGED_BY_REGISTRY

_WRITER = {"fieldManager": "pymesh"}
_DRY_RUN = {"dryRun": "All"}
_LEFT_TO_SERVER = ("creationTimestamp", "generation", "managedFields", "selfLink")
_SET_BY_SERVER = (*_LEFT_TO_SERVER, "resourceVersion", "uid")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-f",
        "--filename",
        action="append",
        required=True,
        metavar="FILE",
        help="a YAML or JSON file, a directory of them, or - for standard input; may be given several times",
    )
    parser.add_argument("-n", "--namespace", metavar="NS", help="the namespace of objects that name none")
    parser.add_argument("--dry-run", action="store_true", help="check the objects and store nothing")
    add_client_arguments(parser)


def run(args: argparse.Namespace) -> int:
    objects, skipped, problems = read_objects(args.filename, args.namespace)
    if not objects and not problems and not skipped:
        raise PymeshError("no objects in the given files")
    for warning in skipped:
        print(f"Warning: {warning}", file=sys.stderr)
    with open_client(args) as client:
        problems += _check_all(client, objects)
        if problems:
            for problem in problems:
                print(problem, file=sys.stderr)
            raise PymeshError(f"{_count(len(problems), 'violation')}; nothing was stored")
        for item in objects:
            _apply(client, item, args.dry_run)
    return 0


def _check_all(client: ControlClient, objects: list[FileObject]) -> list[Problem]:
    problems = []
    for item in objects:
        try:
            _put(client, item, _DRY_RUN)
        except ApiError as error:
            problems += _problems_of(item, error)
    return problems


def _apply(client: ControlClient, item: FileObject, dry_run: bool) -> None:
    before, after = _put(client, item, _DRY_RUN if dry_run else {})
    done = "created" if before is None else "unchanged" if _content(before) == _content(after) else "configured"
    for warning in client.warnings:
        print(f"Warning: {_place(item)}: {warning}", file=sys.stderr)
    print(f"{item.kind.resource_name}/{item.name} {done}{' (dry run)' if dry_run else ''}")


def _content(found: dict[str, Any]) -> dict[str, Any]:
    """The object without what the server sets, which a dry run does not answer, without its status, which changes by
    itself, and without the note of how it was written."""
    metadata = {key: value for key, value in found["metadata"].items() if key not in _SET_BY_SERVER}
    metadata["annotations"] = {key: text for key, text in metadata.get("annotations", {}).items() if key != ANNOTATION}
    return {**found, "metadata": metadata, "status": None}


def _put(
    client: ControlClient, item: FileObject, query: dict[str, str]
) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """The object before, None if it is new, and after. As kubectl does it: what others have written stays."""
    wanted = with_note({**item.fields, "metadata": _metadata(item)})
    before = _get(client, item)
    # What the registry has put there is nobody's: who declares it begins anew.
    if before is None or before["metadata"].get("labels", {}).get(MANAGED_BY_LABEL) == MANAGED_BY_REGISTRY:
        return before, client.request("POST", collection_path(item.kind, item.namespace), _WRITER | query, wanted)
    return before, client.request("PATCH", item.path, _WRITER | query, build_patch(before, wanted), sent=MERGE_PATCH)


def _metadata(item: FileObject) -> dict[str, Any]:
    metadata = item.fields["metadata"]
    told = {key: value for key, value in metadata.items() if key not in _LEFT_TO_SERVER}
    return told | ({"namespace": item.namespace} if item.namespace else {})


def _get(client: ControlClient, item: FileObject) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = client.get(item.path)
    except ApiError as error:
        if error.code == 404:
            return None
        raise
    return found


def _problems_of(item: FileObject, error: ApiError) -> list[Problem]:
    if not error.causes:
        return [Problem(_place(item), str(error))]
    return [
        Problem(_place(item, path), reason if f"implement {path}" in reason else f"{path}: {reason}")
        for path, reason in error.causes
    ]


def _place(item: FileObject, path: str = "") -> str:
    name = f"{item.namespace}/{item.name}" if item.namespace else item.name
    return f"{item.source.place(path)}: {item.kind.name} {name}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
