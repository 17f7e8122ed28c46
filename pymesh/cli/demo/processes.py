"""Child processes of the demo: started with a log file each, waited for by their ready line, taken down in reverse."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from pymesh.errors import PymeshError

START_SECONDS = 30.0
STOP_SECONDS = 10.0
_POLL_SECONDS = 0.02

T = TypeVar("T")


class DemoError(PymeshError):
    """The demo cannot go on: a process did not come up, or a promise was not kept."""


class Child:
    """One process. What it prints goes to `log`."""

    def __init__(self, name: str, arguments: list[str], log: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._log_start = output.tell()
            self._process = subprocess.Popen(
                arguments, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **environment}
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def output(self) -> str:
        """What this process has printed so far."""
        return self.log.read_bytes()[self._log_start :].decode(errors="replace")

    def wait_line(self, words: str) -> str:
        """The first line that contains `words`. Raises DemoError with the end of the log if the process ends first."""
        return wait_until(lambda: self._find_line(words), f"{self.name} to say {words!r}", START_SECONDS)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send the signal and wait for the end; killed after STOP_SECONDS. Returns the exit code."""
        if self._process.poll() is None:
            self._process.send_signal(number)
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _find_line(self, words: str) -> str | None:
        output = self.output()
        line = next((line for line in output.splitlines() if words in line), None)
        if line is None and (code := self._process.poll()) is not None:
            raise DemoError(f"{self.name} ended with code {code}:\n{_last_lines(output)}")
        return line


class Processes:
    """All children of one demo."""

    def __init__(self, log_directory: Path) -> None:
        self._log_directory = log_directory
        self._children: list[Child] = []

    def start(self, name: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Child:
        child = Child(name, list(arguments), self._log_directory / f"{name}.log", environment or {})
        self._children.append(child)
        return child

    def pymesh(self, name: str, *arguments: str) -> Child:
        return self.start(name, sys.executable, "-m", "pymesh", *arguments)

    def stop_all(self) -> None:
        """Newest first, so that nobody loses what it still needs."""
        for child in reversed(self._children):
            child.stop()

    def wait_all(self) -> None:
        """Until the user has had enough: a signal ends it with an exception."""
        while True:
            signal.pause()


def wait_until(condition: Callable[[], T | None], what: str, seconds: float = START_SECONDS) -> T:
    """The first true value of `condition`. Raises DemoError after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(_POLL_SECONDS)
    raise DemoError(f"waited {seconds:g} s for {what}")


def _last_lines(text: str, count: int = 15) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines()[-count:])
