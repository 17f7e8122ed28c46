"""In a process of its own: what is set there stays set."""

import subprocess
import sys

import pytest

SCRIPT = """
import resource
from pymesh.proxy.allocator import keep_buffers

def hold_buffers():
    for buffer in [bytearray(256 * 1024) for _ in range(16)]:  # those of 16 connections
        buffer[::4096] = b"x" * 64

{call}
hold_buffers()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    hold_buffers()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(call: str) -> int:
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(call=call)], capture_output=True, text=True, check=True
    )
    return int(result.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="is about glibc")
def test_large_buffers_are_not_faulted_in_anew_each_time():
    assert page_faults("keep_buffers()") < 100 < 1_000 < page_faults("pass")
