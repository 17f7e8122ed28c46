"""Loads that wrk has not: each is a program of ours on the load's core, which prints what it has done."""

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from cores import on_load_core
from measurement import MeasurementError, Outcome

PROGRAMS = Path(__file__).parent / "programs"


class TcpMessages(NamedTuple):
    """Messages to an echo server behind the proxy, counted in MB of both ways."""

    connections: int = 8
    size: int = 64 * 1024

    def run(self, port: int, seconds: int) -> Outcome:
        return run_program("tcp_load.py", port, seconds, self.connections, self.size)


class Handshakes(NamedTuple):
    """A new mTLS connection for each request."""

    certificate: Path  # with its key
    root: Path
    threads: int = 8

    def run(self, port: int, seconds: int) -> Outcome:
        return run_program("tls_load.py", port, seconds, self.threads, self.certificate, self.root)


class ConstantRate(NamedTuple):
    """`rate` requests a second, whatever becomes of earlier ones."""

    host: str
    rate: float
    connections: int = 64

    def run(self, port: int, seconds: int) -> Outcome:
        return run_program("rate_load.py", port, seconds, self.connections, self.rate, self.host)


def run_program(script: str, port: int, seconds: int, *arguments: object) -> Outcome:
    command = on_load_core(sys.executable, str(PROGRAMS / script), *map(str, (port, seconds, *arguments)))
    result = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False)
    if result.returncode:
        raise MeasurementError(f"{script}: {result.stderr.strip()}")
    return parse_outcome(script, result.stdout)


def parse_outcome(script: str, text: str) -> Outcome:
    """Raises MeasurementError where something failed or nothing was done."""
    outcome = json.loads(text)
    if failures := outcome.pop("failures"):
        raise MeasurementError(f"{script}: {failures} failed")
    if not outcome["amount"]:
        raise MeasurementError(f"{script} had no answer")
    return Outcome(**outcome)
