"""A data plane without a control plane: contexts, clusters with one endpoint, and servers to connect to."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import pytest
import uvloop

from pymesh.proxy.downstream.context import ProxyContext
from pymesh.proxy.routing.route_table import RouteTables
from pymesh.proxy.telemetry.telemetry import Telemetry
from pymesh.proxy.telemetry.workload import Workload
from pymesh.proxy.timers import Timers
from pymesh.proxy.tls.secrets import SecretStore
from pymesh.proxy.upstream.cluster_config import STATIC, ClusterConfig
from pymesh.proxy.upstream.cluster_manager import ClusterManager
from pymesh.proxy.upstream.endpoint import ClusterLoadAssignment, EndpointConfig


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Callable[..., Any]]:
    """The loop that a proxy runs on."""
    return {"uvloop": uvloop.new_event_loop}


class TcpLog(Telemetry):
    """Remembers the TCP connections that it is told of."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[Any] = []
        self.closed: list[Any] = []

    def on_tcp_open(self, info: Any, direction: Any = None, counts: Any = None) -> None:
        self.opened.append(info)
        super().on_tcp_open(info, direction, counts)

    def on_tcp_close(self, info: Any, direction: Any = None, counts: Any = None) -> None:
        self.closed.append(info)
        super().on_tcp_close(info, direction, counts)


@pytest.fixture
async def context() -> AsyncIterator[ProxyContext]:
    loop = asyncio.get_running_loop()
    secrets = SecretStore()
    context = ProxyContext(
        clusters=ClusterManager(secrets),
        routes=RouteTables(),
        secrets=secrets,
        telemetry=TcpLog(),
        workload=Workload("web-v1", "default", "web", "v1", "pymesh"),
        timers=Timers(loop),
        loop=loop,
    )
    yield context
    await context.tasks.aclose()
    context.clusters.close()


@pytest.fixture
def add_cluster(context: ProxyContext) -> Callable[..., None]:
    """`add_cluster(name, port, ...)`: a static cluster with an endpoint for each port of this machine."""

    def add(name: str, *ports: int, **fields: Any) -> None:
        endpoints = tuple(EndpointConfig("127.0.0.1", port) for port in ports)
        assignment = ClusterLoadAssignment(name, endpoints)
        context.clusters.apply_cluster(ClusterConfig(name, STATIC, load_assignment=assignment, **fields))

    return add


@pytest.fixture
async def start_server() -> AsyncIterator[Callable[..., Any]]:
    """`await start_server(callback) -> port`: an asyncio streams server that takes half-closes."""
    servers: list[asyncio.Server] = []

    async def start(callback: Callable[..., Any]) -> int:
        server = await asyncio.start_server(callback, "127.0.0.1", 0)
        servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    yield start
    for server in servers:
        server.close()


@pytest.fixture
async def echo_port(start_server: Any) -> int:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    return int(await start_server(echo))


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port where nobody listens, and nobody else will."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """`await eventually(condition)`: as soon as it holds; fails after 5 seconds."""

    async def wait(condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110 - a counter has no event to wait for
                await asyncio.sleep(0.002)

    return wait
