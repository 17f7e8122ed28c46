"""The demo's mesh: control, gateway, web, payment v1 and v2 and PostgreSQL, each application behind its own sidecar."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from pymesh.cli.demo.processes import Child, DemoError, Processes, wait_until
from pymesh.state_dir import ControlAddresses, StateDir

READY = "is ready"


class Instance(NamedTuple):
    """An application and the sidecar beside it. `ports` is what the sidecar's admin port says."""

    app: Child
    sidecar: Child
    sidecar_arguments: tuple[str, ...]
    ports: dict[str, Any]


class Answer(NamedTuple):
    status: int
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Shop:
    """Everything listens on a free loopback port, and every file is below `state`."""

    def __init__(self, state: Path) -> None:
        self.state = StateDir(state)
        self.processes = Processes(state)
        self.files = find_files()
        self.requests = 0  # sent through the gateway so far
        self.instances: dict[str, Instance] = {}
        self._connection: http.client.HTTPConnection | None = None

    # the mesh

    def start(self) -> None:
        """Returns when a request has gone the whole way. What does not need each other starts at the same time."""
        self.start_control()
        self.apply()
        with ThreadPoolExecutor() as pool:
            others = [pool.submit(self._start_gateway), pool.submit(self._start_web)]
            pool.submit(self._start_database).result()
            others += [pool.submit(self.start_payment, f"payment-{version}", version) for version in ("v1", "v2")]
        for other in others:
            other.result()
        wait_until(lambda: self.get("/pay").status == 200, "a first answer through the whole mesh")

    def start_control(self) -> None:
        any_port = "http://127.0.0.1:0"
        # Started again, it must listen where its proxies look for it.
        addresses = self.state.read_addresses() or ControlAddresses(any_port, any_port, any_port)
        self.control = self.processes.pymesh(
            "control",
            "control",
            f"--state-dir={self.state.path}",
            f"--listen={_host_port(addresses.listen)}",
            f"--tls-listen={_host_port(addresses.tls)}",
            f"--monitoring={_host_port(addresses.monitoring)}",
        )
        self.control.wait_line(READY)

    @property
    def addresses(self) -> ControlAddresses:
        addresses = self.state.read_addresses()
        assert addresses is not None, "control has said that it is ready"
        return addresses

    def apply(self, *names: str) -> None:
        """`pymesh apply` of these files, or of all."""
        self._pymesh("apply", *(f"--filename={self.files / name}" for name in names or ("",)))

    def delete(self, name: str) -> None:
        self._pymesh("delete", f"--filename={self.files / name}")

    def _start_gateway(self) -> None:
        flags = ("--port-map", "80=0", "--admin-listen", "127.0.0.1:0", "--state-dir", str(self.state.path))
        gateway = self.processes.pymesh("gateway", "gateway", *flags)
        self.gateway_admin = admin_url(gateway)
        gateway.wait_line(READY)
        (listener,) = get_json(self.gateway_admin + "/listeners")
        self.gateway = f"127.0.0.1:{listener['port']}"

    def _start_database(self) -> None:
        self._start_instance("db", "postgres.py", ("--service", "db", "--app-protocol", "tcp"))

    def _start_web(self) -> None:
        self._start_instance("web", "web.py", ("--service", "web"))

    def start_payment(self, name: str, version: str, **environment: str) -> None:
        flags = ("--service", "payment", "--version", version, "--upstream", "0=db:5432")
        self._start_instance(name, "payment.py", flags, VERSION=version, **environment)

    def _start_instance(self, name: str, script: str, flags: tuple[str, ...], **environment: str) -> None:
        port = str(free_port())
        arguments = ("proxy", *flags, "--app-port", port, "--state-dir", str(self.state.path), *SIDECAR_FLAGS)
        sidecar = self.processes.pymesh(f"{name}-sidecar", *arguments)
        ports = get_json(admin_url(sidecar) + "/ports")
        environment |= {"PORT": port, "http_proxy": f"http://{ports['outbound']}"}
        for upstream in ports["upstreams"]:
            environment["DATABASE_PORT"] = upstream["listen"].rpartition(":")[2]
        app = self.processes.start(name, sys.executable, str(self.files / script), environment=environment)
        sidecar.wait_line(READY)
        self.instances[name] = Instance(app, sidecar, arguments, ports)

    def stop_instance(self, name: str) -> None:
        instance = self.instances.pop(name)
        instance.sidecar.stop()
        instance.app.stop()

    def restart_sidecar(self, name: str) -> None:
        """Kill the sidecar, start it again with the same flags and wait until it serves."""
        instance = self.instances[name]
        instance.sidecar.stop(signal.SIGKILL)
        sidecar = self.processes.pymesh(f"{name}-sidecar", *instance.sidecar_arguments)
        sidecar.wait_line(READY)
        self.instances[name] = instance._replace(sidecar=sidecar, ports=get_json(admin_url(sidecar) + "/ports"))

    def _pymesh(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "pymesh", *arguments, f"--state-dir={self.state.path}"]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode != 0:
            raise DemoError(f"pymesh {' '.join(arguments)}: {result.stderr.strip()}")

    # its user

    def get(self, path: str, **headers: str) -> Answer:
        """A GET through the gateway, on one kept-alive connection. Header names are written with underscores."""
        self.requests += 1
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self.gateway, timeout=10)
        try:
            self._connection.request("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})
            response = self._connection.getresponse()
            return Answer(response.status, response.read())
        except OSError as error:
            self._connection.close()
            raise DemoError(f"GET {path} through the gateway: {error}") from error

    def get_many(self, path: str, count: int, **headers: str) -> list[Answer]:
        return [self.get(path, **headers) for _ in range(count)]


SIDECAR_FLAGS = (
    *("--inbound-listen", "127.0.0.1:0"),
    *("--outbound-listen", "127.0.0.1:0"),
    *("--admin-listen", "127.0.0.1:0"),
)


def find_files() -> Path:
    """The shop's files: in a wheel beside this module, in a checkout below examples/."""
    here = Path(__file__).parent
    candidates = (here / "files", here.parents[2] / "examples" / "shop")
    return next(path for path in candidates if path.is_dir())


def free_port() -> int:
    """A port that nobody listens on right now, for an application that cannot say which one it took."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def admin_url(proxy: Child) -> str:
    """The admin URL that a proxy prints when it has bound its ports."""
    line = proxy.wait_line("admin ")
    return "http://" + line.split("admin ", 1)[1].split()[0].rstrip(",").removeprefix("http://")


def get_text(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as response:
        return str(response.read().decode())


def get_json(url: str) -> Any:
    return json.loads(get_text(url))


def _host_port(url: str) -> str:
    return url.rpartition("/")[2]


def clear_proxy_variables() -> None:
    """The demo's own requests go straight to the gateway, whatever proxy the user's shell has set."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        os.environ.pop(name, None)
