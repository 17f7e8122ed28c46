"""Access logs that a Telemetry switches on and off in running sidecars, for some of the requests."""

import http.client
import json
import time
from typing import Any

MESH_CONFIG = """
extensionProviders:
- name: short
  envoyFileAccessLog:
    path: {path}
    logFormat: {{labels: {{path: "%REQ(:PATH)%", status: "%RESPONSE_CODE%"}}}}
"""
TELEMETRY = """
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: logs, namespace: default}
spec:
  accessLogging:
  - match: {mode: CLIENT}
    providers: [{name: short}]
    filter: {expression: "!request.path.endsWith('/quiet')"}
    disabled: %s
"""
SECONDS = 2.0


class Caller:
    """Sends all its requests by one connection to web's sidecar."""

    def __init__(self, web: Any) -> None:
        self.connection = http.client.HTTPConnection(web.ports["outbound"], timeout=10)
        self.count = 0

    def call(self, suffix: str = "") -> str:
        """The path that was asked for; the answer leaves the connection open."""
        self.count += 1
        path = f"/{self.count}{suffix}"
        self.connection.request("GET", f"http://payment{path}")
        response = self.connection.getresponse()
        response.read()
        assert (response.status, response.getheader("connection")) == (200, None)
        return path


def test_a_telemetry_switches_a_log_on_and_off_and_connections_stay(mesh) -> None:
    log, file = mesh.state_dir / "short.log", mesh.state_dir / "mesh.yaml"
    file.write_text(MESH_CONFIG.format(path=log))
    mesh.control("--mesh-config", str(file))
    mesh.proxy("payment", mesh.http_app("payment").port)
    web = mesh.proxy("web", mesh.http_app("web").port)
    mesh.wait_until(lambda: web.get("http://payment/ready").status == 200, "the way to payment")
    caller = Caller(web)
    caller.call()
    local = caller.connection.sock.getsockname()

    mesh.apply(TELEMETRY % "false")
    applied = time.monotonic()
    mesh.wait_until(lambda: caller.call() and log.exists() and log.read_text(), "a line")
    assert time.monotonic() - applied < SECONDS
    line = json.loads(log.read_text().splitlines()[-1])
    assert line["status"] == 200
    assert line["path"].startswith("/")

    quiet, loud = caller.call("/quiet"), caller.call()

    mesh.apply(TELEMETRY % "true")
    known = '"access_log"'
    mesh.wait_until(lambda: known not in web.read_admin("/config_dump").body.decode(), "no access log at web")
    last = caller.call()
    caller.call()
    assert caller.connection.sock.getsockname() == local
    caller.connection.close()
    web.stop()  # which writes what is left
    logged = {json.loads(line)["path"] for line in log.read_text().splitlines()}
    assert loud in logged
    assert logged.isdisjoint({quiet, last})
