"""Filter chains that change under open HTTP connections."""

import asyncio
from typing import Any

from pymesh.proxy.downstream.connection_info import ConnectionInfo
from pymesh.proxy.downstream.filter_chain import FilterChains
from pymesh.proxy.downstream.filter_chain_match import ConnectionTraits
from pymesh.proxy.downstream.listener_config import FilterChainConfig, ListenerConfig
from pymesh.xds import Address

GET = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


class Transport(asyncio.Transport):
    def __init__(self, protocol: Any) -> None:
        super().__init__()
        self.is_closed = False
        self.has_ended = False
        self.protocol = protocol
        protocol.connection_made(self)

    def write(self, data: Any) -> None:
        pass

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.has_ended = True

    def is_closing(self) -> bool:
        return self.is_closed

    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    abort = close


def listener(proxy: Any, name: str) -> ListenerConfig:
    return ListenerConfig("in", Address("127.0.0.1", 0), (FilterChainConfig(name, proxy.manager.config),))


def connect(chains: FilterChains) -> Transport:
    chain = chains.find(ConnectionTraits(80))
    assert chain is not None
    return Transport(chain.new_connection(ConnectionInfo("in", "10.0.0.1:80", "10.0.0.9:5000", 0.0)))


async def test_an_idle_connection_of_a_changed_chain_stays_for_one_more_request(proxy: Any) -> None:
    chains = FilterChains(proxy.context)
    chains.update(listener(proxy, "old"))
    idle = connect(chains)
    chains.update(listener(proxy, "new"))
    assert not idle.is_closed
    idle.protocol.data_received(GET)
    (await proxy.server()).send(OK)
    assert idle.has_ended
    idle.close()
    await chains.wait_drained()
    await chains.aclose()


async def test_a_connection_that_stays_idle_is_closed_in_the_end_and_its_chain_forgotten(proxy: Any) -> None:
    chains = FilterChains(proxy.context, drain_seconds=0.01)
    chains.update(listener(proxy, "old"))
    idle = connect(chains)
    chains.update(listener(proxy, "new"))
    await asyncio.wait_for(chains.wait_drained(), 5)
    assert idle.is_closed
    await chains.aclose()


async def test_the_end_of_the_process_does_not_wait_for_idle_connections_of_former_chains(proxy: Any) -> None:
    chains = FilterChains(proxy.context)
    chains.update(listener(proxy, "old"))
    idle = connect(chains)
    chains.update(listener(proxy, "new"))
    chains.drain()
    assert idle.is_closed
    await chains.wait_drained()
    await chains.aclose()
