"""What a sidecar costs that has nothing to do: the limits. benchmarks/footprint.py measures it beside Envoy."""

import contextlib
import re
import socket
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc").exists(), reason="memory is read from /proc")

IDLE_KILOBYTES = 45 * 1024
CONNECTION_KILOBYTES = 12
CONNECTIONS = 500
REQUEST = b"GET / HTTP/1.1\r\nhost: web\r\n\r\n"


def resident_kilobytes(pid: int) -> int:
    match = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert match is not None
    return int(match[1])


def open_idle(address: str, stack: contextlib.ExitStack) -> None:
    """A connection that has had one request."""
    host, _, port = address.rpartition(":")
    connection = stack.enter_context(socket.create_connection((host, int(port)), timeout=10))
    connection.sendall(REQUEST)
    answer = b""
    while not answer.endswith(b"}"):
        data = connection.recv(65536)
        assert data, answer
        answer += data
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


def test_an_idle_sidecar_is_small_and_so_is_each_idle_connection(mesh) -> None:
    mesh.control()
    web = mesh.proxy("web", mesh.http_app("web").port)
    assert resident_kilobytes(web.pid) < IDLE_KILOBYTES
    mesh.wait_until(lambda: web.get("http://web/").status == 200, "the endpoint of web")
    outbound = web.ports["outbound"]
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            open_idle(outbound, stack)
        before = resident_kilobytes(web.pid)
        for _ in range(CONNECTIONS):
            open_idle(outbound, stack)
        assert (resident_kilobytes(web.pid) - before) / CONNECTIONS < CONNECTION_KILOBYTES


def test_no_library_of_http_or_certificates_is_in_a_running_sidecar(mesh) -> None:
    """Their extension modules would be mapped."""
    mesh.control()
    web = mesh.proxy("web", mesh.http_app("web").port)
    mapped = Path(f"/proc/{web.pid}/maps").read_text()
    assert "/httptools/" in mapped
    assert "/aiohttp/" not in mapped
    assert "/cryptography/" not in mapped
