import gzip
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.parser import text_string_to_metric_families

from pymesh import otlp
from pymesh.control.telemetry import routes
from pymesh.control.telemetry.collector import Collector
from pymesh.xds import METRICS_PATH, TRACES_PATH

Make = Callable[..., Any]
Client = TestClient[web.Request, web.Application]

TRACE = "a" * 32
PROTOBUF = {"Content-Type": "application/x-protobuf"}


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    registry = CollectorRegistry()
    Counter("pilot_xds_pushes", "Pushes.", registry=registry).inc(4)
    collector = Collector(clock=lambda: 0.0)
    app = web.Application()
    app.add_routes([*routes.collector_routes(collector), *routes.monitoring_routes(collector, registry)])
    async with TestClient(TestServer(app)) as started:
        yield started


async def test_metrics_show_the_mesh_and_control_itself(client: Client, make_report: Make) -> None:
    answer = await client.post(METRICS_PATH, data=make_report(3).SerializeToString(), headers=PROTOBUF)
    assert answer.status == 200
    assert answer.content_type == "application/x-protobuf"
    text = await (await client.get("/metrics")).text()
    values = {sample.name: sample.value for family in text_string_to_metric_families(text) for sample in family.samples}
    assert values["istio_requests_total"] == 3
    assert values["pilot_xds_pushes_total"] == 4
    assert values["pymesh_collector_instances"] == 1


async def test_metrics_that_are_not_collected_are_told(client: Client, make_report: Make) -> None:
    body = make_report(3, name="other_total").SerializeToString()
    answer = await client.post(METRICS_PATH, data=body, headers=PROTOBUF)
    response = otlp.ExportMetricsServiceResponse.FromString(await answer.read())
    assert response.partial_success.rejected_data_points == 1


async def test_a_trace_is_listed_and_read(client: Client, make_spans: Make) -> None:
    body = make_spans((TRACE, "1" * 16, "", 1000, 10)).SerializeToString()
    assert (await client.post(TRACES_PATH, data=body, headers=PROTOBUF)).status == 200
    (summary,) = (await (await client.get("/debug/traces")).json())["traces"]
    assert (summary["trace_id"], summary["duration"]) == (TRACE, 10_000)
    trace = await (await client.get("/debug/traces/AAA")).json()
    assert trace["trace_id"] == TRACE
    (span,) = trace["spans"]
    assert span["attributes"]["http.status_code"] == "200"
    assert (await client.get("/debug/traces/bbb")).status == 404
    assert await (await client.get("/debug/traces?limit=0")).json() == {"traces": []}
    assert (await client.get("/debug/traces?limit=x")).status == 400


async def test_json_has_ids_in_hex(client: Client) -> None:
    span = {"traceId": TRACE, "spanId": "1" * 16, "name": "s", "startTimeUnixNano": "5000", "kind": 2, "links": []}
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    answer = await client.post(TRACES_PATH, json=body)
    assert (answer.status, await answer.json()) == (200, {})
    trace = await (await client.get(f"/debug/traces/{TRACE}")).json()
    assert trace["spans"][0]["kind"] == "server"


async def test_a_packed_body_is_unpacked(client: Client, make_spans: Make) -> None:
    body = gzip.compress(make_spans((TRACE, "1" * 16, "", 1000, 10)).SerializeToString())
    await client.post(TRACES_PATH, data=body, headers={**PROTOBUF, "Content-Encoding": "gzip"})
    assert (await client.get(f"/debug/traces/{TRACE}")).status == 200


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"\xff\xff", "application/x-protobuf"),
        (b"{", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"[]", "application/json"),
        (b'{"resourceSpans": 1}', "application/json"),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "xyz"}]}]}]}', "application/json"),
        (b"", "text/plain"),
    ],
)
async def test_a_bad_body_is_answered_with_a_reason(client: Client, body: bytes, content_type: str) -> None:
    answer = await client.post(TRACES_PATH, data=body, headers={"Content-Type": content_type})
    assert answer.status == 400
    assert (await answer.json())["message"]


async def test_a_body_is_bounded_after_it_is_unpacked(client: Client) -> None:
    body = gzip.compress(bytes(routes.MAX_BODY + 1))
    answer = await client.post(TRACES_PATH, data=body, headers={**PROTOBUF, "Content-Encoding": "gzip"})
    assert answer.status == 413
