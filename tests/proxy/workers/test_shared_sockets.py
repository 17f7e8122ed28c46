"""Listening sockets that several places share. Real ones, of this machine."""

import contextlib
import socket
from collections.abc import Callable, Iterator

import pytest

from pymesh.errors import UsageError
from pymesh.proxy.sockets import bind_address, bound_address
from pymesh.proxy.workers.shared_sockets import SharedSockets
from pymesh.xds import Address

ANY_PORT = Address("127.0.0.1", 0)
Make = Callable[..., SharedSockets]


@pytest.fixture
def make() -> Iterator[Make]:
    with contextlib.ExitStack() as stack:

        def make_sockets(*bound: socket.socket) -> SharedSockets:
            sockets = SharedSockets({bound_address(sock): sock for sock in bound})
            stack.callback(sockets.close)
            return sockets

        yield make_sockets


def accepts(sock: socket.socket) -> bool:
    """Whether a connection waits there."""
    with contextlib.suppress(BlockingIOError):
        sock.accept()[0].close()
        return True
    return False


def is_listening(address: Address) -> bool:
    with socket.socket() as client:
        return client.connect_ex((address.host, address.port)) == 0


def test_all_places_listen_on_the_port_that_the_kernel_chose_for_the_first(make: Make) -> None:
    sockets = make()
    addresses = {bound_address(sockets.take(place, "tcp", ANY_PORT)) for place in range(3)}
    assert len(addresses) == 1


def test_two_listeners_with_port_zero_have_two_ports(make: Make) -> None:
    sockets = make()
    assert bound_address(sockets.take(0, "a", ANY_PORT)) != bound_address(sockets.take(0, "b", ANY_PORT))


def test_connections_are_spread_over_the_places(make: Make) -> None:
    sockets = make()
    taken = [sockets.take(place, "tcp", ANY_PORT) for place in range(2)]
    address = bound_address(taken[0])
    counts = [0, 0]
    for _ in range(64):
        with socket.create_connection((address.host, address.port)):
            for place, sock in enumerate(taken):
                counts[place] += accepts(sock)
    assert sum(counts) == 64
    assert min(counts) > 0


def test_what_was_bound_before_is_the_first_places(make: Make) -> None:
    bound = bind_address(ANY_PORT, is_shared=True)
    address = bound_address(bound)
    sockets = make(bound)
    assert sockets.take(1, "inbound", address) is bound
    assert bound_address(sockets.take(0, "inbound", address)) == address


def test_a_place_finds_its_socket_again_with_what_waits_there(make: Make) -> None:
    sockets = make()
    sock = sockets.take(0, "tcp", ANY_PORT)
    address = bound_address(sock)
    with socket.create_connection((address.host, address.port)):
        sockets.begin(0)
        assert accepts(sockets.take(0, "tcp", ANY_PORT))


def test_what_a_new_worker_does_not_want_is_closed(make: Make) -> None:
    sockets = make()
    wanted, unwanted = (bound_address(sockets.take(0, name, ANY_PORT)) for name in ("wanted", "unwanted"))
    sockets.begin(0)
    sockets.take(0, "wanted", ANY_PORT)
    sockets.close_untaken(0)
    assert is_listening(wanted)
    assert not is_listening(unwanted)


def test_a_port_is_closed_when_the_last_place_releases_it(make: Make) -> None:
    sockets = make()
    address = bound_address(sockets.take(0, "tcp", ANY_PORT))
    sockets.take(1, "tcp", ANY_PORT)
    sockets.release(0, "tcp", ANY_PORT)
    assert is_listening(address)
    sockets.release(1, "tcp", ANY_PORT)
    assert not is_listening(address)


def test_a_place_that_nobody_fills_gets_no_connections(make: Make) -> None:
    sockets = make()
    kept, left = (sockets.take(place, "tcp", ANY_PORT) for place in range(2))
    address = bound_address(kept)
    sockets.close_place(1)
    assert left.fileno() == -1
    for _ in range(32):
        with socket.create_connection((address.host, address.port)):
            assert accepts(kept)


def test_a_port_that_another_listener_has_is_occupied(make: Make) -> None:
    sockets = make()
    address = bound_address(sockets.take(0, "a", ANY_PORT))
    with pytest.raises(UsageError, match="Address already in use"):
        sockets.take(0, "b", address)


def test_a_port_that_another_proxy_shares_among_its_workers_is_occupied(make: Make) -> None:
    address = bound_address(make().take(0, "tcp", ANY_PORT))
    with pytest.raises(UsageError, match="Address already in use"):
        make().take(0, "tcp", address)
    with pytest.raises(UsageError, match="Address already in use"):
        bind_address(address)
