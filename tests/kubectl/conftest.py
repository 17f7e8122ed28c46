"""Real kubectls against one real `pymesh control` for all tests of a module.

    def test_apply_creates(kubectl: Kubectl) -> None:
        assert kubectl("apply", "-f", "-", input=RULE).out == "...created\\n"

Every test has a namespace of its own and the newest kubectl that there is; `each_kubectl` runs a test with every
version.
A kubectl that ends with another code than expected fails the test.
"""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from kubectl.client import SECONDS, Kubectl, expect_program, programs

PROGRAMS = programs()

_READY = re.compile(r"is ready: (http://\S+)")
_namespaces = count(1)


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a control plane."""
    state_dir = tmp_path_factory.mktemp("control")
    ports = [flag for name in ("listen", "tls-listen", "monitoring") for flag in (f"--{name}", "127.0.0.1:0")]
    command = [sys.executable, "-m", "pymesh", "control", "--state-dir", str(state_dir), *ports]
    log = (state_dir / "log").open("w+")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout is not None
    ready = _READY.search(process.stdout.readline())
    assert ready is not None, (state_dir / "log").read_text()
    yield ready[1]
    process.send_signal(signal.SIGTERM)
    process.wait(SECONDS)
    assert "Traceback" not in (state_dir / "log").read_text()


@pytest.fixture
def kubectl(control: str, tmp_path: Path) -> Kubectl:
    """The newest one."""
    return _open(expect_program(), control, tmp_path)


@pytest.fixture(params=PROGRAMS or [""], ids=lambda path: Path(path).name)
def each_kubectl(request: pytest.FixtureRequest, control: str, tmp_path: Path) -> Kubectl:
    return _open(request.param or expect_program(), control, tmp_path)


def _open(program: str, server: str, home: Path) -> Kubectl:
    return Kubectl(program, server, home, f"test-{next(_namespaces)}")
