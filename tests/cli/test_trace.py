import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pymesh import otlp
from pymesh.cli import main
from pymesh.cli.trace import format_trace, format_traces
from pymesh.control.telemetry.collector import Collector
from pymesh.control.telemetry.routes import trace_routes

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def span(span_id: str, parent: str, start: int, duration: int, service: str, **fields: Any) -> dict[str, Any]:
    """`start` and `duration` in milliseconds."""
    return {
        "trace_id": TRACE,
        "span_id": span_id,
        "parent_span_id": parent,
        "name": f"{service}.default.svc.cluster.local:80/*",
        "kind": "server",
        "service": service,
        "namespace": "default",
        "revision": "v1",
        "start": 1_000_000_000 + start * 1000,
        "duration": duration * 1000,
        "is_error": False,
        "attributes": {"http.status_code": "200", "response_flags": "-"},
        **fields,
    }


def lines(*spans: dict[str, Any]) -> list[str]:
    return list(format_trace(TRACE, spans))


def test_a_tree_shows_hops_offsets_durations_and_bars() -> None:
    title, header, *rows = lines(
        span("d", "c", 4, 4, "payment"),
        span("a", "client", 0, 24, "gateway", kind="client"),
        span("b", "a", 2, 20, "web"),
        span("c", "b", 3, 6, "web", kind="client"),
        span("e", "b", 12, 6, "web", kind="client", attributes={"http.status_code": "503", "response_flags": "UF"}),
    )
    assert title.startswith(f"trace {TRACE}: 5 spans in 24.0 ms, began ")
    assert header.split() == ["SERVICE", "SPAN", "START", "DURATION", "STATUS"]
    assert rows == [
        "gateway (v1)            client gateway.default:80/*    +0.0 ms    24.0 ms   200      ████████████████████████",
        "└─ web (v1)             server web.default:80/*        +2.0 ms    20.0 ms   200        ████████████████████",
        "   ├─ web (v1)          client web.default:80/*        +3.0 ms     6.0 ms   200         ██████",
        "   │  └─ payment (v1)   server payment.default:80/*    +4.0 ms     4.0 ms   200          ████",
        "   └─ web (v1)          client web.default:80/*       +12.0 ms     6.0 ms   503 UF               ██████",
    ]


def test_a_span_whose_parent_is_missing_is_a_root_of_its_own() -> None:
    rows = lines(span("a", "", 0, 1, "web"), span("b", "lost", 1, 1, "payment"))[2:]
    assert [row.split()[0] for row in rows] == ["web", "payment"]


def test_a_span_without_duration_or_status_is_drawn() -> None:
    (row,) = lines(span("a", "", 0, 0, "web", attributes={}, is_error=True, revision=""))[2:]
    assert row.split() == ["web", "server", "web.default:80/*", "+0.0", "ms", "0.0", "ms", "error", "█"]


def test_the_list_marks_traces_with_an_error() -> None:
    trace = {
        "trace_id": TRACE,
        "name": "web:80/*",
        "service": "gateway",
        "status": "503",
        "start": 1_000_123_000,
        "duration": 12_345,
        "spans": 4,
        "is_error": True,
    }
    _, row = format_traces([trace])
    assert row.split()[0] == TRACE
    assert row.split()[2:] == ["12.3", "ms", "4", "503", "!", "gateway", "→", "web:80/*"]


def test_no_traces_are_explained() -> None:
    (line,) = format_traces([])
    assert line.startswith("No traces yet")


def test_a_trace_may_be_a_thousand_hops_deep() -> None:
    spans = [span(f"{i}", f"{i - 1}", i, 1, "web") for i in range(1000)]
    assert len(lines(*spans)) == 1002


@pytest.fixture
async def control_url() -> AsyncIterator[str]:
    """A control plane that has seen one request."""
    collector = Collector()
    request = otlp.ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(
        trace_id=bytes.fromhex(TRACE), span_id=b"12345678", name="web:80/*", end_time_unix_nano=5_000_000
    )
    collector.on_traces(request)
    app = web.Application()
    app.add_routes(trace_routes(collector))
    async with TestServer(app) as server:
        yield str(server.make_url("/")).rstrip("/")


async def pymesh_trace(control_url: str, *arguments: str) -> int:
    return await asyncio.to_thread(main, ["trace", "--control", control_url, *arguments])


async def test_the_command_lists_and_prints_traces(control_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert await pymesh_trace(control_url) == 0
    assert TRACE in capsys.readouterr().out
    assert await pymesh_trace(control_url, TRACE[:6]) == 0
    assert "1 span in 5.0 ms" in capsys.readouterr().out


async def test_the_command_prints_json(control_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert await pymesh_trace(control_url, "-o", "json", TRACE) == 0
    assert json.loads(capsys.readouterr().out)["spans"][0]["name"] == "web:80/*"


async def test_an_unknown_trace_is_one_line_and_exit_code_1(
    control_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await pymesh_trace(control_url, "ffff") == 1
    assert capsys.readouterr().err == "pymesh trace: no trace ffff\n"
