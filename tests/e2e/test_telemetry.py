"""What a Telemetry changes of the metrics of running sidecars."""

import re
from typing import Any

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
