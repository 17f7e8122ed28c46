"""Redirected connections. What the kernel would know stands in a table, by the client's port."""

import asyncio
import socket
from dataclasses import replace

import pytest

from pymesh.proxy.downstream.filter_chain_match import FilterChainMatch
from pymesh.proxy.downstream.listener_config import FilterChainConfig, ListenerConfig
from pymesh.proxy.downstream.listener_manager import ListenerManager
from pymesh.proxy.downstream.original_dst import find_listener, original_destination
from pymesh.proxy.downstream.tcp_proxy_config import TcpProxyConfig
from pymesh.proxy.upstream.cluster_config import ORIGINAL_DST, ClusterConfig
from pymesh.proxy.upstream.lb_policy import LoadBalancerConfig
from pymesh.xds import Address

VIRTUAL_OUTBOUND = "virtualOutbound"
PASSTHROUGH = ClusterConfig(
    "PassthroughCluster", ORIGINAL_DST, load_balancer=LoadBalancerConfig(policy="CLUSTER_PROVIDED")
)


def listener(name, address, *chains, **fields):
    return ListenerConfig(name, address, chains, **fields)


def chain(cluster, **match):
    return FilterChainConfig(cluster, TcpProxyConfig(((cluster, 1),)), FilterChainMatch(**match))


@pytest.fixture
def destinations():
    """Where the connection of a client was going, by the client's port."""
    return {}


@pytest.fixture
async def manager(context, destinations):
    context.original_destination = lambda sock: destinations.get(sock.getpeername()[1])
    manager = ListenerManager(context, drain_seconds=5.0)
    entrance = listener(VIRTUAL_OUTBOUND, Address("127.0.0.1", 0), chain("PassthroughCluster"))
    entrance = replace(entrance, restores_destination=True, hands_off=True)
    await manager.apply(entrance)
    yield manager
    await manager.aclose()


@pytest.fixture
async def say(start_server, add_cluster):
    """`await say("v1")`: a cluster whose server greets with its name."""

    async def start(name):
        async def greet(reader, writer):
            writer.write(name.encode() + b"\n")
            await reader.read()
            writer.close()

        port = await start_server(greet)
        add_cluster(name, port)
        return port

    return start


@pytest.fixture
def ask(manager, destinations):
    """Who greets a client whose connection was going to `destination`; empty if nobody does."""

    async def connect(destination, first=b""):
        sock = socket.socket()
        sock.setblocking(False)
        sock.bind(("127.0.0.1", 0))
        destinations[sock.getsockname()[1]] = destination
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", manager.addresses()[VIRTUAL_OUTBOUND].port))
        reader, writer = await asyncio.open_connection(sock=sock)
        writer.write(first)
        try:
            return (await asyncio.wait_for(reader.readline(), 5)).decode().strip()
        except ConnectionError:
            return ""
        finally:
            writer.close()

    return connect


async def test_connection_goes_to_the_listener_of_its_destination(manager, say, ask):
    for name, address in (("exact", Address("10.0.0.5", 3306)), ("any", Address("0.0.0.0", 3306))):
        await say(name)
        await manager.apply(listener(name, address, chain(name), is_bound=False))
    assert await ask(Address("10.0.0.5", 3306)) == "exact"
    assert await ask(Address("10.0.0.6", 3306)) == "any"
    assert set(manager.addresses()) == {VIRTUAL_OUTBOUND}
    assert manager.get("exact").stats.downstream_cx_total == 1
    assert manager.get(VIRTUAL_OUTBOUND).stats.downstream_cx_total == 0


async def test_listener_that_is_gone_takes_no_more(manager, say, ask, context):
    await say("gone")
    await manager.apply(listener("gone", Address("10.0.0.5", 3306), chain("gone"), is_bound=False))
    await manager.remove("gone")
    context.clusters.apply_cluster(PASSTHROUGH)
    assert await ask(Address("127.0.0.1", await say("there"))) == "there"


async def test_destination_without_a_listener_is_reached_by_the_passthrough_cluster(say, ask, context):
    context.clusters.apply_cluster(PASSTHROUGH)
    first, second = await say("first"), await say("second")
    assert await ask(Address("127.0.0.1", first)) == "first"
    assert await ask(Address("127.0.0.1", second)) == "second"


async def test_connection_that_was_not_redirected_has_no_destination(ask, context):
    context.clusters.apply_cluster(PASSTHROUGH)
    assert await ask(None) == ""


async def test_chain_is_chosen_by_the_original_port(manager, say, ask):
    await say("blackhole")
    await say("PassthroughCluster")
    config = manager.get(VIRTUAL_OUTBOUND).config
    chains = (*config.filter_chains, chain("blackhole", destination_port=15001))
    await manager.apply(replace(config, filter_chains=chains))
    assert await ask(Address("10.0.0.1", 15001)) == "blackhole"
    assert await ask(Address("10.0.0.1", 15002)) == "PassthroughCluster"


async def test_plaintext_http_is_told_from_other_bytes(manager, say, ask):
    await say("http")
    await say("other")
    http = chain("http", transport_protocol="raw_buffer", application_protocols=("http/1.1",))
    config = listener("0.0.0.0_80", Address("0.0.0.0", 80), http, default_filter_chain=chain("other"), is_bound=False)
    await manager.apply(replace(config, inspects_tls=True, inspects_http=True))
    assert await ask(Address("10.0.0.1", 80), b"GET / HTTP/1.1\r\n") == "http"
    assert await ask(Address("10.0.0.1", 80), b"SSH-2.0-x\r\n") == "other"


def test_listener_at_exactly_the_address_goes_before_the_one_at_all_addresses():
    exact = ListenerConfig("exact", Address("10.0.0.1", 80))
    every = ListenerConfig("every", Address("0.0.0.0", 80))
    assert find_listener([every, exact], Address("10.0.0.1", 80)) is exact
    assert find_listener([every, exact], Address("10.0.0.2", 80)) is every
    assert find_listener([every, exact], Address("10.0.0.1", 81)) is None


def test_kernel_tells_no_destination_of_a_connection_that_it_did_not_redirect():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        accepted, _ = server.accept()
        with accepted:
            assert original_destination(accepted) is None
