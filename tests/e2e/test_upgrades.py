"""WebSocket by a real library at both ends, and CONNECT, through real processes."""

import hashlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close
from websockets.sync.client import connect
from websockets.sync.server import Server, ServerConnection, serve

LOGGED = ("--access-log", "-")
MEGABYTE = 1024 * 1024
FRAME = os.urandom(MEGABYTE)

GATEWAY = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: front}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 8080, name: http, protocol: HTTP}
    hosts: ["*"]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: front}
spec:
  hosts: ["*"]
  gateways: [front]
  http:
  - timeout: 1s
    route: [{destination: {host: web}}]
"""


def open_socket(address: str, host: str, path: str = "/chat") -> Any:
    """To `host`, by the proxy that listens at `address`."""
    name, _, port = address.rpartition(":")
    sock = socket.create_connection((name, int(port)), timeout=10)
    return connect(f"ws://{host}{path}", sock=sock, max_size=None, compression=None, proxy=None)


def echo(connection: ServerConnection) -> None:
    """Sends back what it gets; says good-bye with a reason of its own when it is told to."""
    for message in connection:
        if message == "bye":
            connection.close(4001, "as you wish")
            return
        connection.send(message)


def relay_to(outbound: Callable[[], str]) -> Callable[[ServerConnection], None]:
    """What `web` does: passes each message on to `chat` by its sidecar and the answer back."""

    def relay(connection: ServerConnection) -> None:
        with open_socket(outbound(), "chat") as chat:
            try:
                for message in connection:
                    chat.send(message)
                    connection.send(chat.recv())
            except ConnectionClosed as error:
                close = error.rcvd or Close(1011, "lost")
                connection.close(close.code, close.reason)

    return relay


@pytest.fixture
def serve_sockets() -> Iterator[Callable[..., int]]:
    """`serve_sockets(handler)` is the port of a WebSocket server."""
    servers: list[tuple[Server, threading.Thread]] = []

    def start(handler: Callable[[ServerConnection], None]) -> int:
        server = serve(handler, "127.0.0.1", 0, max_size=None, compression=None)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        servers.append((server, thread))
        return int(server.socket.getsockname()[1])

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join(5)


@pytest.fixture(scope="module")
def mesh(module_mesh: Any) -> Any:
    module_mesh.control()
    return module_mesh


@pytest.fixture(scope="module")
def sidecar(mesh: Any) -> Any:
    return mesh.proxy("shop", mesh.http_app("shop").port, *LOGGED)


def test_a_websocket_goes_through_a_gateway_and_two_sidecars(mesh: Any, serve_sockets: Callable[..., int]) -> None:
    outbound: list[str] = []
    chat = mesh.proxy("chat", serve_sockets(echo), *LOGGED)
    web = mesh.proxy("web", serve_sockets(relay_to(lambda: outbound[0])), *LOGGED)
    outbound.append(web.ports["outbound"])
    gateway = mesh.gateway(*LOGGED)
    mesh.apply(GATEWAY)
    port = gateway.wait_line(r"^listening on \S+:(\d+) \(Gateway port 8080\)").group(1)
    mesh.wait_until(lambda: mesh.http_get(f"http://127.0.0.1:{port}/").status != 503, "the way to web")

    with open_socket(f"127.0.0.1:{port}", "shop.example.com") as client:
        client.send("hello")
        assert client.recv() == "hello"
        for _ in range(3):
            client.send(FRAME)
            received = client.recv()
            assert hashlib.sha256(received).digest() == hashlib.sha256(FRAME).digest()
        assert client.ping().wait(5)
        client.send("bye")
        with pytest.raises(ConnectionClosed) as closed:
            client.recv()
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "as you wish")

    for process in (gateway, web, chat):  # one request, and its bytes both ways
        line = process.wait_line(r'"GET /chat HTTP/1\.1" 101 (\S+) \S+ \S+ "-" (\d+) (\d+) ')
        assert line.group(1) in ("-", "DC", "UC")
        assert all(3 * MEGABYTE < int(count) < 3 * MEGABYTE + 1000 for count in line.group(2, 3))
    for process, reporter in ((gateway, "source"), (chat, "destination")):
        assert count_of(process, reporter) == 1


def count_of(process: Any, reporter: str) -> float:
    """How many requests answered with 101 this proxy has counted."""
    lines = process.read_admin("/stats/prometheus").body.decode().splitlines()
    wanted = [line for line in lines if line.startswith("istio_requests_total{") and 'response_code="101"' in line]
    return sum(float(line.rpartition(" ")[2]) for line in wanted if f'reporter="{reporter}"' in line)


def test_an_upgrade_that_nobody_allows_is_refused(mesh: Any, sidecar: Any) -> None:
    upgrade = b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: something\r\n\r\n"
    assert mesh.exchange(sidecar.ports["outbound"], upgrade).startswith(b"HTTP/1.1 403 Forbidden\r\n")


def test_a_connect_tunnel_passes_each_half_close_on(mesh: Any, sidecar: Any) -> None:
    app = mesh.tcp_app(b"echo ")
    host, _, port = sidecar.ports["outbound"].rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as client:
        client.sendall(f"CONNECT 127.0.0.1:{app.port} HTTP/1.1\r\nHost: 127.0.0.1:{app.port}\r\n\r\n".encode())
        reader = client.makefile("rb")
        assert reader.readline().startswith(b"HTTP/1.1 200 ")
        while reader.readline().strip():
            pass
        client.sendall(b"ping")
        client.shutdown(socket.SHUT_WR)
        assert reader.read() == b"echo ping"
    line = sidecar.wait_line(r'"CONNECT \S+ HTTP/1\.1" 200 (\S+) \S+ \S+ "-" (\d+) (\d+) ')
    assert line.group(1, 2, 3) == ("-", "4", "9")
