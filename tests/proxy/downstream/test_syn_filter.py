import socket

import pytest

from pymesh.proxy.downstream.syn_filter import drop_new_connections
from pymesh.proxy.sockets import bind_address
from pymesh.xds import Address


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_no_connection_begins_any_more_and_those_that_have_begun_are_whole(host: str) -> None:
    with bind_address(Address(host, 0)) as listening:
        address = listening.getsockname()[:2]
        with socket.create_connection(address) as early:
            assert drop_new_connections(listening)
            with pytest.raises(TimeoutError):
                socket.create_connection(address, timeout=0.2)
            early.sendall(b"hello")
            accepted, _ = listening.accept()
            with accepted:
                accepted.setblocking(True)
                assert accepted.recv(5) == b"hello"
                accepted.sendall(b"bye")
                assert early.recv(3) == b"bye"
            with pytest.raises(BlockingIOError):
                listening.accept()


def test_it_is_said_where_it_cannot_be_done() -> None:
    sock = socket.socket()
    sock.close()
    assert not drop_new_connections(sock)
