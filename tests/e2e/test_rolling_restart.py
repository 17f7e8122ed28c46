"""A rolling restart of every instance of a service while requests come by the clock: no request is lost.

Every instance is `pymesh run`: SIGTERM stops its sidecar and its application, which ends at once when it is told to. A
third of the requests are POSTs, which nobody sends twice; some take a second. Each is answered, done once, and no
connection is closed to the caller.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = Path(__file__).parent / "programs"
INSTANCES = 3
STRICT = """
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: istio-system}
spec: {mtls: {mode: STRICT}}
"""
GATEWAY = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: shop}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: payment}
spec:
  hosts: ["*"]
  gateways: [shop]
  http: [{route: [{destination: {host: payment}}]}]
"""


class Payment:
    """Three instances, each a sidecar that wraps an application, on ports of their own."""

    def __init__(self, mesh) -> None:
        self._mesh = mesh
        self._accounts = mesh.state_dir / "accounts"
        self.instances = [self._start(version) for version in range(INSTANCES)]
        for instance in self.instances:
            instance.wait_line("is ready")

    def restart_all(self) -> None:
        for version, instance in enumerate(self.instances):
            assert instance.stop() == 0
            self.instances[version] = self._start(version)
            self.instances[version].wait_line("is ready")

    def posts(self) -> int:
        """What the applications have done, once all are stopped."""
        for instance in self.instances:
            assert instance.stop() == 0
        return sum(map(int, self._accounts.read_text().split()))

    def _start(self, version: int) -> Any:
        flags = ("--service", "payment", "--version", f"v{version}", "--app-port", "0")
        command = (sys.executable, str(PROGRAMS / "counting_app.py"), str(self._accounts))
        return self._mesh.wrapped(*flags, command=command, ready=False)


class OpenLoop:
    """The load as a process of its own; `report` is there after the block."""

    def __init__(self, address: str, host: str, rate: int) -> None:
        self.report: dict[str, Any] = {}
        command = (sys.executable, str(PROGRAMS / "open_loop.py"), address, host, str(rate))
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> "OpenLoop":
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "answered\n"
        return self

    def __exit__(self, *_: object) -> None:
        output, _ = self._process.communicate(timeout=30)  # which closes its stdin
        self.report = json.loads(output)
        print(self.report)


def open_sidecar(mesh) -> str:
    return str(mesh.proxy("caller", 0).ports["outbound"])


def open_gateway(mesh) -> str:
    gateway = mesh.gateway("--port-map", "80=0")
    mesh.apply(GATEWAY)
    return gateway.wait_line(r"^listening on (\S+) \(Gateway port 80\)").group(1).replace("0.0.0.0", "127.0.0.1")


@pytest.mark.parametrize(("rate", "rounds"), [(500, 1), pytest.param(2000, 3, marks=pytest.mark.soak)])
@pytest.mark.parametrize("open_edge", [open_sidecar, open_gateway])
def test_no_request_is_lost(mesh, open_edge, rate: int, rounds: int) -> None:
    mesh.control()
    mesh.apply(STRICT)
    payment = Payment(mesh)
    address = open_edge(mesh)
    mesh.wait_until(lambda: mesh.http_get("http://payment/", via=address).status == 200, "the path")
    with OpenLoop(address, "payment", rate) as load:
        for _ in range(rounds):
            payment.restart_all()
    report = load.report
    assert report["failed"] == {}
    assert report["answered"] == report["sent"]
    assert report["closed"] == 0, "connections of the caller's"
    assert report["rate"] >= 0.95 * rate, report
    assert payment.posts() == report["posts"]
