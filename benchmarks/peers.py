"""The Python peers: an aiohttp reverse proxy of our own, and proxy.py and mitmproxy in an environment of their own.

mitmproxy pins a dozen of our own dependencies to other versions, so `install` makes benchmarks/.peers for both.
"""

import subprocess
import sys
from pathlib import Path

from pymesh.errors import UsageError

DIRECTORY = Path(__file__).parent / ".peers"
_PACKAGES = ("mitmproxy>=10", "proxy.py>=2.4")


def is_installed() -> bool:
    return (DIRECTORY / "bin" / "mitmdump").exists()


def install() -> None:
    """Raises UsageError."""
    steps = ((sys.executable, "-m", "venv", str(DIRECTORY)), (_python(), "-m", "pip", "install", "-q", *_PACKAGES))
    for command in steps:
        result = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        if result.returncode:
            raise UsageError(f"{' '.join(command)}: {result.stderr.strip()}")


def aiohttp_proxy(port: int, upstream: int) -> list[str]:
    return [sys.executable, str(Path(__file__).parent / "programs" / "aiohttp_proxy.py"), str(port), str(upstream)]


def mitmproxy(port: int, upstream: int) -> list[str]:
    """Its reverse mode."""
    listen = ("--listen-host", "127.0.0.1", "--listen-port", str(port))
    return [str(DIRECTORY / "bin" / "mitmdump"), "-q", "--mode", f"reverse:http://127.0.0.1:{upstream}", *listen]


def proxy_py(port: int, _: int) -> list[str]:
    """A forward proxy: as a reverse one it stops at the second request of a connection (2.4.10)."""
    one = ("--num-acceptors", "1", "--num-workers", "1", "--log-level", "ERROR")
    return [_python(), "-m", "proxy", "--hostname", "127.0.0.1", "--port", str(port), *one]


def _python() -> str:
    return str(DIRECTORY / "bin" / "python")
