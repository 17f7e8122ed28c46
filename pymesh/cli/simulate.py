"""`pymesh simulate`: where does this request go, and why? Decided from files, with nothing started.

The answer's fields are those of `pymesh.simulation.decision`. The exit code is 0 whatever the answer is, also one with
an `error`; 1 where the files are invalid, with every violation; 2 for a bad flag, URL or file.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

from pymesh.errors import UsageError
from pymesh.simulation.call import FIELDS, parse_call
from pymesh.simulation.explanation import explain
from pymesh.simulation.mesh import SimulatedMesh

_OF_FILE = "--requests takes them from its lines"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config_argument(parser, "-f", "--filename")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--request", metavar='"METHOD URL"', help='such as "GET http://reviews:9080/x", "TCP tcp://IP:PORT"'
    )
    what.add_argument(
        "--requests", metavar="FILE", help="a JSON object a line, with the flags' names; - is standard input"
    )
    parser.add_argument("--header", action="append", metavar="K:V", help="a header; Host overrides the authority")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--from", metavar="NS/WORKLOAD", help="leaves this workload through its sidecar (default/client)"
    )
    where.add_argument("--gateway", metavar="NS/NAME", help="arrives at this gateway")
    where.add_argument("--to", metavar="NS/WORKLOAD", help="arrives at this workload's sidecar")
    parser.add_argument("--source-label", action="append", metavar="K=V", help="a further label of the sender")
    parser.add_argument("--from-principal", metavar="P", help="the client's certificate: td/ns/NS/sa/ACCOUNT")
    parser.add_argument("--tls", action="store_true", default=None, help="the client speaks TLS; mTLS with a principal")
    parser.add_argument("--sni", metavar="NAME", help="the server name that it asks for; the URL's host by default")
    parser.add_argument("--alpn", metavar="A,B", help="the protocols that it offers")
    parser.add_argument("--port", type=int, metavar="N", help="the port of the connection; the URL's by default")
    parser.add_argument("--random", type=float, metavar="R", help="picks weights and percentages; 0 to below 1 (0)")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="text has the reasons")


def add_config_argument(parser: argparse.ArgumentParser, *names: str) -> None:
    parser.add_argument(
        *names,
        action="append",
        required=True,
        metavar="FILE",
        help="YAML or JSON, a directory of such files, or - for standard input; may be given several times",
    )


def run(args: argparse.Namespace) -> int:
    mesh = SimulatedMesh.load(*args.filename)
    for warning in mesh.configuration.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if args.requests is not None:
        return _run_lines(mesh, args)
    _answer(mesh, _fields(args), args.output)
    return 0


def _run_lines(mesh: SimulatedMesh, args: argparse.Namespace) -> int:
    given = sorted(_fields(args).keys())
    if given:
        raise UsageError(f"--{given[0]}: {_OF_FILE}")
    for number, fields in _lines(args.requests):
        try:
            _answer(mesh, fields, "json")
        except UsageError as error:
            raise UsageError(f"{args.requests}: line {number}: {error}") from error
    return 0


def _answer(mesh: SimulatedMesh, fields: dict[str, Any], output: str) -> None:
    call = parse_call(fields)
    if output == "json":
        print(json.dumps(mesh.decide(call).to_json()))
        return
    for line in explain(mesh.trace(call), mesh.configuration):
        print(line)


def _fields(args: argparse.Namespace) -> dict[str, Any]:
    values = {name: getattr(args, name.replace("-", "_")) for name in FIELDS}
    return {name: value for name, value in values.items() if value is not None}


def _lines(path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        text = sys.stdin.read() if path == "-" else _read(path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield number, _object(path, number, line)


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def _object(path: str, number: int, line: str) -> dict[str, Any]:
    try:
        fields = json.loads(line)
    except ValueError as error:
        raise UsageError(f"{path}: line {number}: is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise UsageError(f"{path}: line {number}: is not a JSON object")
    return fields
