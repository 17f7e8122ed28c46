"""How a connection to an endpoint fails: what is said of it, and when. Over real sockets, with short real times."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
import uvloop

from pymesh.proxy.upstream.transport import ConnectError, connect

TLS = SimpleNamespace(
    ssl_context=lambda is_http2: ssl.create_default_context(), server_hostname="shop", verify=lambda ssl_object: None
)


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Callable[..., Any]]:
    return {"uvloop": uvloop.new_event_loop}


def cluster(tls: Any = None, connect_timeout: float = 5.0) -> Any:
    return SimpleNamespace(
        stats=SimpleNamespace(upstream_cx_total=0),
        tls_for=lambda endpoint: tls,
        connect_timeout=connect_timeout,
        config=SimpleNamespace(tcp_keepalive=None),
    )


async def failure(cluster: Any, port: int) -> ConnectError:
    with pytest.raises(ConnectError) as raised:
        await connect(cluster, SimpleNamespace(host="127.0.0.1", port=port), asyncio.Protocol)
    return raised.value


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Connections are made there, and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


async def test_a_handshake_counts_to_the_connect_timeout(silent_port: int) -> None:
    error = await failure(cluster(TLS, connect_timeout=0.05), silent_port)
    assert (error.reason, error.transport_failure) == ("connection timeout", "")


async def test_a_closed_port_is_refused_with_the_systems_reason(silent_port: int) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        error = await failure(cluster(), bound.getsockname()[1])
    assert error.reason == "remote connection failure"
    assert error.transport_failure == "delayed_connect_error:_Connection_refused"


async def test_a_server_that_speaks_no_tls_is_a_connection_failure(silent_port: int) -> None:
    server = await asyncio.start_server(
        lambda reader, writer: writer.write(b"HTTP/1.1 400 Bad\r\n\r\n"), "127.0.0.1", 0
    )
    error = await failure(cluster(TLS), server.sockets[0].getsockname()[1])
    assert error.reason == "remote connection failure"
    assert error.transport_failure.startswith("TLS_error:|")
    server.close()


async def test_a_cluster_whose_secret_is_missing_does_not_connect(silent_port: int) -> None:
    missing = SimpleNamespace(ssl_context=lambda is_http2=False: None)
    error = await failure(cluster(missing), silent_port)
    assert (error.reason, error.transport_failure) == ("local connection failure", "secret is not supplied by SDS")
