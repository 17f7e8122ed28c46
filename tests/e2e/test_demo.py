import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from pymesh.cli.demo.promises import PROMISES


@pytest.mark.timeout(240)
def test_every_promise_of_the_demo_holds():
    result = subprocess.run([sys.executable, "-m", "pymesh", "demo"], capture_output=True, text=True, timeout=220)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("\nok  ") == len(PROMISES)
    assert "Traceback" not in result.stdout + result.stderr


def test_a_demo_that_is_told_to_end_leaves_nothing_behind():
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o711)  # started by root, PostgreSQL runs as nobody
        command = [sys.executable, "-m", "pymesh", "demo"]
        demo = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "TMPDIR": directory})
        assert b"the mesh is up" in demo.stdout.readline()
        demo.send_signal(signal.SIGTERM)
        demo.communicate(timeout=30)
        assert demo.returncode == 128 + signal.SIGTERM
        assert list(Path(directory).iterdir()) == []
