"""The admin port's HTTP, byte by byte."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace

import pytest

from pymesh.proxy.admin.server import MOST_CONNECTIONS, AdminServer
from pymesh.proxy.sockets import bind_address, bound_address
from pymesh.xds import Address

READY = b"GET /ready HTTP/1.1\r\nhost: a\r\n\r\n"


class Admin:
    """`pieces` is what the metrics page says."""

    def __init__(self) -> None:
        self.pieces: Iterator[bytes] = iter((b"a 1\n", b"b 2\n"))
        data_plane = SimpleNamespace(refresh=self._refresh, expose=lambda: self.pieces)  # that describes no clusters
        proxy = SimpleNamespace(state="LIVE", data_plane=data_plane)
        sock = bind_address(Address("127.0.0.1", 0))
        self.address = bound_address(sock)
        self.server = AdminServer(proxy, sock)

    async def _refresh(self) -> None:
        pass

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self.address.host, self.address.port)

    async def exchange(self, data: bytes) -> bytes:
        """All that comes until the server closes."""
        reader, writer = await self.connect()
        writer.write(data)
        received = await reader.read()
        writer.close()
        return received


@pytest.fixture
async def admin() -> AsyncIterator[Admin]:
    admin = Admin()
    await admin.server.start()
    yield admin
    await admin.server.aclose()


def closing(request: bytes) -> bytes:
    return request.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")


async def test_requests_of_one_connection_are_answered_in_turn(admin: Admin) -> None:
    other = b"GET /nothing HTTP/1.1\r\nhost: a\r\n\r\n"
    answer = await admin.exchange(READY + other + closing(READY))
    assert [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]] == [b"200", b"404", b"200"]
    assert answer.count(b"connection: close") == 1


async def test_a_request_may_come_in_any_pieces(admin: Admin) -> None:
    reader, writer = await admin.connect()
    for i in range(len(READY)):
        writer.write(READY[i : i + 1])
        await asyncio.sleep(0)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"content-length: 5\r\n" in head
    assert await reader.readexactly(5) == b"LIVE\n"
    writer.close()


async def test_the_body_of_a_request_is_read_over(admin: Admin) -> None:
    post = b"POST /ready HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n" + b"x" * 100_000
    answer = await admin.exchange(post + closing(READY))
    assert answer.startswith(b"HTTP/1.1 405 Method Not Allowed\r\n")
    assert b"\r\nallow: GET\r\n" in answer
    assert answer.endswith(b"LIVE\n")


async def test_head_has_the_head_of_get_and_no_body(admin: Admin) -> None:
    answer = await admin.exchange(closing(READY.replace(b"GET", b"HEAD")))
    assert b"content-length: 5\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


async def test_pieces_are_chunks(admin: Admin) -> None:
    answer = await admin.exchange(closing(b"GET /stats/prometheus HTTP/1.1\r\nhost: a\r\n\r\n"))
    assert b"transfer-encoding: chunked\r\n" in answer
    assert answer.endswith(b"\r\n\r\n4\r\na 1\n\r\n4\r\nb 2\n\r\n0\r\n\r\n")


async def test_http_10_has_pieces_until_the_connection_ends(admin: Admin) -> None:
    answer = await admin.exchange(b"GET /stats/prometheus HTTP/1.0\r\nhost: a\r\n\r\n")
    assert b"chunked" not in answer
    assert answer.endswith(b"\r\n\r\na 1\nb 2\n")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"a" * 70_000, b"431"),
        (b"CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\nabc", b"404"),
        (READY.replace(b"\r\n\r\n", b"\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nabc"), b"200"),
    ],
)
async def test_what_is_no_request_for_a_page_ends_the_connection(admin: Admin, data: bytes, status: bytes) -> None:
    answer = await admin.exchange(data)
    assert answer[9:12] == status
    assert b"connection: close\r\n" in answer


async def test_a_page_that_crashes_is_a_500_and_the_next_one_works(
    admin: Admin, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await admin.exchange(b"GET /clusters HTTP/1.1\r\nhost: a\r\n\r\n" + closing(READY))
    assert [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]] == [b"500", b"200"]
    assert "the admin page /clusters crashed" in caplog.text


async def test_who_hangs_up_in_the_midst_of_an_answer_harms_nobody(admin: Admin) -> None:
    admin.pieces = iter([b"x" * 100_000] * 100)
    reader, writer = await admin.connect()
    writer.write(b"GET /stats/prometheus HTTP/1.1\r\nhost: a\r\n\r\n")
    await reader.readexactly(1000)
    writer.transport.abort()
    assert (await admin.exchange(closing(READY))).endswith(b"LIVE\n")


async def test_one_connection_too_many_is_closed(admin: Admin) -> None:
    connections = [await admin.connect() for _ in range(MOST_CONNECTIONS)]
    for _, writer in connections:
        writer.write(READY)
    for reader, _ in connections:
        await reader.readuntil(b"LIVE\n")
    reader, writer = await admin.connect()
    assert await reader.read() == b""
    for _, open_writer in (*connections, (reader, writer)):
        open_writer.close()


async def test_the_end_does_not_wait_for_idle_connections(admin: Admin) -> None:
    reader, writer = await admin.connect()
    writer.write(READY)
    await reader.readuntil(b"LIVE\n")
    started = time.monotonic()
    await admin.server.aclose()
    assert time.monotonic() - started < 0.4
    assert await reader.read() == b""
    writer.close()


async def test_the_end_waits_for_an_answer(admin: Admin) -> None:
    admin.pieces = iter([b"x" * 100_000] * 100)
    reader, writer = await admin.connect()
    writer.write(b"GET /stats/prometheus HTTP/1.0\r\nhost: a\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    end = asyncio.create_task(admin.server.aclose())
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert len(await reader.read()) == 10_000_000
    await end
    writer.close()
