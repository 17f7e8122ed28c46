"""`pymesh proxy-status`: a row a proxy, and why one is not in step."""

import argparse
import json
from typing import Any

from pymesh.cli.client import add_client_arguments, open_client
from pymesh.cli.table import format_table

_TYPES = ("CDS", "LDS", "EDS", "RDS", "SDS")
_HEADER = ("NAME", *_TYPES, "VERSION")
_NOT_SENT = "NOT SENT"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table")
    add_client_arguments(parser)


def run(args: argparse.Namespace) -> int:
    with open_client(args) as client:
        proxies = client.get("/debug/syncz")
    if args.output == "json":
        print(json.dumps(proxies, indent=2))
    elif not proxies:
        print("no proxy is connected")
    else:
        print("\n".join([*format_table([_HEADER, *map(_row, proxies)]), *_reasons(proxies)]))
    return 0


def _row(proxy: dict[str, Any]) -> tuple[str, ...]:
    statuses = (proxy["types"].get(name, {}).get("status", _NOT_SENT) for name in _TYPES)
    version = proxy["version"]
    return (proxy["proxy"], *statuses, str(version) if version >= 0 else "-")


def _reasons(proxies: list[dict[str, Any]]) -> list[str]:
    """A line for each proxy, status and reason, with the types that share it."""
    lines: dict[tuple[str, str, str], list[str]] = {}
    for proxy in proxies:
        for name, found in proxy["types"].items():
            if reason := found.get("reason"):
                lines.setdefault((proxy["proxy"], found["status"], reason), []).append(name)
    text = [f"{proxy} {','.join(names)} {status}: {reason}" for (proxy, status, reason), names in lines.items()]
    return ["", *text] if text else []
