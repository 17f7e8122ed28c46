"""A slow reader holds the writer up, through real sidecars: no proxy takes in what it cannot get rid of."""

import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

MEGABYTE = 1024 * 1024
BLOCK = bytes(range(256)) * 256  # 64 KB
# What the kernel's buffers on the way hold, the largest part of what is taken in: 6 MB a connection and direction.
ON_THE_WAY = 32 * MEGABYTE
GROWTH = 6 * MEGABYTE  # of a proxy that carries a stream


class StreamApp:
    """GET /<size> sends so many bytes as fast as it can; a PUT is read once `may_read` is set. `moved` counts bytes."""

    def __init__(self) -> None:
        self.moved = 0
        self.digest = ""
        self.may_read = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.may_read.set()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb", buffering=0) as reader:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                if not (byte := reader.read(1)):
                    return
                head += byte
            method, _, rest = head.decode("latin-1").partition(" ")
            try:
                if method == "GET":
                    self._send(connection, int(rest.split(" ", 1)[0].strip("/") or 0))
                else:
                    self._receive(connection, int(rest.lower().partition("content-length: ")[2].split()[0]))
            except OSError:
                pass  # the proxy has gone: the test is over

    def _send(self, connection: socket.socket, size: int) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size)
        self.moved = 0
        while self.moved < size:
            self.moved += connection.send(BLOCK[: size - self.moved])

    def _receive(self, connection: socket.socket, size: int) -> None:
        self.may_read.wait()
        digest, self.moved = hashlib.sha256(), 0
        while self.moved < size:
            data = connection.recv(65536)
            digest.update(data)
            self.moved += len(data)
        self.digest = digest.hexdigest()
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")


class Sent:
    def __init__(self) -> None:
        self.moved = 0

    def send(self, connection: socket.socket, size: int, digest: Any) -> None:
        while self.moved < size:
            block = BLOCK[: size - self.moved]
            connection.sendall(block)
            digest.update(block)
            self.moved += len(block)


class Way:
    """How a client reaches the application: `address` and the proxies on the way."""

    def __init__(self, tunnel: str, address: str, *proxies: Any) -> None:
        self.tunnel = tunnel
        self.address = address
        self.proxies = proxies
        self._before = [resident(proxy.pid) for proxy in proxies]

    def connect(self, head: str) -> socket.socket:
        host, _, port = self.address.rpartition(":")
        connection = socket.create_connection((host, int(port)), timeout=300)
        if self.tunnel:
            connection.sendall(f"CONNECT {self.tunnel} HTTP/1.1\r\nHost: {self.tunnel}\r\n\r\n".encode())
            assert connection.recv(1024).startswith(b"HTTP/1.1 200 OK\r\n")
        connection.sendall(f"{head}\r\nHost: streams\r\nConnection: close\r\n\r\n".encode())
        return connection

    def assert_flat(self) -> None:
        for proxy, before in zip(self.proxies, self._before, strict=True):
            assert resident(proxy.pid) - before < GROWTH


def resident(pid: int) -> int:
    """Bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


@pytest.fixture(scope="module")
def app() -> Iterator[StreamApp]:
    app = StreamApp()
    yield app
    app.close()


@pytest.fixture(scope="module")
def ways(module_mesh: Any, app: StreamApp) -> dict[str, Any]:
    mesh = module_mesh
    mesh.control()
    streams = mesh.proxy("streams", app.port)
    web = mesh.proxy("web", mesh.http_app("web").port)
    mesh.wait_until(
        lambda: mesh.http_get("http://streams/0", via=web.ports["outbound"]).status == 200, "the way to streams"
    )
    mesh.http_get("http://streams/0", via=streams.ports["inbound"])
    outbound = web.ports["outbound"]
    return {
        "plain": (streams.ports["inbound"], streams),
        "mtls": (outbound, web, streams),
        "connect": (outbound, web),
    }


@pytest.fixture(params=["plain", "mtls", "connect"])
def way(request: Any, ways: dict[str, Any], app: StreamApp) -> Way:
    """To the application's own sidecar in plaintext; through a sidecar of the client's, and mTLS; by its CONNECT."""
    tunnel = f"127.0.0.1:{app.port}" if request.param == "connect" else ""
    return Way(tunnel, *ways[request.param])


def still(app: Any, seconds: float = 1.0) -> int:
    """How many bytes have moved, once none has for so long."""
    moved, since = -1, time.monotonic()
    while time.monotonic() - since < seconds:
        if app.moved != moved:
            moved, since = app.moved, time.monotonic()
        time.sleep(0.02)
    return moved


def read_all(connection: socket.socket) -> int:
    total = 0
    while data := connection.recv(MEGABYTE):
        total += len(data)
    return total


def test_a_response_waits_for_its_reader(way: Way, app: StreamApp) -> None:
    size = 128 * MEGABYTE
    with way.connect(f"GET /{size} HTTP/1.1") as client:
        head = client.recv(1024)
        assert still(app) < ON_THE_WAY
        way.assert_flat()
        received = len(head.partition(b"\r\n\r\n")[2]) + read_all(client)
    assert received == app.moved == size
    way.assert_flat()


def test_a_request_waits_for_its_reader(way: Way, app: StreamApp) -> None:
    size = 128 * MEGABYTE
    app.may_read.clear()
    digest, sent = hashlib.sha256(), Sent()
    with way.connect(f"PUT / HTTP/1.1\r\nContent-Length: {size}") as client:
        writer = threading.Thread(target=sent.send, args=(client, size, digest), daemon=True)
        writer.start()
        assert still(sent) < ON_THE_WAY
        way.assert_flat()
        app.may_read.set()
        assert client.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")
        writer.join(5)
    assert app.digest == digest.hexdigest()
    way.assert_flat()


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_a_reader_of_a_kilobyte_a_second_holds_a_gigabyte_up(way: Way, app: StreamApp) -> None:
    size = 1024 * MEGABYTE
    with way.connect(f"GET /{size} HTTP/1.1") as client:
        received = len(client.recv(1024).partition(b"\r\n\r\n")[2])
        for _ in range(120):
            received += len(client.recv(1024))
            time.sleep(1.0)
            way.assert_flat()
        assert app.moved < ON_THE_WAY
        received += read_all(client)
    assert received == size
    way.assert_flat()


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_a_writer_of_a_gigabyte_waits_for_a_reader_that_comes_late(way: Way, app: StreamApp) -> None:
    size = 1024 * MEGABYTE
    app.may_read.clear()
    digest, sent = hashlib.sha256(), Sent()
    with way.connect(f"PUT / HTTP/1.1\r\nContent-Length: {size}") as client:
        threading.Thread(target=sent.send, args=(client, size, digest), daemon=True).start()
        for _ in range(60):
            time.sleep(1.0)
            way.assert_flat()
        assert sent.moved < ON_THE_WAY
        app.may_read.set()
        client.settimeout(300)
        assert client.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")
    assert app.digest == digest.hexdigest()
    way.assert_flat()
