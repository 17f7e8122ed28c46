"""A real Envoy, pointed at a control plane's plaintext port, is configured by it over REST and serves requests."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e.real_envoy import Envoy

NODE = {
    "id": "sidecar~127.0.0.1~envoy-1.default~cluster.local",
    "cluster": "envoy",
    "metadata": {
        "NAME": "envoy-1",
        "NAMESPACE": "default",
        "OUTBOUND": {"host": "127.0.0.1", "port": 0},
        "PORT_MAP": {"80": 8080},
    },
}

ECHO = """
apiVersion: v1
kind: Service
metadata: {{name: echo}}
spec:
  selector: {{app: echo}}
  ports: [{{name: http, port: 80}}]
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {{name: echo-1}}
spec: {{address: 127.0.0.1, labels: {{app: echo}}, ports: {{http: {port}}}}}
"""

TEAPOT = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: echo}
spec:
  hosts: [echo]
  http: [{directResponse: {status: 418}}]
"""


def outbound_of(envoy: Envoy) -> str | None:
    """The address of its outbound listener, once it has one."""
    port = envoy.listeners().get("http_proxy")
    return f"127.0.0.1:{port}" if port else None


@pytest.fixture
def start_envoy(mesh: Any, envoy: str, tmp_path: Path) -> Iterator[Callable[[], Envoy]]:
    started: list[Envoy] = []

    def start() -> Envoy:
        port = int(mesh.addresses["listen"].rpartition(":")[2])
        started.append(Envoy(envoy, tmp_path, NODE, port, mesh.http_get))
        return started[-1]

    yield start
    for one in started:
        one.stop()


def test_envoy_serves_what_the_control_plane_says_and_takes_a_change_within_a_second(
    mesh: Any, start_envoy: Callable[[], Envoy]
) -> None:
    mesh.control()
    app = mesh.http_app("echo")
    mesh.apply(ECHO.format(port=app.port))
    envoy = start_envoy()
    outbound = mesh.wait_until(lambda: outbound_of(envoy), "Envoy's outbound listener")

    def answer() -> Any:
        return mesh.http_get("http://echo/hello", via=outbound)

    assert mesh.wait_until(lambda: answer().status == 200, "a 200 through Envoy", 5)
    assert answer().json["app"] == "echo"

    mesh.apply(TEAPOT)
    applied = time.monotonic()
    mesh.wait_until(lambda: answer().status == 418, "the changed route", 5)
    assert time.monotonic() - applied < 1.0


def test_the_control_plane_knows_what_envoy_has_accepted(mesh: Any, start_envoy: Callable[[], Envoy]) -> None:
    mesh.control()
    mesh.apply(ECHO.format(port=9))
    envoy = start_envoy()
    mesh.wait_until(lambda: outbound_of(envoy), "Envoy's outbound listener")

    def statuses() -> dict[str, str]:
        [proxy] = json.loads(mesh.run("proxy-status", "-o", "json").stdout)
        return {name: found["status"] for name, found in proxy["types"].items()}

    expected = {"CDS": "SYNCED", "EDS": "SYNCED", "LDS": "SYNCED", "RDS": "SYNCED"}
    mesh.wait_until(lambda: statuses() == expected, "all types to be in step")
    assert "envoy-1.default" in mesh.run("proxy-status").stdout
