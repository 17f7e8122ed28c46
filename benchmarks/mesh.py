"""The mesh that is measured: a real control plane, its sidecars, and the Istio objects that switch the features on."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cores import on_load_core, on_proxy_core

from pymesh.cli.demo.processes import Child, Processes, wait_until
from pymesh.cli.demo.shop import get_json
from pymesh.errors import UsageError
from pymesh.state_dir import StateDir
from pymesh.xds import Resource

Json = dict[str, Any]

_ANYWHERE = tuple(f"--{name}=127.0.0.1:0" for name in ("listen", "tls-listen", "monitoring"))
_SIDECAR_ANYWHERE = tuple(f"--{name}-listen=127.0.0.1:0" for name in ("inbound", "outbound", "admin"))
_NETWORKING = "networking.istio.io/v1"

READY = "is ready"

# What is on for every request: a route timeout, retries with their own, outlier detection, circuit breakers.
_HTTP_FEATURES = {
    "timeout": "15s",
    "retries": {"attempts": 2, "perTryTimeout": "5s", "retryOn": "connect-failure,refused-stream,503"},
}
_TRAFFIC_POLICY = {
    "outlierDetection": {"consecutive5xxErrors": 7, "interval": "10s", "baseEjectionTime": "30s"},
    "connectionPool": {
        "tcp": {"maxConnections": 1000},
        "http": {"http1MaxPendingRequests": 1000, "http2MaxRequests": 1000, "maxRetries": 10},
    },
}


class Sidecar:
    """A running `pymesh proxy`, and where it keeps its certificate."""

    def __init__(self, name: str, child: Child, ports: Json, directory: Path) -> None:
        self.name = name
        self.child = child
        self.listeners: dict[str, int] = ports["listeners"]
        self.proxy_id = f"{ports['name']}.default"
        self.certificate = directory / "certificate.pem"
        self.root = directory / "root.pem"

    @property
    def outbound(self) -> int:
        return self.listeners["http_proxy"]

    @property
    def inbound(self) -> int:
        return self.listeners["virtualInbound"]

    @property
    def upstream(self) -> tuple[str, int]:
        """Name and port of the one listener that --upstream made."""
        return next(item for item in self.listeners.items() if item[0].startswith("127.0.0.1_"))


class Mesh:
    """One control plane, with all that it keeps below `directory`."""

    def __init__(self, directory: Path, processes: Processes) -> None:
        directory.mkdir()
        self._directory = directory
        self._processes = processes
        self.state_dir = StateDir(directory / "state")
        self._state = ("--state-dir", str(self.state_dir.path))
        self._applied = 0
        control = self._start("control", *on_load_core(), *_pymesh("control", *self._state, *_ANYWHERE))
        control.wait_line("ready")

    def start_sidecar(self, service: str, app_port: int, *flags: str) -> Sidecar:
        """Returns when it is ready. Services have names of their own: each has one sidecar."""
        child = self.spawn_sidecar(service, app_port, *flags)
        child.wait_line(READY)
        admin = child.wait_line("admin ").split("admin ", 1)[1].split()[0].rstrip(",").removeprefix("http://")
        key = f"{service}-v1" + (f"-{app_port}" if app_port else "")
        return Sidecar(service, child, get_json(f"http://{admin}/ports"), self.state_dir.proxy("default", key))

    def spawn_sidecar(self, service: str, app_port: int, *flags: str) -> Child:
        """It prints READY."""
        app = ("--service", service, "--app-port", str(app_port), *self._state)
        command = _pymesh("proxy", *app, *_SIDECAR_ANYWHERE, *flags)
        return self._start(f"sidecar-{service}", *on_proxy_core(*command))

    def apply(self, objects: Iterable[Json]) -> None:
        self._applied += 1
        file = self._directory / f"objects-{self._applied}.yaml"
        file.write_text("\n---\n".join(map(json.dumps, objects)))
        command = _pymesh("apply", "-f", str(file), *self._state)
        result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if result.returncode:
            raise UsageError(f"pymesh apply: {result.stderr.strip()}")

    def dump_config(self, sidecar: Sidecar) -> list[Resource]:
        addresses = self.state_dir.read_addresses()
        assert addresses is not None
        dump: list[Resource] = get_json(f"{addresses.listen}/debug/config_dump?proxyID={sidecar.proxy_id}")["configs"]
        return dump

    def _start(self, name: str, *command: str) -> Child:
        return self._processes.start(f"{self._directory.name}-{name}", *command)


def _pymesh(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "pymesh", *arguments)


def service_entry(name: str, host: str, protocol: str, port: int, target_port: int) -> Json:
    """A server outside the mesh at 127.0.0.1:`target_port`: nobody speaks mTLS with it."""
    spec = {
        "hosts": [host],
        "location": "MESH_EXTERNAL",
        "resolution": "STATIC",
        "ports": [{"number": port, "name": protocol.lower(), "protocol": protocol}],
        "endpoints": [{"address": "127.0.0.1", "ports": {protocol.lower(): target_port}}],
    }
    return _object("ServiceEntry", name, spec)


def features(name: str, host: str) -> Iterator[Json]:
    """A VirtualService and a DestinationRule for `host` with everything on."""
    yield virtual_service(name, host, [{"route": [{"destination": {"host": host}}]}])
    yield destination_rule(name, host)


def virtual_service(name: str, host: str, routes: Iterable[Json]) -> Json:
    return _object("VirtualService", name, {"hosts": [host], "http": [route | _HTTP_FEATURES for route in routes]})


def destination_rule(name: str, host: str) -> Json:
    return _object("DestinationRule", name, {"host": host, "trafficPolicy": _TRAFFIC_POLICY})


def _object(kind: str, name: str, spec: Json) -> Json:
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": _NETWORKING, "kind": kind, "metadata": metadata, "spec": spec}


def wait_answer(port: int, host: str, body: bytes) -> None:
    wait_until(lambda: _answer(port, host) == body, f"{host} to answer on port {port}")


def _answer(port: int, host: str) -> bytes:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            body: bytes = response.read()
            return body
    except OSError:
        return b""
