import subprocess
import sys

import pytest

from pymesh.cli.demo.promises import PROMISES


@pytest.mark.timeout(240)
def test_every_promise_of_the_demo_holds():
    result = subprocess.run([sys.executable, "-m", "pymesh", "demo"], capture_output=True, text=True, timeout=220)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("\nok  ") == len(PROMISES)
    assert "Traceback" not in result.stdout + result.stderr
