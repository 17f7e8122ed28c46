"""Real servers that tell what they saw, and a proxy of this process that tells what it believes to have forwarded."""

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import uvloop

from pymesh.proxy.downstream.context import ProxyContext
from pymesh.proxy.downstream.hcm_config import HttpConnectionManagerConfig, HttpFilterConfig
from pymesh.proxy.downstream.listener_config import FilterChainConfig, ListenerConfig
from pymesh.proxy.downstream.listener_manager import ListenerManager
from pymesh.proxy.http_filters import router
from pymesh.proxy.matchers.path_matcher import PathMatcher
from pymesh.proxy.routing.route import (
    ClusterAction,
    Route,
    RouteConfiguration,
    RouteMatcher,
    VirtualHost,
    WeightedCluster,
)
from pymesh.proxy.routing.route_table import RouteTables
from pymesh.proxy.telemetry.telemetry import Telemetry
from pymesh.proxy.telemetry.workload import Workload
from pymesh.proxy.timers import Timers
from pymesh.proxy.tls.secrets import SecretStore
from pymesh.proxy.upstream.cluster_config import STATIC, ClusterConfig
from pymesh.proxy.upstream.cluster_manager import ClusterManager
from pymesh.proxy.upstream.endpoint import ClusterLoadAssignment, EndpointConfig
from pymesh.xds import Address

FILES = Path(__file__).parent / "backends"
_LINE = re.compile(r'(-?\d+) (\S+) (\S+) (?:(\d+|-)|(".*"))')


class Seen(NamedTuple):
    """One request, as a server tells it: it has answered with this status."""

    status: int
    method: str
    path: str
    length: int


class Backend:
    """A process that writes a line to `log` for each request."""

    def __init__(self, name: str, command: list[str], port: int, log: Path, **environment: str) -> None:
        self.name = name
        self.port = port
        self._log = log
        environment = {**os.environ, **environment}
        with log.with_name("output").open("wb") as output, log.with_name("errors").open("wb") as errors:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, env=environment
            )

    def wait_listening(self) -> None:
        deadline = time.monotonic() + 20
        with socket.socket() as probe:
            while probe.connect_ex(("127.0.0.1", self.port)):
                errors = self._log.with_name("errors").read_text()
                assert self._process.poll() is None, f"{self.name}: {errors}"
                assert time.monotonic() < deadline, f"{self.name} does not listen: {errors}"
                time.sleep(0.02)

    def seen(self) -> list[Seen]:
        return [_decode(line) for line in self._log.read_text().splitlines()]

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)


def _decode(line: str) -> Seen:
    match = _LINE.fullmatch(line)
    assert match is not None, line
    return Seen(int(match[1]), match[2], match[3], _length(match[4], match[5]))


def _length(number: str | None, body: str) -> int:
    """nginx tells the body itself, HAProxy `-` where there was no request."""
    return len(json.loads(body)) if number is None else int(number.replace("-", "0"))


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _program(name: str) -> str:
    """Without it, tests are skipped on a laptop and fail in CI."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None and "CI" in os.environ:
        pytest.fail(f"there is no {name} although this is CI")
    if found is None:
        pytest.skip(f"there is no {name}")
    return found


def _config(name: str, directory: Path, port: int) -> str:
    file = directory / name
    text = (FILES / name).read_text()
    for mark, value in (("@PORT@", port), ("@SECOND_PORT@", _free_port()), ("@DIRECTORY@", directory)):
        text = text.replace(mark, str(value))
    file.write_text(text)
    return str(file)


def _start(name: str, directory: Path) -> Backend:
    port, output = _free_port(), directory / "output"
    if name == "nginx":
        command = [_program("nginx"), "-e", str(directory / "error.log"), "-c", _config("nginx.conf", directory, port)]
        return Backend(name, command, port, directory / "seen.log")
    if name == "haproxy":
        command = [_program("haproxy"), "-db", "-f", _config("haproxy.cfg", directory, port)]
        return Backend(name, command, port, output)
    if name == "node":
        return Backend(name, [_program("node"), str(FILES / "server.js"), str(port)], port, output)
    command = [sys.executable, str(FILES / f"{name}.py"), str(port)]
    return Backend(name, command, port, output, AIOHTTP_NO_EXTENSIONS="1")


@pytest.fixture(params=["nginx", "haproxy", "node", "aiohttp_server", "http_server"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    backend = _start(request.param, tmp_path)
    try:
        backend.wait_listening()
        yield backend
    finally:
        backend.stop()


# the proxy


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Callable[..., Any]]:
    """The loop that a proxy runs on."""
    return {"uvloop": uvloop.new_event_loop}


class RequestLog(Telemetry):
    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Any] = []

    def on_request(self, info: Any, direction: Any) -> None:
        self.requests.append(info)


class Proxy:
    """Forwards everything to one backend, over connections that it keeps."""

    def __init__(self, backend: Backend) -> None:
        loop = asyncio.get_running_loop()
        secrets = SecretStore()
        self._log = RequestLog()
        self._context = ProxyContext(
            clusters=ClusterManager(secrets),
            routes=RouteTables(),
            secrets=secrets,
            telemetry=self._log,
            workload=Workload("web-v1", "default", "web", "v1", "pymesh"),
            timers=Timers(loop),
            loop=loop,
        )
        endpoint = ClusterLoadAssignment("backend", (EndpointConfig("127.0.0.1", backend.port),))
        self._context.clusters.apply_cluster(ClusterConfig("backend", STATIC, load_assignment=endpoint))
        self._manager = ListenerManager(self._context)

    async def start(self) -> None:
        action = ClusterAction((WeightedCluster("backend"),), timeout=None)
        host = VirtualHost("all", ("*",), (Route("all", RouteMatcher(PathMatcher("prefix", "/")), action),))
        connection_manager = HttpConnectionManagerConfig(
            route_config=RouteConfiguration("all", (host,)),
            http_filters=(HttpFilterConfig("router", router.FACTORY, router.RouterConfig()),),
            accept_http_10=True,
            upgrades=frozenset(("websocket",)),
        )
        chain = FilterChainConfig("all", connection_manager)
        await self._manager.apply(ListenerConfig("in", Address("127.0.0.1", 0), (chain,)))

    @property
    def port(self) -> int:
        return self._manager.addresses()["in"].port

    def forwarded(self) -> list[Seen]:
        """Of the requests that a backend was given, those that it has answered."""
        return [
            Seen(info.response_code, info.method.decode(), info.path.decode("latin-1"), info.bytes_received)
            for info in self._log.requests
            if info.response_code_details == "via_upstream"
        ]

    def given(self) -> int:
        """How many requests a backend was given, at least in part."""
        return sum(info.upstream_host is not None for info in self._log.requests)

    async def aclose(self) -> None:
        await self._manager.aclose()
        await self._context.tasks.aclose()
        self._context.clusters.close()


@pytest.fixture
async def proxy(backend: Backend) -> AsyncIterator[Proxy]:
    proxy = Proxy(backend)
    await proxy.start()
    yield proxy
    await proxy.aclose()
