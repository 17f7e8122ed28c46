"""What a real sidecar shows at /stats/prometheus."""

import re
import threading
from typing import Any

from pymesh.proxy.telemetry import metric_names
from pymesh.proxy.telemetry.metric_names import (
    CERT_EXPIRY,
    CONFIG_REJECTED,
    CONFIG_UPDATES,
    CONTROL_CONNECTED,
    DOWNSTREAM_CX_TOTAL,
    DOWNSTREAM_RQ_ACTIVE,
    STREAM_CRASHES,
    UPSTREAM_CX_ACTIVE,
    UPSTREAM_CX_TOTAL,
    UPSTREAM_RQ_RETRY,
    Metric,
)

OF_POLICIES = re.compile("_(rbac|jwt_authn|ext_authz)_")  # shown where a policy has put the filter there
RETRY_ERRORS = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: payment}
spec:
  hosts: [payment]
  http:
  - retries: {attempts: 2, retryOn: 5xx}
    route: [{destination: {host: payment}}]
"""


def scrape(sidecar: Any) -> dict[str, float]:
    """The metrics without labels, by name."""
    lines = sidecar.read_admin("/stats/prometheus").body.decode().splitlines()
    samples = (line.split() for line in lines if not line.startswith("#") and "{" not in line)
    return {name: float(value) for name, value in samples}


def test_every_metric_of_the_proxy_itself_is_shown(mesh, tmp_path) -> None:
    mesh.control()
    flags = ("--access-log", str(tmp_path / "access.log"), "--concurrency", "2")  # one process has less to tell
    web = mesh.proxy("web", mesh.http_app("web").port, *flags)
    own = {value.name for value in vars(metric_names).values() if isinstance(value, Metric)}
    assert {name for name in own if not name.startswith("istio_") and not OF_POLICIES.search(name)} <= set(scrape(web))


def test_metrics_follow_what_a_sidecar_does(mesh) -> None:
    control = mesh.control()
    app = mesh.http_app("payment")
    mesh.proxy("payment", app.port)
    web = mesh.proxy("web", mesh.http_app("web").port)
    mesh.apply(RETRY_ERRORS)
    mesh.wait_until(
        lambda: web.get("http://payment/status/503").headers and scrape(web)[UPSTREAM_RQ_RETRY.name], "retries"
    )
    caller = threading.Thread(target=lambda: web.get("http://payment/slow/1"))
    caller.start()
    mesh.wait_until(lambda: scrape(web)[DOWNSTREAM_RQ_ACTIVE.name] == 1, "a request in flight")
    caller.join()
    found = scrape(web)
    assert found[DOWNSTREAM_RQ_ACTIVE.name] == 0
    assert found[UPSTREAM_RQ_RETRY.name] == 2
    assert found[DOWNSTREAM_CX_TOTAL.name] >= 2
    assert found[UPSTREAM_CX_TOTAL.name] >= found[UPSTREAM_CX_ACTIVE.name] >= 1
    assert found[CONFIG_UPDATES.name] > 0
    assert found[CONFIG_REJECTED.name] == found[STREAM_CRASHES.name] == 0
    assert found[CONTROL_CONNECTED.name] == 1
    assert found[CERT_EXPIRY.name] > 3600
    control.stop()
    mesh.wait_until(lambda: scrape(web)[CONTROL_CONNECTED.name] == 0, "the control plane to be missed")
