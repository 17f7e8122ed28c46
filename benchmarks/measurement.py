"""One measured run: a load against a proxy, and what the proxy's processes cost meanwhile, from /proc."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from pymesh.errors import PymeshError

_TICK = os.sysconf("SC_CLK_TCK")


class MeasurementError(PymeshError):
    """A run that proves nothing: requests failed, or the load did not run."""


class Outcome(NamedTuple):
    """What a load has done. `amount`: requests, or MB, whatever the work's cost is counted by. Latencies in ms."""

    amount: float
    seconds: float
    p50: float | None = None
    p99: float | None = None


class Load(Protocol):
    def run(self, port: int, seconds: int) -> Outcome:
        """Against 127.0.0.1:`port`. Raises MeasurementError where a request failed."""


class Sample(NamedTuple):
    cpu: float  # microseconds of CPU for each of the load's amount, of all the proxy's processes and threads
    rate: float  # amount a second
    p50: float | None  # milliseconds
    p99: float | None


def measure(load: Load, port: int, pids: Sequence[int], seconds: int) -> Sample:
    """Raises MeasurementError."""
    before = cpu_seconds(pids)
    outcome = load.run(port, seconds)
    cpu = cpu_seconds(pids) - before
    return Sample(cpu / outcome.amount * 1e6, outcome.amount / outcome.seconds, outcome.p50, outcome.p99)


def cpu_seconds(pids: Sequence[int]) -> float:
    """User and system time of the processes with all their threads; proc_pid_stat(5), fields 14 and 15."""
    return sum(_ticks(pid) for pid in pids) / _TICK


def resident_kilobytes(pids: Sequence[int]) -> int:
    return sum(_status_kilobytes(pid, "VmRSS") for pid in pids)


def process_tree(pid: int) -> list[int]:
    """The process and all that descend from it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(descendant for child in children for descendant in process_tree(int(child)))]


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _status_kilobytes(pid: int, key: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1])
    raise MeasurementError(f"process {pid} has no {key}")
