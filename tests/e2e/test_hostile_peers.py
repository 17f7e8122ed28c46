"""Real sidecars between clients and servers that mean no good: no input ends a process, and the next request works."""

import asyncio
import random
import re
import resource
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fuzz.seeds import REQUESTS, RESPONSES, WORDS

from pymesh.proxy.downstream.connection_limit import connections_within

INPUTS = 1500
TOGETHER = 50  # connections at a time
PATIENCE = 0.02  # seconds that such a client waits for an answer
SLOW = 1000
FILES = 3 * SLOW
FEW_FILES = 400
MANY_REQUESTS = 20_000_000  # bytes; the buffers of the kernel take a part of it
HALF_A_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"

Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def mutate(chance: random.Random, seeds: tuple[bytes, ...], host: bytes) -> bytes:
    """A seed in which a few pieces are replaced, doubled or cut out."""
    data = bytearray(chance.choice(seeds).replace(b"Host: a", b"Host: " + host))
    for _ in range(chance.randint(0, 4)):
        start = chance.randint(0, len(data))
        end = min(len(data), start + chance.choice((0, 0, 1, 4, 20)))
        piece = chance.choice(
            (chance.choice(WORDS), chance.randbytes(chance.randint(1, 8)), bytes(data[start:end]) * 3)
        )
        data[start:end] = piece
    return bytes(data)


async def answer(chance: random.Random, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Honest where the path begins with /own, and else nonsense, after which it now and then closes."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            path = head.split(b" ")[1]
            if path.startswith(b"/own/"):
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(path), path))
                continue
            writer.write(mutate(chance, RESPONSES, b"shop"))
            if chance.random() < 0.3:
                break
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass
    finally:
        writer.close()


