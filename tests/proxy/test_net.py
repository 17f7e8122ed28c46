import asyncio
import socket
import struct

import pytest
import uvloop

from pymesh.proxy.downstream.acceptor import Acceptor
from pymesh.proxy.net import accept, attach, connect, end_writing


@pytest.fixture
def event_loop_policy():
    return uvloop.EventLoopPolicy()


class WatchedProtocol(asyncio.Protocol):
    def __init__(self) -> None:
        self.made: asyncio.Future[asyncio.Transport] = asyncio.get_running_loop().create_future()
        self.lost = asyncio.Event()
        self.received = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.made.set_result(transport)

    def data_received(self, data: bytes) -> None:
        self.received += len(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()


@pytest.fixture
def sockets():
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        accepted, _ = server.accept()
    accepted.setblocking(False)
    yield client, accepted
    client.close()


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


async def test_the_end_of_writing_is_the_end_for_the_peer(sockets):
    client, accepted = sockets
    transport = await accept(asyncio.get_running_loop(), WatchedProtocol, accepted)
    end_writing(transport)
    assert client.recv(1) == b""
    transport.close()


async def test_the_end_of_writing_notices_that_the_peer_has_reset_the_connection(sockets):
    client, accepted = sockets
    transport = await accept(asyncio.get_running_loop(), WatchedProtocol, accepted)
    reset(client)
    end_writing(transport)  # before the loop has seen it
    await asyncio.wait_for(transport.get_protocol().lost.wait(), 5)


@pytest.mark.parametrize("size", [1, 5000, 600_000, 1_000_000])
async def test_a_reset_right_behind_data_is_noticed(sockets, size):
    client, accepted = sockets
    transport = await accept(asyncio.get_running_loop(), WatchedProtocol, accepted)
    await asyncio.sleep(0)  # it is being read
    client.setblocking(False)
    client.send(bytes(size))
    reset(client)
    await asyncio.wait_for(transport.get_protocol().lost.wait(), 5)


async def test_a_reset_by_a_client_that_is_not_read_at_the_moment_is_noticed(sockets):
    client, accepted = sockets
    transport = await accept(asyncio.get_running_loop(), WatchedProtocol, accepted)
    transport.pause_reading()
    client.send(b"data")
    reset(client)
    await asyncio.wait_for(transport.get_protocol().lost.wait(), 5)


async def test_what_a_server_has_sent_before_its_reset_is_read_when_it_is_wanted():
    with socket.create_server(("127.0.0.1", 0)) as server:
        transport = await connect(asyncio.get_running_loop(), WatchedProtocol, *server.getsockname())
        accepted, _ = server.accept()
    transport.pause_reading()
    accepted.send(bytes(5000))
    reset(accepted)
    protocol = transport.get_protocol()
    await asyncio.sleep(0.1)  # the watcher has looked
    assert not protocol.lost.is_set()
    transport.resume_reading()
    await asyncio.wait_for(protocol.lost.wait(), 5)
    assert protocol.received == 5000


async def attach_or_accept(protocol: WatchedProtocol, sock: socket.socket) -> None:
    """As a listener takes plaintext connections."""
    loop = asyncio.get_running_loop()
    if not attach(loop, protocol, sock):
        await accept(loop, lambda: protocol, sock)


@pytest.mark.parametrize("size", [1, 5000, 1_000_000])
async def test_a_client_that_has_reset_before_it_is_attached_is_noticed(sockets, size):
    client, accepted = sockets
    client.setblocking(False)
    client.send(bytes(size))
    reset(client)
    protocol = WatchedProtocol()
    await attach_or_accept(protocol, accepted)
    await asyncio.wait_for(protocol.lost.wait(), 5)
    assert accepted.fileno() == -1


async def test_a_reset_right_behind_the_data_of_an_attached_client_is_noticed(sockets):
    client, accepted = sockets
    protocol = WatchedProtocol()
    await attach_or_accept(protocol, accepted)
    await asyncio.sleep(0)
    client.send(bytes(5000))
    reset(client)
    await asyncio.wait_for(protocol.lost.wait(), 5)


async def test_a_server_can_close_an_attached_client(sockets):
    client, accepted = sockets
    protocol = WatchedProtocol()
    await attach_or_accept(protocol, accepted)
    accepted_transport = await asyncio.wait_for(protocol.made, 5)
    accepted_transport.write(b"bye")
    accepted_transport.close()
    await asyncio.wait_for(protocol.lost.wait(), 5)
    assert client.recv(10) == b"bye"


def test_accepted_sockets_send_small_writes_at_once():
    """Nagle's algorithm would hold the second of two small writes until the first is acknowledged."""
    loop = asyncio.new_event_loop()
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        acceptor = Acceptor(loop, server, taken.append, lambda: None)
        client = socket.create_connection(server.getsockname())
        acceptor.close()
    assert taken[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    for sock in (client, *taken):
        sock.close()
    loop.close()
