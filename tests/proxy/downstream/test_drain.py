"""The end of a listener with real sockets: a client that could have had an answer gets it."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from pymesh.proxy.downstream.drain import Drain, stop_accepting
from pymesh.proxy.downstream.hcm_config import HttpConnectionManagerConfig, HttpFilterConfig
from pymesh.proxy.downstream.listener_config import FilterChainConfig, ListenerConfig
from pymesh.proxy.downstream.listener_manager import ListenerManager
from pymesh.proxy.http_filters import router
from pymesh.proxy.matchers.path_matcher import PathMatcher
from pymesh.proxy.routing.route import DirectResponseAction, Route, RouteConfiguration, RouteMatcher, VirtualHost
from pymesh.xds import Address

GET = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
ROUTE = Route("hi", RouteMatcher(PathMatcher("prefix", "/")), DirectResponseAction(200, b"hi"))
CONFIG = HttpConnectionManagerConfig(
    route_config=RouteConfiguration("test", (VirtualHost("shop", ("*",), (ROUTE,)),)),
    http_filters=(HttpFilterConfig("router", router.FACTORY, router.RouterConfig()),),
)


def listener(name: str = "in", **fields: Any) -> ListenerConfig:
    return ListenerConfig(name, Address("127.0.0.1", 0), (FilterChainConfig(name, CONFIG),), **fields)


@pytest.fixture
async def manager(context: Any) -> AsyncIterator[ListenerManager]:
    manager = ListenerManager(context)
    await manager.apply(listener(is_inbound=True))
    yield manager
    await manager.aclose()


Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(manager: ListenerManager, name: str = "in") -> Client:
    address = manager.addresses()[name]
    return await asyncio.open_connection(address.host, address.port)


async def ask(client: Client) -> bytes:
    """The head of the response."""
    reader, writer = client
    writer.write(GET)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    assert await reader.readexactly(2) == b"hi"
    return head


async def is_refused(manager: ListenerManager, name: str = "in") -> bool:
    address = manager.addresses()[name]
    with suppress(ConnectionRefusedError):
        _, writer = await asyncio.open_connection(address.host, address.port)
        writer.close()
        return False
    return True


async def test_an_idle_client_is_told_with_his_next_response(manager: ListenerManager) -> None:
    client = await connect(manager)
    assert b"connection: close" not in await ask(client)
    drain = asyncio.create_task(Drain(manager.find).run())
    await asyncio.sleep(0.6)
    assert b"connection: close" in await ask(client)
    assert await client[0].read() == b""
    client[1].close()
    await asyncio.wait_for(drain, 5)
    assert await is_refused(manager)


async def test_an_idle_client_that_is_near_is_not_waited_for(manager: ListenerManager) -> None:
    client = await connect(manager)
    await ask(client)
    await asyncio.wait_for(Drain(manager.find, idle_seconds=0.0).run(), 1)
    assert await client[0].read() == b""
    client[1].close()


async def test_a_request_that_came_while_the_loop_was_busy_is_answered(manager: ListenerManager) -> None:
    """Timers come before sockets: after a moment in which the process had no CPU, every client looks idle."""
    client = await connect(manager)
    await ask(client)
    client[1].write(GET)
    time.sleep(0.02)  # noqa: ASYNC251 (this is the moment)
    manager.get("in").chains.drain(0.01)  # type: ignore[union-attr]
    assert b"connection: close" in await asyncio.wait_for(client[0].readuntil(b"\r\n\r\n"), 5)
    client[1].close()


async def test_who_connects_meanwhile_is_answered_and_then_refused(manager: ListenerManager) -> None:
    first = await connect(manager)
    drain = asyncio.create_task(Drain(manager.find).run())
    await asyncio.sleep(0)
    second = await connect(manager)
    for client in (second, first):
        assert b"connection: close" in await ask(client)
        client[1].close()
    await asyncio.wait_for(drain, 5)
    assert await is_refused(manager)


async def test_no_connection_that_the_kernel_has_made_is_reset(manager: ListenerManager) -> None:
    """Callers that connect as fast as they can, in threads of the kernel's own time."""
    address = manager.addresses()["in"]
    answers: list[bytes] = []
    calls = asyncio.gather(*(asyncio.to_thread(call_until_refused, address, answers) for _ in range(4)))
    async with asyncio.timeout(10):
        while len(answers) < 40:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await stop_accepting(manager.find())
    assert await calls == [None] * 4


def call_until_refused(address: Address, answers: list[bytes]) -> str | None:
    """What became of a request that had a connection and was not answered."""
    while True:
        try:
            caller = socket.create_connection((address.host, address.port), timeout=5)
        except ConnectionRefusedError:
            return None
        with caller:
            try:
                caller.sendall(GET)
                answer = caller.recv(1000)
            except OSError as error:
                return repr(error)
        if not answer:
            return "closed"
        answers.append(answer)


@pytest.mark.parametrize("waiting", [70, 300])
async def test_all_who_wait_to_be_accepted_are(manager: ListenerManager, waiting: int) -> None:
    address = manager.addresses()["in"]
    clients = [socket.create_connection((address.host, address.port)) for _ in range(waiting)]
    await manager.remove("in")
    assert manager.find()[0].stats.downstream_cx_active == waiting
    for client in clients:
        client.close()


async def test_only_inbound_listeners_are_drained_where_that_is_asked_for(manager: ListenerManager) -> None:
    await manager.apply(listener("out"))
    inbound, outbound = await connect(manager), await connect(manager, "out")
    manager.announce_drain(inbound_only=True)
    assert b"connection: close" in await ask(inbound)
    assert b"connection: close" not in await ask(outbound)
    await stop_accepting(manager.find(inbound_only=True))
    assert await is_refused(manager)
    assert not await is_refused(manager, "out")
    for _, writer in (inbound, outbound):
        writer.close()


async def test_a_drain_is_not_forgotten_when_the_configuration_changes(manager: ListenerManager) -> None:
    manager.announce_drain()
    changed = FilterChainConfig("changed", CONFIG)
    await manager.apply(ListenerConfig("in", Address("127.0.0.1", 0), (changed,), is_inbound=True))
    client = await connect(manager)
    assert b"connection: close" in await ask(client)
    client[1].close()


async def test_a_drain_can_be_revoked(manager: ListenerManager) -> None:
    manager.announce_drain()
    manager.revoke_drain()
    client = await connect(manager)
    assert b"connection: close" not in await ask(client)
    client[1].close()
