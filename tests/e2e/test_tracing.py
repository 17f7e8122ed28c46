"""Traces of real requests: sampled as the mesh config says, shown by `pymesh trace`."""

import json
import re
from typing import Any

SAMPLE_ALL = "defaultConfig: {tracing: {sampling: 100}}\n"
SAMPLE_NONE = "defaultConfig: {tracing: {sampling: 0}}\n"
REQUESTS = 5


def start(mesh, mesh_config: str):
    file = mesh.state_dir / "mesh.yaml"
    file.write_text(mesh_config)
    mesh.control("--mesh-config", str(file))
    mesh.proxy("payment", mesh.http_app("payment").port)
    return mesh.proxy("web", mesh.http_app("web").port)


def traces(mesh) -> dict[str, Any]:
    """How many spans each has, by id."""
    found = json.loads(mesh.run("trace", "-o", "json").stdout)["traces"]
    return {trace["trace_id"]: trace["spans"] for trace in found}


def test_every_request_leaves_its_spans_where_the_mesh_samples_all(mesh) -> None:
    web = start(mesh, SAMPLE_ALL)
    for _ in range(REQUESTS):
        assert web.get("http://payment/pay").status == 200
    mesh.wait_until(lambda: list(traces(mesh).values()) == [2] * REQUESTS, "two spans of each request")
    tree = mesh.run("trace", next(iter(traces(mesh)))).stdout
    assert re.search(r"web\S* .* client payment.default:80/\* .* 200", tree)
    assert re.search(r"└─ payment\S* .* server payment.default:80/\* .* 200", tree)


def test_no_request_is_traced_where_the_mesh_samples_none_but_one_that_a_caller_sampled(mesh) -> None:
    web = start(mesh, SAMPLE_NONE)
    for _ in range(REQUESTS):
        assert web.get("http://payment/pay").json["headers"]["traceparent"].endswith("-00")
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    assert web.get("http://payment/pay", traceparent=f"00-{trace_id}-00f067aa0ba902b7-01").status == 200
    mesh.wait_until(lambda: traces(mesh) == {trace_id: 2}, "the one trace")
