"""wrk as a load: a closed loop over a few connections. https://github.com/wg/wrk"""

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from cores import on_load_core
from measurement import MeasurementError, Outcome

_LATENCY = re.compile(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s)$", re.MULTILINE)
_REQUESTS = re.compile(r"^\s+(\d+) requests in ([\d.]+)(ms|s|m),", re.MULTILINE)
_FAILURES = re.compile(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.+)")
_MILLISECONDS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 60e3}


class Wrk(NamedTuple):
    """`script` is Lua that makes the requests."""

    host: str
    path: str = "/"
    headers: tuple[str, ...] = ()
    script: Path | None = None
    connections: int = 32

    def run(self, port: int, seconds: int) -> Outcome:
        command = [*on_load_core("wrk"), "-t1", f"-c{self.connections}", f"-d{seconds}s", "--latency"]
        for header in (f"Host: {self.host}", *self.headers):
            command += ["-H", header]
        command += ["-s", str(self.script)] if self.script is not None else []
        command.append(f"http://127.0.0.1:{port}{self.path}")
        result = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False)
        if result.returncode:
            raise MeasurementError(f"wrk: {result.stderr.strip()}")
        return parse_wrk(result.stdout)


def parse_wrk(text: str) -> Outcome:
    """Raises MeasurementError where a request failed or none was answered."""
    if failure := _FAILURES.search(text):
        raise MeasurementError(f"wrk: {failure[0]}")
    requests = _REQUESTS.search(text)
    if requests is None or requests[1] == "0":
        raise MeasurementError(f"wrk had no answer:\n{text}")
    latency = {percent: float(value) * _MILLISECONDS[unit] for percent, value, unit in _LATENCY.findall(text)}
    seconds = float(requests[2]) * _MILLISECONDS[requests[3]] / 1e3
    return Outcome(int(requests[1]), seconds, latency["50"], latency["99"])
