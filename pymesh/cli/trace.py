"""`pymesh trace`: the recent traces, or the spans of one as a tree with times."""

import argparse
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pymesh.cli.client import add_client_arguments, open_client
from pymesh.cli.table import format_table
from pymesh.names import DEFAULT_DOMAIN

Span = Mapping[str, Any]  # as /debug/traces/<id> has it: times in microseconds

_TRACES_PATH = "/debug/traces"
_BAR_WIDTH = 24
_DOMAIN = f".svc.{DEFAULT_DOMAIN}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", nargs="?", help="a trace id, or how it begins; without it, list the traces")
    parser.add_argument("--limit", metavar="N", type=int, default=20, help="how many traces to list (20)")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    add_client_arguments(parser)


def run(args: argparse.Namespace) -> int:
    with open_client(args) as client:
        if args.id is None:
            answer = client.get(_TRACES_PATH, {"limit": str(args.limit)})
        else:
            answer = client.get(f"{_TRACES_PATH}/{args.id}")
    if args.output == "json":
        print(json.dumps(answer, indent=2, ensure_ascii=False))
    elif args.id is None:
        print("\n".join(format_traces(answer["traces"])))
    else:
        print("\n".join(format_trace(answer["trace_id"], answer["spans"])))
    return 0


def format_traces(traces: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The list, the newest first."""
    if not traces:
        yield "No traces yet: the mesh config's defaultConfig.tracing.sampling (1 %) of the requests are sampled."
        return
    header = ("TRACE", "START", "DURATION", "SPANS", "STATUS", "ROOT")
    yield from format_table([header, *map(_trace_row, traces)], right_aligned=(2, 3))


def format_trace(trace_id: str, spans: Sequence[Span]) -> Iterator[str]:
    """The tree of a trace that has at least one span."""
    start = min(span["start"] for span in spans)
    duration = max(span["start"] + span["duration"] for span in spans) - start
    number = "1 span" if len(spans) == 1 else f"{len(spans)} spans"
    yield f"trace {trace_id}: {number} in {_milliseconds(duration)}, began {_clock(start)}"
    header = ("SERVICE", "SPAN", "START", "DURATION", "STATUS", "")
    rows = [_span_row(indent, span, start, duration) for indent, span in _tree(spans)]
    yield from format_table([header, *rows], right_aligned=(2, 3))


def _trace_row(trace: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        trace["trace_id"],
        _clock(trace["start"]),
        _milliseconds(trace["duration"]),
        str(trace["spans"]),
        trace["status"] + (" !" if trace["is_error"] else ""),
        f"{trace['service']} → {_short(trace['name'])}",
    )


def _span_row(indent: str, span: Span, start: int, duration: int) -> tuple[str, ...]:
    offset = span["start"] - start
    revision = f" ({span['revision']})" if span["revision"] else ""
    return (
        f"{indent}{span['service']}{revision}",
        f"{span['kind']} {_short(span['name'])}",
        f"+{_milliseconds(offset)}",
        _milliseconds(span["duration"]),
        _status(span),
        _bar(offset, span["duration"], duration),
    )


def _tree(spans: Sequence[Span]) -> Iterator[tuple[str, Span]]:
    """Every span once, with the branches drawn before it. A span whose parent never arrived is a root."""
    ids = {span["span_id"] for span in spans}
    children: dict[str, list[Span]] = {}
    for span in sorted(spans, key=lambda span: span["start"], reverse=True):
        parent = span["parent_span_id"] if span["parent_span_id"] in ids else ""
        children.setdefault(parent, []).append(span)
    # What is still to be drawn, the next one last: (branch before it, indent of its children, span).
    stack = [("", "", span) for span in children.get("", ())]
    while stack:
        branch, below, span = stack.pop()
        yield branch, span
        for i, child in enumerate(children.get(span["span_id"], ())):
            is_last = i == 0
            stack.append((below + ("└─ " if is_last else "├─ "), below + ("   " if is_last else "│  "), child))


def _status(span: Span) -> str:
    attributes = span["attributes"]
    flags = attributes.get("response_flags", "-")
    words: Iterable[str] = (attributes.get("http.status_code", ""), "" if flags == "-" else flags)
    return " ".join(filter(None, words)) or ("error" if span["is_error"] else "ok")


def _bar(offset: int, length: int, duration: int) -> str:
    scale = _BAR_WIDTH / max(duration, 1)
    before = min(round(offset * scale), _BAR_WIDTH - 1)
    width = max(1, min(round(length * scale), _BAR_WIDTH - before))
    return " " * before + "█" * width


def _short(name: str) -> str:
    """`payment.default:80/*`: the domain is everywhere the same, and a tree shall fit into a terminal."""
    return name.replace(_DOMAIN, "", 1)


def _milliseconds(microseconds: int) -> str:
    return f"{microseconds / 1000:.1f} ms"


def _clock(microseconds: int) -> str:
    """Local time of day with milliseconds."""
    text = time.strftime("%H:%M:%S", time.localtime(microseconds // 1_000_000))
    return f"{text}.{microseconds // 1000 % 1000:03d}"
