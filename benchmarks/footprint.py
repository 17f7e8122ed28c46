"""What a sidecar costs that has nothing to do: memory, memory of idle connections, and the time to its start."""

import compileall
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from statistics import median
from typing import NamedTuple

from contest import PLAIN_HOST, Contest, is_open
from contestants import ENVOY, PYMESH
from measurement import MeasurementError, resident_kilobytes
from mesh import READY
from report import Verdict

import pymesh
from pymesh.cli.demo.processes import Child

_CONNECTIONS = 1_000
_WARM_UP_CONNECTIONS = 100
_SETTLE_SECONDS = 2.0  # for what a proxy does once after its start
_REQUEST = f"GET / HTTP/1.1\r\nHost: {PLAIN_HOST}\r\n\r\n".encode()
_START_DEADLINE = 30.0
_POLL_SECONDS = 0.002


class Running(NamedTuple):
    child: Child
    port: int


Start = Callable[[], Running]
_numbers = count()


def prepare_pymesh(contest: Contest) -> Start:
    """A new workload: without certificate and configuration on its disk."""
    mesh, service = contest.mesh, f"idle-{next(_numbers)}"

    def start() -> Running:
        child = mesh.spawn_sidecar(service, 0, "--drain-time=0")
        _poll(lambda: READY in child.output())
        port = re.search(r"outbound 127\.0\.0\.1:(\d+)", child.output())
        assert port is not None
        return Running(child, int(port[1]))

    return start


def prepare_envoy(contest: Contest) -> Start:
    name = f"envoy-idle-{next(_numbers)}"
    command, port = contest.envoy_command(name, contest.web(has_log=False), "http_proxy")

    def start() -> Running:
        child = contest.processes.start(name, *command)
        _poll(lambda: is_open(port))
        return Running(child, port)

    return start


_PROXIES: dict[str, Callable[[Contest], Start]] = {ENVOY: prepare_envoy, PYMESH: prepare_pymesh}


def measure_memory(contest: Contest, rounds: int) -> Iterator[Verdict]:
    """Of freshly started proxies; a second round would say the same."""
    idle, connection = {}, {}
    for name, prepare in _PROXIES.items():
        running = prepare(contest)()
        time.sleep(_SETTLE_SECONDS)
        idle[name] = resident_kilobytes([running.child.pid]) / 1024
        connection[name] = _kilobytes_a_connection(running)
        running.child.stop()
    yield _verdict("resident memory of an idle sidecar", "MB", idle, target=45)
    yield _verdict("memory of each further idle keep-alive connection", "KB", connection, target=12)


def measure_start(contest: Contest, rounds: int) -> Iterator[Verdict]:
    """From the start of the process until it is ready: pymesh from the control plane, Envoy from a file.

    pymesh's bytecode is there, as pip leaves it, whatever PYTHONDONTWRITEBYTECODE says of a checkout.
    """
    compileall.compile_dir(Path(pymesh.__file__).parent, quiet=1)
    seconds: dict[str, list[float]] = {name: [] for name in _PROXIES}
    for _ in range(rounds):
        for name, prepare in _PROXIES.items():
            start = prepare(contest)
            began = time.monotonic()
            running = start()
            seconds[name].append(time.monotonic() - began)
            running.child.stop()
    yield _verdict("start to ready", "s", {name: median(values) for name, values in seconds.items()}, target=0.5)


FOOTPRINTS = {"memory": measure_memory, "start": measure_start}


def _kilobytes_a_connection(running: Running) -> float:
    with ExitStack() as stack:
        for _ in range(_WARM_UP_CONNECTIONS):
            _open_idle(running.port, stack)
        before = resident_kilobytes([running.child.pid])
        for _ in range(_CONNECTIONS):
            _open_idle(running.port, stack)
        return (resident_kilobytes([running.child.pid]) - before) / _CONNECTIONS


def _open_idle(port: int, stack: ExitStack) -> None:
    """A connection that has had one request."""
    connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
    connection.sendall(_REQUEST)
    answer = b""
    while not answer.endswith(b"x" * 1024):
        data = connection.recv(65536)
        if not data:
            raise MeasurementError(f"an idle connection was closed after {answer[:100]!r}")
        answer += data


def _poll(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _START_DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            raise MeasurementError("a proxy did not start")
        time.sleep(_POLL_SECONDS)


def _verdict(title: str, unit: str, figures: dict[str, float], target: float) -> Verdict:
    return Verdict(title, unit, figures[PYMESH], figures[ENVOY], figures[PYMESH], target, is_ratio=False)
