"""A real Envoy, pointed at a control plane's plaintext port, is configured by it over REST and serves requests."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

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


def bootstrap(control_port: int) -> dict[str, Any]:
    rest = {
        "api_type": "REST",
        "transport_api_version": "V3",
        "cluster_names": ["pymesh-control"],
        "refresh_delay": "0.1s",
        "request_timeout": "60s",
    }
    source = {"resource_api_version": "V3", "api_config_source": rest}
    address = {"socket_address": {"address": "127.0.0.1", "port_value": control_port}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    control = {
        "name": "pymesh-control",
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": "pymesh-control", "endpoints": endpoints},
    }
    return {
        "node": NODE,
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
        "dynamic_resources": {"lds_config": source, "cds_config": source},
        "static_resources": {"clusters": [control]},
    }


class Envoy:
    def __init__(self, binary: str, directory: Path, config: dict[str, Any], http_get: Callable[..., Any]) -> None:
        self._http_get = http_get
        self._admin_file = directory / "envoy-admin"
        self.log_file = directory / "envoy.log"
        arguments = [binary, "--config-yaml", json.dumps(config), "--admin-address-path", str(self._admin_file)]
        arguments += ["--log-path", str(self.log_file), "--concurrency", "1", "--disable-hot-restart"]
        self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL)

    def outbound(self) -> str | None:
        """The address of its outbound listener, once it has one."""
        if not self._admin_file.exists() or not (admin := self._admin_file.read_text()):
            return None
        listeners = self._http_get(f"http://{admin}/listeners?format=json").json.get("listener_statuses", [])
        found = [item["local_address"]["socket_address"] for item in listeners if item["name"] == "http_proxy"]
        return f"{found[0]['address']}:{found[0]['port_value']}" if found else None


@pytest.fixture
def start_envoy(mesh: Any, envoy: str, tmp_path: Path) -> Iterator[Callable[[], Envoy]]:
    started: list[Envoy] = []

    def start() -> Envoy:
        port = int(mesh.addresses["listen"].rpartition(":")[2])
        started.append(Envoy(envoy, tmp_path, bootstrap(port), mesh.http_get))
        return started[-1]

    yield start
    for one in started:
        one.process.terminate()
        one.process.wait(15)


def test_envoy_serves_what_the_control_plane_says_and_takes_a_change_within_a_second(
    mesh: Any, start_envoy: Callable[[], Envoy]
) -> None:
    mesh.control()
    app = mesh.http_app("echo")
    mesh.apply(ECHO.format(port=app.port))
    envoy = start_envoy()
    outbound = mesh.wait_until(envoy.outbound, "Envoy's outbound listener")

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
    mesh.wait_until(envoy.outbound, "Envoy's outbound listener")

    def statuses() -> dict[str, str]:
        [proxy] = json.loads(mesh.run("proxy-status", "-o", "json").stdout)
        return {name: found["status"] for name, found in proxy["types"].items()}

    expected = {"CDS": "SYNCED", "EDS": "SYNCED", "LDS": "SYNCED", "RDS": "SYNCED"}
    mesh.wait_until(lambda: statuses() == expected, "all types to be in step")
    assert "envoy-1.default" in mesh.run("proxy-status").stdout
