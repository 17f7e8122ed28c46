"""kubectl as a function: its arguments in, what it printed and its exit code out."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

SECONDS = 20.0


class Result(NamedTuple):
    out: str
    err: str
    code: int


class Kubectl:
    """Call it with the arguments of a command. It has a home of its own and finds no kubeconfig."""

    def __init__(self, program: str, server: str, home: Path, namespace: str) -> None:
        self.namespace = namespace
        self.server = server
        self._command = [program, "--server", server, "--namespace", namespace]
        self._environment = {"PATH": os.environ["PATH"], "HOME": str(home), "KUBECONFIG": os.devnull}

    def __call__(self, *arguments: str, input: str = "", code: int = 0, **environment: str) -> Result:
        done = self._run([*self._command, *arguments], input, environment)
        assert done.code == code, done
        return done

    def plain(self, *arguments: str, **environment: str) -> Result:
        """Without the flags that say where the server is."""
        done = self._run([self._command[0], *arguments], "", environment)
        assert done.code == 0, done
        return done

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """For what does not end by itself; the caller ends it."""
        command = [*self._command, *arguments]
        return subprocess.Popen(command, env=self._environment, stdout=subprocess.PIPE, text=True)

    def _run(self, command: list[str], text: str, environment: dict[str, str]) -> Result:
        variables = self._environment | environment
        done = subprocess.run(command, env=variables, input=text, capture_output=True, text=True, timeout=SECONDS)
        return Result(done.stdout, done.stderr, done.returncode)


def expect_program() -> str:
    """The newest one. Without any, tests are skipped on a laptop and fail in CI."""
    found = programs()
    if not found and "CI" in os.environ:
        pytest.fail("there is no kubectl although this is CI")
    if not found:
        pytest.skip("there is no kubectl")
    return found[-1]


def programs() -> list[str]:
    """The kubectl of the path, and what stands beside it as kubectl.1.NN; the oldest first."""
    found = shutil.which("kubectl")
    if found is None:
        return []
    beside = [str(path) for path in Path(found).resolve().parent.glob("kubectl.1.*")]
    return sorted(beside, key=lambda path: int(path.rpartition(".")[2])) or [found]
