"""benchmarks/compare.py as a real process. Its figures are nobody's business here."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "compare.py"
PROGRAMS = ("envoy", "haproxy", "nginx", "taskset", "wrk")

Run = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def compare(tmp_path: Path) -> Iterator[Run]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    if missing := [name for name in PROGRAMS if shutil.which(name, path=path) is None]:
        (pytest.fail if "CI" in os.environ else pytest.skip)(f"there is no {', '.join(missing)}")
    processes = []

    def run(*flags: str) -> "subprocess.Popen[str]":
        command = [sys.executable, str(SCRIPT), "--rounds=1", "--seconds=1", *flags]
        environment = {**os.environ, "TMPDIR": str(tmp_path)}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(command, text=True, env=environment, start_new_session=True, **pipes)
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.communicate()


def remains(directory: Path) -> list[str]:
    """Files there, and the command lines of processes that were started with some of them."""
    running = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            running.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:  # gone meanwhile
            continue
    return [*map(str, directory.iterdir()), *(line for line in running if str(directory) in line)]


def cells(output: str) -> list[list[str]]:
    """The tables' rows, without their headers."""
    rows = [line.strip("| ").split(" | ") for line in output.splitlines() if line.startswith("| ")]
    return [row for row in rows if row[0] != "work"]


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")
class TestCompare:
    def test_every_contestant_has_a_row_and_pymesh_a_target(self, compare: Run, tmp_path: Path) -> None:
        process = compare("--work=mtls")
        output, errors = process.communicate(timeout=55)
        assert process.returncode == 0, errors
        *details, target = cells(output)
        assert [row[1] for row in details] == ["Envoy × 2", "nginx × 2", "pymesh × 2"]
        assert (target[0], target[5]) == (details[0][0], "≤ 0.75")
        assert remains(tmp_path) == []

    def test_an_unknown_work_is_refused_with_the_names_of_all(self, compare: Run) -> None:
        process = compare("--work=plain,nonsense")
        assert "there is no work nonsense; there are plain, plain-log" in process.communicate(timeout=30)[1]
        assert process.returncode == 2

    def test_an_interrupted_run_leaves_nothing(self, compare: Run, tmp_path: Path) -> None:
        """Ctrl-C reaches all processes of the terminal at once."""
        process = compare("--work=plain,post", "--contestants=Envoy,pymesh")
        assert process.stdout is not None
        while not (line := process.stdout.readline()).startswith("| plain HTTP"):
            assert process.poll() is None
        assert "| Envoy |" in line
        assert process.stdout.readline().startswith("| plain HTTP, GET 1 KB | pymesh |")
        assert remains(tmp_path)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert (process.returncode, errors) == (130, "compare.py: interrupted\n")
        assert remains(tmp_path) == []
