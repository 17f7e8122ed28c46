"""One measured run: wrk against a proxy, and what the proxy's processes cost meanwhile, from /proc."""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pymesh.errors import PymeshError

_TICK = os.sysconf("SC_CLK_TCK")
_LATENCY = re.compile(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s)$", re.MULTILINE)
_REQUESTS = re.compile(r"^\s+(\d+) requests in ([\d.]+)(ms|s|m),", re.MULTILINE)
_FAILURES = re.compile(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.+)")
_MILLISECONDS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 60e3}


class MeasurementError(PymeshError):
    """A run that proves nothing: requests failed, or wrk did not run."""


class Load(NamedTuple):
    """What wrk sends: `connections` keep-alive connections, closed loop, for `seconds`, which wrk takes whole only."""

    url: str
    host: str
    core: int
    connections: int = 32
    seconds: int = 3


class Sample(NamedTuple):
    cpu: float  # microseconds of CPU a request, of all the proxy's processes and threads
    rps: float
    p50: float  # milliseconds
    p99: float


def measure(load: Load, pids: Sequence[int]) -> Sample:
    """Raises MeasurementError where a request failed."""
    before = cpu_seconds(pids)
    text = run_wrk(load)
    cpu = cpu_seconds(pids) - before
    requests, seconds = _requests(text)
    latency = {percent: float(value) * _MILLISECONDS[unit] for percent, value, unit in _LATENCY.findall(text)}
    return Sample(cpu / requests * 1e6, requests / seconds, latency["50"], latency["99"])


def run_wrk(load: Load) -> str:
    command = ["taskset", "-c", str(load.core), "wrk", "-t1", f"-c{load.connections}", f"-d{load.seconds}s"]
    command += ["--latency", "-H", f"Host: {load.host}", load.url]
    result = subprocess.run(command, capture_output=True, text=True, timeout=load.seconds + 30, check=False)
    failure = _FAILURES.search(result.stdout)
    if result.returncode or failure:
        raise MeasurementError(f"wrk {load.url}: {failure[0] if failure else result.stderr.strip()}")
    return result.stdout


def cpu_seconds(pids: Sequence[int]) -> float:
    """User and system time of the processes with all their threads; proc_pid_stat(5), fields 14 and 15."""
    return sum(_ticks(pid) for pid in pids) / _TICK


def resident_megabytes(pids: Sequence[int]) -> float:
    return sum(_status_kilobytes(pid, "VmRSS") for pid in pids) / 1024


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _status_kilobytes(pid: int, key: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1])
    raise MeasurementError(f"process {pid} has no {key}")


def _requests(text: str) -> tuple[int, float]:
    match = _REQUESTS.search(text)
    if match is None or match[1] == "0":
        raise MeasurementError(f"wrk answered nothing:\n{text}")
    return int(match[1]), float(match[2]) * _MILLISECONDS[match[3]] / 1e3
