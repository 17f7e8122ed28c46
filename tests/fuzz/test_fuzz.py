"""A short run of each fuzz target; `make fuzz` runs them for long."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

RUNS = {"requests": 6000, "responses": 6000, "connection": 1000}


@pytest.fixture(scope="module")
def _atheris() -> None:
    """It has wheels for Linux on x86-64 only: elsewhere the tests are skipped on a laptop and fail in CI."""
    if importlib.util.find_spec("atheris") is None:
        (pytest.fail if "CI" in os.environ else pytest.skip)("there is no atheris (PyPI)")


@pytest.mark.usefixtures("_atheris")
@pytest.mark.parametrize("target", RUNS)
def test_no_input_breaks_the_target(target: str, tmp_path: Path) -> None:
    flags = [f"-runs={RUNS[target]}", "-seed=1", "-len_control=10", f"-artifact_prefix={tmp_path}/"]
    command = [sys.executable, str(Path(__file__).with_name("run.py")), target, *flags]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=50, check=False)
    assert result.returncode == 0, f"{result.stdout}{result.stderr}"
    assert f"Done {RUNS[target]} runs" in result.stderr
