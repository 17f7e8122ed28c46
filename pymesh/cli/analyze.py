"""`pymesh analyze`: what is wrong with the configuration of files, or of the running mesh, although it is valid.

Exit codes as istioctl has them: 0, 79 where a message is as severe as `--fail-on`, 65 where a file is no YAML.
"""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from pymesh.cli.analysis_filter import Suppression, parse_suppression, without_suppressed
from pymesh.cli.client import ControlClient, add_client_arguments, open_client
from pymesh.cli.objects import collection_path
from pymesh.config_files import read_files
from pymesh.control.analysis.analyzers import ANALYZERS, analyze
from pymesh.control.analysis.collector import Collector
from pymesh.control.analysis.message import Level, Message
from pymesh.control.model.document import DocumentError
from pymesh.control.model.kinds import KINDS
from pymesh.control.startup_config import read_mesh_config
from pymesh.names import DEFAULT_NAMESPACE

EXIT_DATA_ERROR = 65
EXIT_FOUND_ISSUES = 79

_LEVELS = {level.name.lower(): level for level in Level}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    files = {"metavar": "FILE", "help": "YAML or JSON, a directory of such files, or - for standard input"}
    parser.add_argument("files", nargs="*", **files)  # type: ignore[arg-type]
    parser.add_argument("-f", "--filename", action="append", default=[], metavar="FILE", help="the same as FILE")
    parser.add_argument(
        "--with-mesh", action="store_true", help="look at the files as if they had been applied to the running mesh"
    )
    parser.add_argument("-R", "--recursive", action="store_true", help="also the directories in a directory")
    parser.add_argument(
        "-n", "--namespace", metavar="NS", help="only messages of this one, which is that of objects that name none"
    )
    parser.add_argument("-A", "--all-namespaces", action="store_true", help="messages of all namespaces (the default)")
    parser.add_argument("-o", "--output", choices=("text", "log", "json", "yaml"), default="text", help="log is text")
    for flag, default, does in (
        ("fail-on", "error", "exit with 79 if there is a message of this level or a worse one (default: error)"),
        ("output-threshold", "info", "show messages of this level and worse ones (default: info)"),
    ):
        names = [f"--{flag}", *(["--failure-threshold"] if flag == "fail-on" else [])]
        parser.add_argument(*names, type=str.lower, choices=_LEVELS, default=default, help=does)
    parser.add_argument(
        "-S",
        "--suppress",
        action="append",
        default=[],
        type=parse_suppression,
        metavar="CODE=KIND NAME.NAMESPACE",
        help='no message of this code for this object, as "IST0101=VirtualService *.shop"; may be given several times',
    )
    parser.add_argument("--mesh-config", "--meshConfigFile", metavar="FILE", type=Path, help="Istio's MeshConfig")
    parser.add_argument("-L", "--list-analyzers", action="store_true", help="say what is looked for, and stop")
    add_client_arguments(parser)


def run(args: argparse.Namespace) -> int:
    if args.list_analyzers:
        print("\n".join(f"* {analyzer.name}:\n  {analyzer.description}" for analyzer in ANALYZERS))
        return 0
    collector, files = Collector(), [*args.files, *args.filename]
    is_running = args.with_mesh or not files
    if is_running:
        _read_mesh(collector, args)
    unreadable = _read_files(collector, files, args)
    config = read_mesh_config(args.mesh_config).mesh if args.mesh_config else None
    mesh = collector.build(config, is_running, datetime.now(UTC))
    found = [one for one in analyze(mesh) if args.all_namespaces or _is_of(one, args.namespace)]
    messages = without_suppressed(found, _known(args.suppress), collector.suppressed)
    shown = [one for one in messages if one.type.level >= _LEVELS[args.output_threshold]]
    _print(shown, collector, args.output, unreadable)
    if any(one.type.level >= _LEVELS[args.fail_on] for one in messages):
        return EXIT_FOUND_ISSUES
    return EXIT_DATA_ERROR if unreadable else 0


def _read_files(collector: Collector, files: list[str], args: argparse.Namespace) -> int:
    """How many cannot be read, each told of on standard error."""
    unreadable = 0
    for file in files:
        for name, content in read_files(file, args.recursive):
            try:
                collector.add_text(name, content, args.namespace or DEFAULT_NAMESPACE)
            except DocumentError as error:
                unreadable += 1
                print(f"pymesh analyze: {name}: {error}", file=sys.stderr)
    return unreadable


def _read_mesh(collector: Collector, args: argparse.Namespace) -> None:
    with open_client(args) as client:
        for kind in KINDS:
            for item in _items(client, collection_path(kind, None)):
                collector.add_object({"apiVersion": kind.api_version, "kind": kind.name, **item})


def _items(client: ControlClient, path: str) -> list[dict[str, Any]]:
    return list(client.get(path)["items"])


def _is_of(message: Message, namespace: str | None) -> bool:
    """What is in no namespace concerns all."""
    return namespace is None or message.key.namespace in ("", namespace)


def _known(suppressions: list[Suppression]) -> list[Suppression]:
    for one in suppressions:
        if not one.has_known_code:
            print(f"Warning: {one.code} is the code of no message; it suppresses nothing", file=sys.stderr)
    return suppressions


def _print(messages: list[Message], collector: Collector, output: str, unreadable: int) -> None:
    if output in ("json", "yaml"):
        _print_fields([_fields(message, collector) for message in messages], output)
        return
    # Of a running mesh, several fields of an object may have the same line.
    for line in dict.fromkeys(_line(message, collector) for message in messages):
        print(line)
    if not messages:
        but = f" (but {unreadable} could not be read)" if unreadable else ""
        print(f"No validation issues found{but}.", file=sys.stderr)


def _line(message: Message, collector: Collector) -> str:
    place = _reference(message, collector)
    origin = f"{message.origin} {place}" if place else message.origin
    return f"{message.type.level.title} [{message.type.code}] ({origin}) {message.text}"


def _print_fields(messages: list[dict[str, str]], output: str) -> None:
    if output == "json":
        print(json.dumps(messages, indent=4, ensure_ascii=False))
    else:
        print(yaml.dump(messages, Dumper=yaml.CSafeDumper, allow_unicode=True), end="")


def _fields(message: Message, collector: Collector) -> dict[str, str]:
    place = _reference(message, collector)
    return {
        "code": message.type.code,
        "documentationUrl": message.type.documentation_url,
        "level": message.type.level.title,
        "message": message.text,
        "origin": message.origin,
        **({"path": message.path} if message.path else {}),
        **({"reference": place} if place else {}),
    }


def _reference(message: Message, collector: Collector) -> str:
    """`shop.yaml:14`; empty for an object of the running mesh."""
    source = collector.sources.get(message.key)
    return f"{source.file}:{source.line_of(message.path)}" if source is not None else ""
