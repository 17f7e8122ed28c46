"""What a Telemetry changes of the metrics and traces of running sidecars."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

TELEMETRY = """
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: metrics, namespace: default}
spec:
  metrics:
  - providers: [{name: prometheus}]
    overrides:
    - match: {metric: REQUEST_SIZE, mode: CLIENT}
      disabled: true
    - match: {metric: REQUEST_COUNT, mode: CLIENT}
      tagOverrides:
        request_method: {value: request.method}
        response_flags: {operation: REMOVE}
"""


def requests(address: str) -> str:
    return rf'istio_requests_total{{[^}}]*reporter="{address}"[^}}]*}} [\d.]+'


def test_a_telemetry_changes_labels_and_leaves_metrics_out(mesh) -> None:
    mesh.control()
    mesh.apply(TELEMETRY)
    payment = mesh.proxy("payment", mesh.http_app("payment").port)
    web = mesh.proxy("web", mesh.http_app("web").port, "--concurrency", "2")
    mesh.wait_until(lambda: web.get("http://payment/pay").status == 200, "the way to payment")

    (line,) = re.findall(requests("source"), scrape(web))
    assert 'request_method="GET"' in line
    assert "response_flags" not in line
    assert "istio_request_bytes" not in scrape(web)
    (line,) = re.findall(requests("destination"), scrape(payment))
    assert 'response_flags="-"' in line
    assert "istio_request_bytes" in scrape(payment)

    monitoring = f"{mesh.addresses['monitoring']}/metrics"
    mesh.wait_until(
        lambda: 'request_method="GET"' in mesh.http_get(monitoring).body.decode(), "the label in the mesh's metrics"
    )


def scrape(sidecar: Any) -> str:
    text: str = sidecar.read_admin("/stats/prometheus").body.decode()
    return text


MESH_CONFIG = """
extensionProviders:
- name: zipkin
  zipkin: {service: zipkin.example, port: 9411, headers: [{name: x-tenant, value: shop}]}
"""
ZIPKIN = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: zipkin, namespace: default}
spec:
  hosts: [zipkin.example]
  ports: [{number: 9411, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.1, ports: {http: %d}}]
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: tracing, namespace: default}
spec:
  tracing:
  - providers: [{name: zipkin}]
    randomSamplingPercentage: 100
    enableIstioTags: false
    customTags: {shop: {literal: {value: books}}}
"""


class Zipkin(BaseHTTPRequestHandler):
    """Keeps the spans that it gets."""

    spans: ClassVar[list[dict[str, Any]]] = []
    tenants: ClassVar[set[str]] = set()

    def do_POST(self) -> None:
        assert self.path == "/api/v2/spans"
        self.spans.extend(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.tenants.add(self.headers["x-tenant"])
        self.send_response(202)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


def test_a_provider_gets_the_spans_of_one_trace(mesh) -> None:
    file = mesh.state_dir / "mesh.yaml"
    file.write_text(MESH_CONFIG)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Zipkin)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        mesh.control("--mesh-config", str(file))
        mesh.apply(ZIPKIN % server.server_port)
        mesh.proxy("payment", mesh.http_app("payment").port)
        web = mesh.proxy("web", mesh.http_app("web").port)
        mesh.wait_until(lambda: web.get("http://payment/pay").status == 200, "the way to payment")
        told = web.get("http://payment/traced").json["headers"]
        assert (told["x-b3-sampled"], "traceparent" in told) == ("1", False)
        spans = mesh.wait_until(lambda: trace(told["x-b3-traceid"]), "two spans of the trace")
    finally:
        server.shutdown()
        server.server_close()

    assert spans["CLIENT"]["localEndpoint"]["serviceName"] == "web.default"
    assert (spans["SERVER"]["parentId"], spans["SERVER"]["id"]) == (spans["CLIENT"]["id"], told["x-b3-spanid"])
    tags = spans["SERVER"]["tags"]
    assert (tags["shop"], tags["http.status_code"]) == ("books", "200")
    assert "istio.mesh_id" not in tags
    assert Zipkin.tenants == {"shop"}


def trace(trace_id: str) -> dict[str, dict[str, Any]]:
    """By kind, once both are there."""
    found = {span["kind"]: span for span in Zipkin.spans if span["traceId"] == trace_id}
    return found if len(found) == 2 else {}
