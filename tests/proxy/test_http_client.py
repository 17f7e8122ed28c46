"""The client of the control plane against a server that answers with the bytes that a test says."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from pymesh.proxy.http_client import MOST_IDLE_CONNECTIONS, HttpClient, HttpError, HttpResponse

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
MOST = 1000


class Server:
    """`script` is run for each connection. `connections` counts them, `requests` are the heads that came."""

    def __init__(self) -> None:
        self.url = ""
        self.connections = 0
        self.requests: list[bytes] = []
        self.asked = asyncio.Event()
        self.ended = asyncio.Event()  # a client has hung up
        self.script: Callable[[Server, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]] = Server.answer_all
        self.answer = OK

    async def answer_all(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await self.read(reader):
            writer.write(self.answer)

    async def answer_once(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.read(reader)
        writer.write(self.answer)

    async def reset(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.read(reader)
        # With this, close() resets the connection.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async def read(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionResetError):
            self.ended.set()
            return b""
        self.requests.append(head)
        self.asked.set()
        return head

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self.script(self, reader, writer)
        finally:
            writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    yield server
    listening.close()


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    client = HttpClient(most_body_bytes=MOST)
    yield client
    client.close()


async def test_a_request_is_written_with_its_host_length_and_headers(server: Server, client: HttpClient) -> None:
    await client.request("PUT", f"{server.url}/a?b=c", body=b"", headers={"x-a": "1"})
    host = server.url.removeprefix("http://").encode()
    assert server.requests == [b"PUT /a?b=c HTTP/1.1\r\nhost: %b\r\nx-a: 1\r\ncontent-length: 0\r\n\r\n" % host]


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\nx-trailer: 1\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n" + OK,
    ],
)
async def test_an_answer_is_read_however_it_is_framed(server: Server, client: HttpClient, answer: bytes) -> None:
    server.answer = answer
    for _ in range(2):
        assert await client.request("GET", server.url) == HttpResponse(200, b"ok")
    assert server.connections == 1


@pytest.mark.parametrize("framing", [b"", b"content-length: 2\r\nconnection: close\r\n"])
async def test_an_answer_may_end_its_connection(server: Server, client: HttpClient, framing: bytes) -> None:
    server.script = Server.answer_once
    server.answer = b"HTTP/1.1 200 OK\r\n%b\r\nok" % framing
    for _ in range(2):
        assert await client.request("GET", server.url) == HttpResponse(200, b"ok")
    assert server.connections == 2


async def test_an_answer_may_say_in_a_trailer_that_it_ends_its_connection(server: Server, client: HttpClient) -> None:
    server.answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nconnection: close\r\n\r\n"
    for _ in range(2):
        assert await client.request("GET", server.url) == HttpResponse(200, b"ok")
    assert server.connections == 2


async def test_a_304_has_no_body(server: Server, client: HttpClient) -> None:
    server.answer = b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n"
    for _ in range(2):
        assert await client.request("POST", server.url, body=b"") == HttpResponse(304, b"")
    assert server.connections == 1


async def test_requests_at_the_same_time_have_connections_of_their_own_of_which_few_are_kept(
    server: Server, client: HttpClient
) -> None:
    count = MOST_IDLE_CONNECTIONS + 1
    await asyncio.gather(*(client.request("GET", server.url) for _ in range(count)))
    assert server.connections == count
    await server.ended.wait()
    await asyncio.gather(*(client.request("GET", server.url) for _ in range(MOST_IDLE_CONNECTIONS)))
    assert server.connections == count


async def test_a_request_that_a_kept_connection_swallowed_is_sent_again(server: Server, client: HttpClient) -> None:
    await client.request("GET", server.url)

    async def close_after_the_next_request(
        server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(server.answer if await server.read(reader) else b"")
        await server.read(reader)

    server.script = close_after_the_next_request
    client.close()
    await client.request("GET", server.url)  # on a connection that will end without a second answer
    assert await client.request("GET", server.url) == HttpResponse(200, b"ok")
    assert len(server.requests) == 4
    assert server.connections == 3


async def test_a_new_connection_that_brings_no_answer_is_an_error(server: Server, client: HttpClient) -> None:
    server.script, server.answer = Server.answer_once, b""
    with pytest.raises(HttpError, match="closed before the answer was complete"):
        await client.request("GET", server.url)
    assert server.connections == 1


async def test_half_an_answer_is_an_error_and_not_asked_for_again(server: Server, client: HttpClient) -> None:
    await client.request("GET", server.url)
    client.close()
    server.script, server.answer = Server.answer_once, OK[:-1]
    with pytest.raises(HttpError, match="closed before the answer was complete"):
        await client.request("GET", server.url)
    assert server.connections == 2


async def test_a_reset_is_the_networks_error(server: Server, client: HttpClient) -> None:
    server.script = Server.reset
    with pytest.raises(ConnectionResetError):
        await client.request("GET", server.url)


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"])
async def test_what_is_not_http_is_an_error(server: Server, client: HttpClient, answer: bytes) -> None:
    server.answer = answer
    with pytest.raises(HttpError, match="not HTTP"):
        await client.request("GET", server.url)
    await server.ended.wait()


async def test_a_second_answer_that_nobody_asked_for_is_nobodys(server: Server, client: HttpClient) -> None:
    server.answer = OK + OK.replace(b"ok", b"no")
    assert (await client.request("GET", server.url)).body == b"ok"
    await server.ended.wait()
    assert (await client.request("GET", server.url)).body == b"ok"
    assert server.connections == 2


@pytest.mark.parametrize("framing", [b"content-length: 1001", b"transfer-encoding: chunked"])
async def test_an_answer_without_measure_is_given_up(server: Server, client: HttpClient, framing: bytes) -> None:
    server.answer = b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % framing + b"3e9\r\n" * (b"chunked" in framing) + b"x" * 1001
    with pytest.raises(HttpError, match="more than 1000 bytes"):
        await client.request("GET", server.url)
    await server.ended.wait()


async def test_a_head_without_end_is_given_up(server: Server, client: HttpClient) -> None:
    server.answer = b"HTTP/1.1 200 OK\r\nx-a: " + b"a" * 100_000
    with pytest.raises(HttpError, match="not HTTP"):
        await client.request("GET", server.url)


async def test_a_slow_server_has_its_time_and_no_more(server: Server, client: HttpClient) -> None:
    server.answer = OK[:-1]
    with pytest.raises(TimeoutError):
        await client.request("GET", server.url, seconds=0.05)
    await server.ended.wait()


async def test_a_handshake_has_its_time_and_no_more(server: Server, client: HttpClient) -> None:
    server.answer = b""
    url, tls = server.url.replace("http", "https"), ssl.create_default_context()
    with pytest.raises(TimeoutError):
        await client.request("GET", url, tls=tls, server_hostname="a", connect_seconds=0.05)
    await server.ended.wait()


async def test_a_cancelled_request_takes_its_connection_with_it(server: Server, client: HttpClient) -> None:
    server.answer = b""
    task = asyncio.create_task(client.request("GET", server.url))
    await server.asked.wait()
    task.cancel()
    await server.ended.wait()
    server.answer = OK
    assert (await client.request("GET", server.url)).body == b"ok"


@pytest.mark.parametrize("url", ["http://", "http://a:port/", "http://a/b c", "http://a:99999/", "http://[a/"])
async def test_what_is_no_url_is_refused(client: HttpClient, url: str) -> None:
    with pytest.raises(HttpError, match="is not a URL"):
        await client.request("GET", url)


async def test_a_header_cannot_smuggle_another_in(server: Server, client: HttpClient) -> None:
    with pytest.raises(HttpError, match="one line"):
        await client.request("GET", server.url, headers={"authorization": "a\r\nx-admin: 1"})
    assert server.connections == 0
