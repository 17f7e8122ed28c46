import socket

import pytest

from pymesh.errors import UsageError
from pymesh.proxy.sockets import (
    advertised_host,
    bind_address,
    bind_flag,
    bind_shared,
    bound_address,
    reserve,
    reserve_port,
    start_listening,
)
from pymesh.xds import Address

ANY_PORT = Address("127.0.0.1", 0)


def test_port_zero_is_any_free_port() -> None:
    with bind_address(ANY_PORT) as sock:
        assert bound_address(sock).port > 0


def test_the_preferred_port_is_taken_when_it_is_free() -> None:
    with bind_address(ANY_PORT) as sock:
        port = bound_address(sock).port
    with bind_address(ANY_PORT, port) as again:
        assert bound_address(again) == Address("127.0.0.1", port)


def test_another_port_is_taken_when_the_preferred_one_is_not_free() -> None:
    with bind_address(ANY_PORT) as first, bind_address(ANY_PORT, bound_address(first).port) as second:
        assert bound_address(second) != bound_address(first)


def test_a_shared_port_takes_further_sockets_and_no_other() -> None:
    with bind_address(ANY_PORT, is_shared=True) as first:
        address = bound_address(first)
        with bind_shared(address) as second:
            assert bound_address(second) == address
        with pytest.raises(UsageError, match="Address already in use"):
            bind_address(address)
        with pytest.raises(UsageError, match="Address already in use"):
            bind_address(address, is_shared=True)


def test_a_port_that_is_not_shared_takes_no_further_socket() -> None:
    with bind_address(ANY_PORT) as first, pytest.raises(UsageError, match="Address already in use"):
        bind_shared(bound_address(first))


def test_an_occupied_port_is_a_usage_error_of_one_clear_line() -> None:
    with bind_address(ANY_PORT) as first:
        address = bound_address(first)
        with pytest.raises(UsageError, match=f"cannot listen on {address}: Address already in use"):
            bind_address(address)


def test_a_flag_whose_port_is_occupied_is_named() -> None:
    with bind_address(ANY_PORT) as first:
        address = bound_address(first)
        with pytest.raises(UsageError, match=r"in use; --admin-listen \S+:0 takes any port that is free$"):
            bind_flag("--admin-listen", address)
    with pytest.raises(UsageError, match=r"cannot listen on 192\.0\.2\.1:0: [^;]+$"):
        bind_flag("--admin-listen", Address("192.0.2.1", 0))


def test_a_host_that_is_not_ours_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"cannot listen on 192\.0\.2\.1:0"):
        bind_address(Address("192.0.2.1", 0))


def test_a_host_that_does_not_exist_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"cannot listen on no\.such\.host\.invalid:0"):
        bind_address(Address("no.such.host.invalid", 0))


def test_a_bound_host_is_advertised_as_it_is() -> None:
    assert advertised_host("127.0.0.1") == "127.0.0.1"


def test_a_wildcard_is_never_advertised() -> None:
    assert advertised_host("0.0.0.0") not in ("0.0.0.0", "")


def test_a_reserved_port_is_nobody_elses_and_can_be_listened_on() -> None:
    with reserve_port("0.0.0.0") as reserved:
        port = bound_address(reserved).port
        with bind_address(Address("127.0.0.1", port)) as sock:
            assert bound_address(sock).port == port


def test_connections_to_a_reserved_port_are_refused() -> None:
    with reserve_port("127.0.0.1") as reserved, pytest.raises(ConnectionRefusedError):
        socket.create_connection(reserved.getsockname())


def test_the_port_of_last_time_is_reserved_again() -> None:
    with reserve_port("0.0.0.0") as reserved:
        port = bound_address(reserved).port
    with reserve_port("0.0.0.0", port) as again:
        assert bound_address(again).port == port


@pytest.mark.parametrize("is_shared", [False, True])
def test_a_port_that_is_held_refuses_connections_until_it_listens(is_shared: bool) -> None:
    with reserve(bind_address(Address("127.0.0.1", 0), is_shared=is_shared)) as held:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(held.getsockname())
        with socket.create_connection(start_listening(held).getsockname()):
            pass
