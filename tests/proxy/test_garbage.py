"""In a process of its own: what is frozen there stays frozen."""

import subprocess
import sys

SCRIPT = """
import gc
import pymesh.proxy.sidecar
from pymesh.proxy.garbage import spare_what_is_loaded

spare_what_is_loaded()
assert gc.isenabled()
assert len(gc.get_objects()) < 1_000 < gc.get_freeze_count()
"""


def test_what_is_loaded_at_the_start_is_never_looked_at_again() -> None:
    subprocess.run([sys.executable, "-c", SCRIPT], check=True)
