"""The commands, one file each: argument parsing and printing only. A command's imports happen when it runs."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

from pymesh import __version__
from pymesh.errors import PymeshError, UsageError

EXIT_FAILURE = 1
EXIT_USAGE = 2


class Command(NamedTuple):
    """`module` has `add_arguments(parser)` and `run(args) -> int`, the exit code."""

    name: str
    help: str
    module: str


COMMANDS = (
    Command("control", "run the control plane", "pymesh.cli.control"),
    Command("proxy", "run a sidecar beside a service", "pymesh.cli.proxy"),
    Command("run", "run a command behind its own sidecar", "pymesh.cli.run"),
    Command("gateway", "run an ingress gateway", "pymesh.cli.gateway"),
    Command("apply", "create or change resources from files", "pymesh.cli.apply"),
    Command("get", "show resources", "pymesh.cli.get"),
    Command("describe", "show resources with all their fields", "pymesh.cli.describe"),
    Command("delete", "delete resources", "pymesh.cli.delete"),
    Command("kubeconfig", "write a kubeconfig with which kubectl talks to the control plane", "pymesh.cli.kubeconfig"),
    Command("simulate", "say where a request goes and why, from files alone", "pymesh.cli.simulate"),
    Command("test", "check cases of requests against files", "pymesh.cli.test"),
    Command("analyze", "find what is wrong with a configuration although it is valid", "pymesh.cli.analyze"),
    Command("proxy-status", "show which configuration each proxy has accepted", "pymesh.cli.proxy_status"),
    Command("trace", "print the spans of a request", "pymesh.cli.trace"),
    Command("demo", "run a small mesh and measure what it promises", "pymesh.cli.demo"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. A user's mistake is one line on standard error and exit code 2, another expected failure 1."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    chosen = next((command for command in COMMANDS if arguments[:1] == [command.name]), None)
    name = f"pymesh {chosen.name}" if chosen else "pymesh"
    try:
        return _run(chosen, arguments)
    except PymeshError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return EXIT_USAGE if isinstance(error, UsageError) else EXIT_FAILURE
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return EXIT_FAILURE


def _run(chosen: Command | None, arguments: list[str]) -> int:
    parser, commands = _build_parser()
    if chosen is None:
        parser.parse_args(arguments)
        parser.print_help()
        return EXIT_USAGE
    module = importlib.import_module(chosen.module)
    module.add_arguments(commands[chosen.name])
    return int(module.run(parser.parse_args(arguments)))


class _Parser(argparse.ArgumentParser):
    """argparse, but a bad flag is a UsageError like any other: one line, and not the whole usage before it."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see {self.prog} --help)")


def _build_parser() -> tuple[_Parser, dict[str, _Parser]]:
    parser = _Parser(prog="pymesh", description="A service mesh in pure Python.")
    parser.add_argument("--version", action="version", version=f"pymesh {__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND")
    commands = {command.name: subparsers.add_parser(command.name, help=command.help) for command in COMMANDS}
    return parser, commands
