"""What a sidecar imports: memory that each one pays for, on every machine, and time that each start takes."""

import subprocess
import sys

import pytest

_PRINT_MODULES = """
import sys
import pymesh.cli.proxy, pymesh.ingress.gateway, pymesh.proxy.lifecycle, pymesh.proxy.sidecar
import pymesh.proxy.local_data_plane, pymesh.proxy.workers.pool
print(*sys.modules)
"""


@pytest.fixture(scope="module")
def modules() -> set[str]:
    """The top-level packages that a proxy has imported when it is about to run."""
    done = subprocess.run([sys.executable, "-c", _PRINT_MODULES], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize(
    "package", ["aiohttp", "cryptography", "email", "h2", "hpack", "jwt", "prometheus_client", "rich", "yaml"]
)
def test_a_proxy_does_without(modules: set[str], package: str) -> None:
    assert package not in modules