async def annoy(chance: random.Random, port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(mutate(chance, REQUESTS, b"shop"))
        async with asyncio.timeout(PATIENCE):
            await reader.read()
    except (OSError, TimeoutError):
        pass
    finally:
        writer.close() if chance.random() < 0.5 else writer.transport.abort()


async def ask(port: int, path: bytes, seconds: float = 5.0) -> bytes:
    """What an honest request on a new connection is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET %b HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n" % path)
    async with asyncio.timeout(seconds):
        response = await reader.read()
    writer.close()
    head, _, body = response.partition(b"\r\n\r\n")
    return body if head.startswith(b"HTTP/1.1 200 ") else response


async def annoy_and_ask(chance: random.Random, ports: list[int]) -> None:
    for number in range(INPUTS // TOGETHER):
        await asyncio.gather(*(annoy(chance, chance.choice(ports)) for _ in range(TOGETHER)))
        for port in ports:
            path = b"/own/%d" % number
            assert await ask(port, path) == path


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def crashes(proxy: Any) -> list[str]:
    metrics = proxy.read_admin("/stats/prometheus").body.decode()
    return re.findall(r"^pymesh_stream_crashes_total\S* (\S+)", metrics, re.MULTILINE)


async def serve_and(run: Callable[[int], Any], chance: random.Random) -> None:
    """`run` is given the application's port, in a thread, and returns a coroutine to be awaited."""
    server = await asyncio.start_server(lambda r, w: answer(chance, r, w), "127.0.0.1", 0)
    async with server:
        await (await asyncio.to_thread(run, server.sockets[0].getsockname()[1]))


def start_pair(mesh: Any, app_port: int) -> tuple[Any, Any, int]:
    """The sidecars of `web` and `shop`, and the port at which web reaches shop."""
    mesh.control()
    shop, web = mesh.proxy("shop", app_port), mesh.proxy("web", mesh.http_app("web").port)
    outbound = port_of(web.ports["outbound"])
    mesh.wait_until(lambda: "outbound|80||shop.default.svc.cluster.local" in web.clusters(), "shop at web")
    return shop, web, outbound


def test_no_input_ends_a_process_and_the_next_request_works(mesh) -> None:
    chance = random.Random(11)
    proxies: list[Any] = []

    def run(app_port: int) -> Any:
        shop, web, outbound = start_pair(mesh, app_port)
        proxies.extend((shop, web))
        return annoy_and_ask(chance, [outbound, port_of(shop.ports["inbound"])])

    asyncio.run(serve_and(run, chance))
    assert [crashes(proxy) for proxy in proxies] == [["0"], ["0"]]


# slow clients


@pytest.fixture
def _many_files() -> Iterator[None]:
    """For the test's own end of the connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < FILES:
        pytest.skip(f"{hard} open files are too few")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, FILES), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def open_slow(port: int, beginnings: tuple[bytes, ...]) -> list[Client]:
    clients = []
    for number in range(SLOW):
        client = await asyncio.open_connection("127.0.0.1", port)
        client[1].write(beginnings[number % len(beginnings)])
        clients.append(client)
    return clients


async def ask_among_slow(port: int, beginnings: tuple[bytes, ...]) -> list[float]:
    """How long each of 20 requests took, while each of the others sends a byte between them."""
    clients = await open_slow(port, beginnings)
    # Half of them have made the proxy connect to the server, by as many TLS handshakes: that is work, and not slowness.
    assert await ask(port, b"/own/first", seconds=30.0) == b"/own/first"
    durations = []
    for number in range(20):
        for _, writer in clients[number::20]:
            writer.write(b"x")
        start, path = time.monotonic(), b"/own/%d" % number
        assert await ask(port, path) == path
        durations.append(time.monotonic() - start)
    assert not any(reader.at_eof() for reader, _ in clients)
    for _, writer in clients:
        writer.transport.abort()
    return durations


@pytest.mark.usefixtures("_many_files")
@pytest.mark.parametrize("listener", ["outbound", "inbound"])
def test_a_thousand_slow_clients_leave_the_next_one_served_in_time(mesh, listener: str) -> None:
    """They sent half a head, half a body, half a chunk or half a TLS handshake, and hardly go on."""
    chance = random.Random(5)
    found: list[float] = []

    def run(app_port: int) -> Any:
        shop, _, port = start_pair(mesh, app_port)
        post = b"POST /slow HTTP/1.1\r\nHost: shop\r\n"
        chunk = post + b"Transfer-Encoding: chunked\r\n\r\n1000\r\nx"
        beginnings = (b"GET /", post + b"X-Slow: ", post + b"Content-Length: 1000\r\n\r\nx", chunk)
        if listener == "inbound":
            port, beginnings = port_of(shop.ports["inbound"]), (*beginnings, HALF_A_HELLO)

        async def measure() -> None:
            found.extend(await ask_among_slow(port, beginnings))

        return measure()

    asyncio.run(serve_and(run, chance))
    assert sorted(found)[10] < 0.5, found


def send_until_refused(port: int, data: bytes, most: int) -> int:
    """How many bytes of requests are taken of a client that reads no response; `most` ends the attempt."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(1.5)
        client.connect(("127.0.0.1", port))
        sent = 0
        try:
            while sent < most:
                sent += client.send(data)
        except TimeoutError:
            pass
        return sent


def test_a_client_that_reads_no_response_is_not_read_for_ever(mesh) -> None:
    mesh.control()
    web = mesh.proxy("web", mesh.http_app("web").port)
    port = port_of(web.ports["outbound"])
    requests = b"OPTIONS * HTTP/1.1\r\nHost: web\r\n\r\n" * 1000  # which the proxy answers itself
    assert send_until_refused(port, requests, MANY_REQUESTS) < MANY_REQUESTS
    assert web.get("http://web/").status == 200


def is_refused(address: tuple[str, int]) -> bool:
    """By an end of the connection that comes at once."""
    with socket.create_connection(address, timeout=5) as client:
        client.settimeout(0.2)
        try:
            return client.recv(1) == b""
        except TimeoutError:
            return False
        except ConnectionResetError:
            return True


def test_clients_beyond_what_the_open_files_allow_are_refused_and_counted(mesh) -> None:
    mesh.control()
    app = mesh.http_app("shop")
    web = mesh.proxy("web", app.port, files=FEW_FILES)
    inbound = ("127.0.0.1", port_of(web.ports["inbound"]))
    limit = connections_within(FEW_FILES)
    clients = [socket.create_connection(inbound, timeout=5) for _ in range(limit)]
    for client in clients:
        client.sendall(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n")
        assert client.recv(4) == b"HTTP"
    assert is_refused(inbound)
    metrics = web.read_admin("/stats/prometheus").body.decode()
    assert re.search(r"^envoy_listener_downstream_global_cx_overflow\S* 1$", metrics, re.MULTILINE)
    for client in clients:
        client.close()
    mesh.wait_until(lambda: not is_refused(inbound), "room for a client")
    assert mesh.http_get(f"http://127.0.0.1:{inbound[1]}/").status == 200
    assert "accepting pauses" not in web.output
