"""The e2e fixture: `mesh` starts real pymesh processes, each on free loopback ports, and ends them by pid.

    def test_a_request_reaches_the_service(mesh: Mesh) -> None:
        mesh.control()
        app = mesh.http_app("payment-v1")
        mesh.proxy("payment", app.port, "--version", "v1")
        web = mesh.proxy("web", mesh.http_app("web").port)
        assert web.get("http://payment/pay").json["app"] == "payment-v1"

`mesh.control()`, `mesh.proxy(service, app_port, *flags)`, `mesh.gateway(*flags)`, `mesh.wrapped(*flags, command=...)`
return when the process has printed its ready line (`ready=False`: at once); `mesh.apply(yaml)` is `pymesh apply`;
`mesh.run(*arguments)` any command to its end; `mesh.http_app(name)` and `mesh.tcp_app()` are applications in this
process; `mesh.http_get(url)`, `mesh.wait_until(condition, what)`, `mesh.load(url)` and `mesh.exchange(address, data)`
are here because tests cannot import this file.
Everything is below one temporary state dir, `mesh.state_dir`, and all is gone after the test, which fails if a process
printed a traceback.
"""

import http.client
import json
import os
import queue
import re
import resource
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest

from pymesh.cli import main

READY = re.compile("is ready")
START_SECONDS = 20.0
STOP_SECONDS = 15.0
ANY_PORT = "127.0.0.1:0"
PAUSE = 0.005  # seconds between the requests of one caller: a load, and not all that the machine can do

P = TypeVar("P", bound="Process")


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def http_get(
    url: str, *, via: str | None = None, method: str = "GET", body: bytes | None = None, **headers: str
) -> Answer:
    """One request on a connection of its own, through the HTTP proxy `via` if given. `_` in header names is `-`."""
    host, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(via or host, timeout=10)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, url if via else f"/{path}", body=body, headers=named)
        response = connection.getresponse()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()


def wait_until(condition: Callable[[], Any], what: str, seconds: float = 10.0) -> Any:
    """The first true value of `condition`, asked every 50 ms. Fails the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.05)
    return value


def exchange(address: str, data: bytes) -> bytes:
    """All that comes back for these bytes on a connection of their own, until the other side closes or is silent."""
    host, _, port = address.rpartition(":")
    received = b""
    with socket.create_connection((host, int(port)), timeout=2) as connection:
        connection.sendall(data)
        try:
            while chunk := connection.recv(65536):
                received += chunk
        except (TimeoutError, ConnectionResetError):
            pass
    return received


class Load:
    """Callers that send one request after the other, each on one connection that it keeps, while a test does something.

    with mesh.load(url) as load:
        ...
        load.wait_answers(50)
    load.assert_nothing_lost()

    A caller whose connection was closed makes another; if not `stays`, he goes elsewhere.
    """

    def __init__(self, url: str, via: str | None = None, callers: int = 2, stays: bool = True) -> None:
        self.statuses: Counter[int] = Counter()
        self.lost: list[str] = []  # requests that got no answer, and connections that were closed after one
        self.last: Answer | None = None
        host, _, path = url.removeprefix("http://").partition("/")
        self._target = via or host, url if via else f"/{path}"
        self._stays = stays
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._call, daemon=True) for _ in range(callers)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        self.wait_answers(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def count(self) -> int:
        return sum(self.statuses.values()) + len(self.lost)

    def wait_answers(self, number: int) -> None:
        """So many more than there are now."""
        goal = self.count + number
        wait_until(lambda: self.count >= goal, f"{number} answers")

    def assert_nothing_lost(self) -> None:
        assert self.lost == []
        assert set(self.statuses) == {200}

    def _call(self) -> None:
        connection = http.client.HTTPConnection(self._target[0], timeout=10)
        while not self._stop.wait(PAUSE):
            try:
                self._request(connection)
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(repr(error))
                connection.close()
            if connection.sock is None and not self._stays:
                return
        connection.close()

    def _request(self, connection: http.client.HTTPConnection) -> None:
        connection.request("GET", self._target[1])
        response = connection.getresponse()
        answer = Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        self.statuses[answer.status] += 1
        self.last = answer
        if connection.sock is None:
            self.lost.append(f"closed after {answer}")


class Process:
    """A pymesh process. `lines` is what it printed so far, both streams; `wait_line` reads on."""

    def __init__(
        self, arguments: tuple[str, ...], environment: dict[str, str] | None = None, files: int | None = None
    ) -> None:
        """`files` is how many it may have open."""
        self.lines: list[str] = []
        self._is_asked = False
        self._news: queue.Queue[str | None] = queue.Queue()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pymesh", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
            preexec_fn=files and partial(resource.setrlimit, resource.RLIMIT_NOFILE, (files, files)),
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def wait_line(self, pattern: str | re.Pattern[str], seconds: float = START_SECONDS) -> re.Match[str]:
        """The first line, printed before or yet to come, in which the pattern is found."""
        deadline, position = time.monotonic() + seconds, 0
        while True:
            for line in self.lines[position:]:
                position += 1
                if match := re.search(pattern, line):
                    return match
            try:
                if self._news.get(timeout=max(0.0, deadline - time.monotonic())) is None:
                    self._news.put(None)  # for whoever waits next
                    if position == len(self.lines):
                        raise AssertionError(f"ended without printing {pattern!r}:\n{self.output}")
            except queue.Empty:
                raise AssertionError(f"no line {pattern!r} within {seconds:g} s:\n{self.output}") from None

    def send_signal(self, number: int) -> None:
        self._process.send_signal(number)

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """The exit code, once it has ended by itself."""
        code = self._process.wait(seconds)
        self._reader.join(seconds)
        return code

    def terminate(self) -> None:
        """Ask it to end; once, as a second signal is impatience."""
        if not self._is_asked and self._process.poll() is None:
            self._is_asked = True
            self._process.terminate()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send the signal and wait for the end; killed if that takes STOP_SECONDS. The exit code, -9 for killed."""
        if number == signal.SIGTERM:
            self.terminate()
        elif self._process.poll() is None:
            self._process.send_signal(number)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                self.lines.append(line.rstrip("\n"))
                self._news.put(line)
        self._news.put(None)


