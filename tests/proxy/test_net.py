import asyncio
import socket
import struct

import pytest

from pymesh.proxy.net import accept, end_writing


class WatchedProtocol(asyncio.Protocol):
    def __init__(self) -> None:
        self.lost = asyncio.Event()

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
