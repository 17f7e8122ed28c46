"""benchmarks/compare.py as a real process. Its figures are nobody's business here."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "compare.py"
PROGRAMS = ("envoy", "nginx", "taskset", "wrk")


@pytest.fixture
def compare(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    if missing := [name for name in PROGRAMS if shutil.which(name, path=path) is None]:
        (pytest.fail if "CI" in os.environ else pytest.skip)(f"there is no {', '.join(missing)}")
    command = [sys.executable, str(SCRIPT), "--rounds=1", "--seconds=1"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env=environment, start_new_session=True, **pipes) as process:
        yield process
        process.kill()


def remains(directory: Path) -> list[str]:
    """Files there, and the command lines of processes that were started with some of them."""
    running = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            running.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:  # gone meanwhile
            continue
    return [*map(str, directory.iterdir()), *(line for line in running if str(directory) in line)]


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")
class TestCompare:
    def test_every_contestant_has_a_row_for_each_kind_of_work(self, compare, tmp_path: Path) -> None:
        output, errors = compare.communicate(timeout=55)
        assert compare.returncode == 0, errors
        rows = [line.split(" | ")[:2] for line in output.splitlines() if line.startswith("| ")][1:]
        assert [name.split()[0] for _, name in rows] == ["Envoy", "nginx", "pymesh"] * 2
        assert [name for _, name in rows[3:]] == ["Envoy × 2", "nginx × 2", "pymesh × 2"]
        assert remains(tmp_path) == []

    def test_an_interrupted_run_leaves_nothing(self, compare, tmp_path: Path) -> None:
        """Ctrl-C reaches all processes of the terminal at once."""
        assert compare.stdout is not None
        while not compare.stdout.readline().startswith("| plain HTTP | pymesh"):
            assert compare.poll() is None
        assert remains(tmp_path)
        os.killpg(compare.pid, signal.SIGINT)
        _, errors = compare.communicate(timeout=30)
        assert (compare.returncode, errors) == (130, "compare.py: interrupted\n")
        assert remains(tmp_path) == []
