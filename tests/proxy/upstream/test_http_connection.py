"""Whatever happens behind a connection, its pool gets the slot back and its exchange hears of it."""

import pytest

from pymesh.proxy.codec.response_parser import PiecewiseSink
from pymesh.proxy.upstream.failure import INTERNAL_ERROR, UpstreamFailure
from pymesh.proxy.upstream.http_connection import HttpConnection

RESPONSE_UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\nhello"


class FakeEndpoint:
    address = "127.0.0.1:1"


class FakePool:
    def __init__(self) -> None:
        self.closed: list[HttpConnection] = []

    def on_idle(self, connection: HttpConnection) -> None: ...

    def on_closed(self, connection: HttpConnection) -> None:
        self.closed.append(connection)


class FakeTransport:
    def get_extra_info(self, name: str) -> object:
        return ("::1", 1234, 0, 0) if name == "sockname" else None

    def write(self, data: bytes) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...


class BuggyExchange(PiecewiseSink):
    """Raises at the first failure or end that it hears of."""

    def __init__(self) -> None:
        self.failures: list[UpstreamFailure] = []

    def on_response_head(self, head: object) -> None: ...

    def on_response_body(self, data: bytes) -> None: ...

    def on_read_end(self) -> None: ...

    def on_response_end(self, trailers: object) -> None:
        raise RuntimeError("a bug at the end")

    def on_upstream_failure(self, failure: UpstreamFailure) -> None:
        self.failures.append(failure)
        if len(self.failures) == 1 and failure is not INTERNAL_ERROR:
            raise RuntimeError("a bug in a failure")


@pytest.fixture
def pool() -> FakePool:
    return FakePool()


@pytest.fixture
def connection(pool: FakePool) -> HttpConnection:
    connection = HttpConnection(FakeEndpoint(), pool)
    connection.connection_made(FakeTransport())
    return connection


def start(connection: HttpConnection, exchange: BuggyExchange) -> None:
    connection.start(exchange, b"GET / HTTP/1.1\r\n\r\n", b"GET", False, True)


def test_a_bug_while_a_connection_is_lost_keeps_no_slot_of_the_pool(connection, pool) -> None:
    exchange = BuggyExchange()
    start(connection, exchange)
    connection.connection_lost(None)
    assert pool.closed == [connection]
    assert exchange.failures[-1] is INTERNAL_ERROR


def test_a_bug_at_the_end_of_a_response_without_a_length_reaches_the_exchange_as_a_failure(connection, pool) -> None:
    exchange = BuggyExchange()
    start(connection, exchange)
    connection.data_received(RESPONSE_UNTIL_CLOSE)
    connection.eof_received()
    assert exchange.failures == [INTERNAL_ERROR]


def test_an_ipv6_address_is_written_in_brackets(connection) -> None:
    assert connection.local_address == "[::1]:1234"