class DataPlane(Process):
    """A sidecar or a gateway; `ports` is its admin port's `/ports`."""

    def get(self, url: str, **options: Any) -> Answer:
        """A GET of the sidecar's application: through the outbound listener as an HTTP proxy."""
        return http_get(url, via=self.ports["outbound"], **options)

    @property
    def admin(self) -> str:
        return self.wait_line(r"admin ([\d.]+:\d+)").group(1)

    @property
    def ports(self) -> dict[str, Any]:
        ports: dict[str, Any] = self.read_admin("/ports").json
        return ports

    def clusters(self) -> str:
        return self.read_admin("/clusters").body.decode()

    def read_admin(self, path: str, method: str = "GET") -> Answer:
        return http_get(f"http://{self.admin}{path}", method=method)


class HttpApp(ThreadingHTTPServer):
    """Answers every request with JSON: its name, the method, the path, the headers and the length of the body.

    `/status/503` answers 503, `/slow/1.5` after 1.5 s, `/via/payment/pay` what http://payment/pay answers through the
    HTTP proxy `outbound`, over a connection that is kept as long as the caller's. `requests` counts those that have
    begun, `lost` the answers after which the proxy closed.
    """

    daemon_threads = True

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), _HttpHandler)
        self.name = name
        self.requests = 0
        self.outbound = ""
        self.lost = 0
        self.port = self.server_port
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()
        self.thread.join()


