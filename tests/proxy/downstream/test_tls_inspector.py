import asyncio
import select
import socket
import ssl

import pytest

from pymesh.proxy.downstream.client_hello import ClientHello
from pymesh.proxy.downstream.tls_inspector import TlsInspector

TIMEOUT = 5.0


def client_hello(server_name="shop"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = context.wrap_bio(incoming, outgoing, server_hostname=server_name)
    with pytest.raises(ssl.SSLWantReadError):
        connection.do_handshake()
    return outgoing.read()


HELLO = client_hello()


class Inspected:
    """One connection that is being looked at, from the client's side."""

    def __init__(self, inspector, timeout=TIMEOUT):
        self.results = []
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            self.client = socket.create_connection(listening.getsockname())
            self.sock, _ = listening.accept()
        self.sock.setblocking(False)
        inspector.inspect(self.sock, timeout, self.on_inspected, self.on_abandoned)

    def on_inspected(self, sock, hello):
        assert sock is self.sock
        self.results.append(hello)

    def on_abandoned(self, sock, is_timeout):
        assert sock is self.sock
        self.results.append("timeout" if is_timeout else "gone")

    def close(self):
        self.client.close()
        self.sock.close()


@pytest.fixture
def inspector(context):
    return TlsInspector(context.loop, context.timers)


@pytest.fixture
def inspect(inspector):
    made = []

    def make(*args):
        made.append(Inspected(inspector, *args))
        return made[-1]

    yield make
    for inspected in made:
        inspected.close()


async def test_a_client_hello_is_found_and_stays_in_the_socket(inspect, eventually):
    inspected = inspect()
    inspected.client.sendall(HELLO)
    await eventually(lambda: inspected.results)
    assert inspected.results == [ClientHello("shop", ())]
    assert inspected.sock.recv(65536) == HELLO


async def test_plaintext_is_told_by_its_first_byte(inspect, eventually):
    inspected = inspect()
    inspected.client.sendall(b"G")
    await eventually(lambda: inspected.results)
    assert inspected.results == [None]


async def test_a_client_hello_may_come_byte_by_byte(inspect, eventually):
    inspected = inspect()
    for i in range(len(HELLO)):
        assert not inspected.results
        inspected.client.sendall(HELLO[i : i + 1])
        await asyncio.sleep(0)
    await eventually(lambda: inspected.results)
    assert inspected.results == [ClientHello("shop", ())]
    assert inspected.sock.recv(65536) == HELLO


async def test_what_was_peeked_does_not_wake_the_loop_again(inspect, eventually):
    inspected = inspect()
    inspected.client.sendall(HELLO[:20])
    await eventually(lambda: inspected.sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) == 21)
    assert select.select([inspected.sock], [], [], 0)[0] == []
    inspected.client.sendall(HELLO[20:])
    await eventually(lambda: inspected.results)
    assert inspected.sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) == 1


async def test_a_slow_client_blocks_nobody_else(inspect, inspector, eventually):
    slow, quick = inspect(), inspect()
    slow.client.sendall(HELLO[:10])
    quick.client.sendall(HELLO)
    await eventually(lambda: quick.results)
    assert not slow.results
    assert len(inspector) == 1


async def test_a_silent_client_is_reported_after_the_timeout(inspect, inspector, eventually):
    inspected = inspect(0.02)
    await eventually(lambda: inspected.results)
    assert inspected.results == ["timeout"]
    assert len(inspector) == 0


async def test_a_client_that_leaves_is_reported(inspect, eventually):
    inspected = inspect()
    inspected.client.close()
    await eventually(lambda: inspected.results)
    assert inspected.results == ["gone"]


async def test_half_a_client_hello_and_then_eof_is_not_tls(inspect, eventually):
    inspected = inspect()
    inspected.client.sendall(HELLO[:50])
    inspected.client.shutdown(socket.SHUT_WR)
    await eventually(lambda: inspected.results)
    assert inspected.results == [None]


async def test_close_gives_all_sockets_back(inspect, inspector):
    inspected = inspect()
    inspector.close()
    assert inspected.results == ["gone"]
    assert len(inspector) == 0