class _HttpHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # it writes head and body apart, and the second would wait for an ACK of the first
    server: HttpApp
    _proxy: http.client.HTTPConnection | None = None

    def do_GET(self) -> None:
        length = int(self.headers.get("content-length", 0))
        self.rfile.read(length)
        self.server.requests += 1
        if self.path.startswith("/via/"):
            self._forward("http://" + self.path.removeprefix("/via/"))
            return
        if slow := re.match(r"/slow/([\d.]+)", self.path):
            time.sleep(float(slow[1]))
        status = re.match(r"/status/(\d+)", self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        found = {
            "app": self.server.name,
            "method": self.command,
            "path": self.path,
            "headers": headers,
            "length": length,
        }
        self._answer(
            int(status[1]) if status else 200, json.dumps(found).encode(), {"content-type": "application/json"}
        )

    def _forward(self, url: str) -> None:
        if self._proxy is None:
            self._proxy = http.client.HTTPConnection(self.server.outbound, timeout=10)
        self._proxy.request("GET", url)
        response = self._proxy.getresponse()
        marks = {name: value for name, value in response.getheaders() if name.lower() == "x-push"}
        body = response.read()
        self.server.lost += self._proxy.sock is None
        self._answer(response.status, body, marks)

    def finish(self) -> None:
        super().finish()
        if self._proxy is not None:
            self._proxy.close()

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | {"content-length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 (the names that http.server looks up)

    def log_message(self, *_: Any) -> None:
        """Silence: what the application prints is no evidence."""


class TcpApp(socketserver.ThreadingTCPServer):
    """Sends back what it gets, behind the prefix."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, prefix: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _TcpHandler)
        self.prefix = prefix
        self.port = int(self.server_address[1])
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()
        self.thread.join()


class _TcpHandler(socketserver.BaseRequestHandler):
    server: TcpApp

    def handle(self) -> None:
        while data := self.request.recv(65536):
            self.request.sendall(self.server.prefix + data)


class Mesh:
    """See the module."""

    http_get = staticmethod(http_get)
    wait_until = staticmethod(wait_until)
    exchange = staticmethod(exchange)
    load = Load

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self._processes: list[Process] = []
        self._apps: list[HttpApp | TcpApp] = []
        self._files = 0

    # processes

    def control(self, *flags: str, ready: bool = True) -> Process:
        """Started again, it listens where it did before."""
        known = self.addresses
        listen = (
            *("--listen", known.get("listen", ANY_PORT).rpartition("/")[2]),
            *("--tls-listen", known.get("tls", ANY_PORT).rpartition("/")[2]),
            *("--monitoring", known.get("monitoring", ANY_PORT).rpartition("/")[2]),
        )
        return self._started(Process(("control", "--state-dir", str(self.state_dir), *listen, *flags)), ready)

    def proxy(
        self,
        service: str,
        app_port: int,
        *flags: str,
        ready: bool = True,
        environment: dict[str, str] | None = None,
        files: int | None = None,
    ) -> DataPlane:
        arguments = ("proxy", "--service", service, "--app-port", str(app_port), *self.sidecar_flags, *flags)
        return self._started(DataPlane(arguments, environment, files), ready)

    def gateway(self, *flags: str, ready: bool = True, environment: dict[str, str] | None = None) -> DataPlane:
        arguments = ("gateway", "--state-dir", str(self.state_dir), "--admin-listen", ANY_PORT, *flags)
        return self._started(DataPlane(arguments, environment), ready)

    def wrapped(self, *flags: str, command: tuple[str, ...], ready: bool = True) -> DataPlane:
        """`pymesh run FLAGS -- COMMAND`."""
        return self._started(DataPlane(("run", *self.sidecar_flags, *flags, "--", *command)), ready)

    @property
    def sidecar_flags(self) -> tuple[str, ...]:
        listens = ("--inbound-listen", ANY_PORT, "--outbound-listen", ANY_PORT, "--admin-listen", ANY_PORT)
        return ("--state-dir", str(self.state_dir), *listens)

    @property
    def addresses(self) -> dict[str, str]:
        """The control plane's URLs, by `listen`, `tls` and `monitoring`; empty before the first start."""
        file = self.state_dir / "control" / "addresses.json"
        return dict(json.loads(file.read_text())) if file.exists() else {}

    # commands

    def run(self, *arguments: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Any command, to its end, with this mesh's state dir. `code` None accepts any exit code."""
        command = [sys.executable, "-m", "pymesh", *arguments, "--state-dir", str(self.state_dir)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert code is None or result.returncode == code, f"{arguments}: {result.returncode}\n{result.stderr}"
        return result

    def apply(self, yaml: str) -> None:
        self._files += 1
        file = self.state_dir / f"applied-{self._files}.yaml"
        file.write_text(yaml)
        assert main(["apply", "-f", str(file), "--state-dir", str(self.state_dir)]) == 0

    # applications

    def http_app(self, name: str) -> HttpApp:
        app = HttpApp(name)
        self._apps.append(app)
        return app

    def tcp_app(self, prefix: bytes = b"") -> TcpApp:
        app = TcpApp(prefix)
        self._apps.append(app)
        return app

    def close(self) -> None:
        """The proxies at once, then the control planes, to which they say good-bye."""
        proxies = [process for process in self._processes if isinstance(process, DataPlane)]
        for process in proxies:
            process.terminate()
        for process in (*proxies, *self._processes):
            process.stop()
        for app in self._apps:
            app.close()

    def assert_no_traceback(self) -> None:
        for process in self._processes:
            assert "Traceback (most recent call last)" not in process.output, process.output

    def _started(self, process: P, ready: bool) -> P:
        self._processes.append(process)
        if ready:
            process.wait_line(READY)
        return process


def run_mesh(state_dir: Path) -> Iterator[Mesh]:
    mesh = Mesh(state_dir)
    try:
        yield mesh
    finally:
        mesh.close()
    mesh.assert_no_traceback()


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[Mesh]:
    yield from run_mesh(tmp_path)


@pytest.fixture(scope="module")
def module_mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """One mesh for all tests of a module, each of which uses hosts of its own."""
    yield from run_mesh(tmp_path_factory.mktemp("mesh"))
