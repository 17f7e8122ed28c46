import asyncio
import socket
import struct

import pytest
import trustme

from pymesh.errors import DecodeError
from pymesh.protojson import Reader
from pymesh.proxy.downstream.listener import Listener
from pymesh.proxy.downstream.listener_config import FilterChainConfig, ListenerConfig
from pymesh.proxy.downstream.tcp_proxy_config import TcpProxyConfig, decode_tcp_proxy
from pymesh.proxy.sockets import bind_address
from pymesh.proxy.tls.certificates import CertificateValidation, SecretConfig, TlsCertificate
from pymesh.proxy.tls.config import CommonTlsConfig, DownstreamTlsConfig, UpstreamTlsConfig
from pymesh.proxy.upstream.circuit_breaker import CircuitBreakerThresholds
from pymesh.proxy.upstream.cluster_config import Service
from pymesh.proxy.upstream.transport_socket_matcher import TransportSocketsConfig
from pymesh.xds import Address

DB = "outbound|5432||db"
SERVICE = Service("db", "default", "db.default.svc.cluster.local")
MEGABYTE = b"0123456789abcdef" * 65536


@pytest.fixture
async def proxy_to(context):
    """`proxy_to(config) -> port`: a listener whose only chain is that TCP proxy."""
    listeners = []

    def start(config, tls=None):
        chain = FilterChainConfig("tcp", config, tls=tls)
        address = Address("127.0.0.1", 0)
        listener = Listener(ListenerConfig("tcp", address, (chain,)), context, bind_address(address))
        listeners.append(listener)
        return listener

    yield start
    for listener in listeners:
        await listener.aclose()


async def connect(listener):
    return await asyncio.open_connection("127.0.0.1", listener.address.port)


def tcp(cluster=DB, **fields):
    return TcpProxyConfig(((cluster, 1),), **fields)


async def test_bytes_go_both_ways_and_are_counted(context, add_cluster, echo_port, proxy_to, eventually):
    add_cluster(DB, echo_port, service=SERVICE)
    listener = proxy_to(tcp())
    reader, writer = await connect(listener)
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    (info,) = context.telemetry.opened
    assert info.upstream_cluster == DB
    assert info.upstream_host.port == echo_port
    assert info.service == SERVICE
    assert info.downstream_local_address == str(listener.address)
    assert info.upstream_local_address.startswith("127.0.0.1:")
    cluster = context.clusters.get(DB)
    assert cluster.circuit_breakers.connections.active == 1
    assert info.upstream_host.active_requests == 1
    writer.close()
    await eventually(lambda: context.telemetry.closed)
    assert context.telemetry.closed == [info]
    assert info.protocol == b""  # %PROTOCOL% of a TCP connection is "-"
    assert (info.bytes_received, info.bytes_sent, info.response_flags) == (5, 5, ())
    assert info.end >= info.start > 0
    assert cluster.circuit_breakers.connections.active == 0
    assert info.upstream_host.active_requests == 0
    await eventually(lambda: listener.stats.downstream_cx_active == 0)


async def test_a_server_may_speak_first(add_cluster, start_server, proxy_to):
    async def greet(reader, writer):
        writer.write(b"220 ready\n")
        await reader.read()
        writer.close()

    add_cluster(DB, await start_server(greet))
    reader, writer = await connect(proxy_to(tcp()))
    assert await reader.readline() == b"220 ready\n"
    writer.close()


async def test_one_side_may_end_while_the_other_still_speaks(add_cluster, start_server, proxy_to):
    async def count(reader, writer):
        everything = await reader.read()
        writer.write(b"%d" % len(everything))
        writer.close()

    add_cluster(DB, await start_server(count))
    reader, writer = await connect(proxy_to(tcp()))
    writer.write(b"x" * 1000)
    writer.write_eof()
    assert await reader.read() == b"1000"
    writer.close()


async def test_a_slow_reader_slows_its_writer_down(context, add_cluster, start_server, proxy_to, eventually):
    sent = 0

    async def pour(reader, writer):
        nonlocal sent
        for _ in range(64):
            writer.write(MEGABYTE)
            await writer.drain()
            sent += 1
        writer.close()

    add_cluster(DB, await start_server(pour))
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    sock.setblocking(False)
    await context.loop.sock_connect(sock, ("127.0.0.1", proxy_to(tcp()).address.port))
    await eventually(lambda: context.telemetry.opened)
    await settle(lambda: sent)
    assert sent < 32
    reader, writer = await asyncio.open_connection(sock=sock)
    assert len(await reader.read()) == 64 * len(MEGABYTE)
    writer.close()


async def settle(value):
    """Until the value has not changed for a while."""
    before = None
    while before != value():
        before = value()
        await asyncio.sleep(0.1)


async def test_early_bytes_wait_for_the_upstream_connection(context, add_cluster, start_server, proxy_to):
    async def total(reader, writer):
        writer.write(b"%d" % len(await reader.read()))
        writer.close()

    add_cluster(DB, await start_server(total))
    reader, writer = await connect(proxy_to(tcp()))
    writer.write(MEGABYTE)
    writer.write_eof()
    assert await reader.read() == b"%d" % len(MEGABYTE)
    assert context.telemetry.opened[0].bytes_received in (0, len(MEGABYTE))
    writer.close()


@pytest.mark.parametrize(
    ("fields", "flags", "details"),
    [({}, ("NC",), "cluster_not_found"), ({"ports": ()}, ("UH",), "no_healthy_upstream")],
)
async def test_without_an_endpoint_the_client_is_closed(
    context, add_cluster, proxy_to, eventually, fields, flags, details
):
    if fields:
        add_cluster(DB, *fields["ports"])
    reader, writer = await connect(proxy_to(tcp()))
    assert await reader.read() == b""
    writer.close()
    await eventually(lambda: context.telemetry.closed)
    (info,) = context.telemetry.closed
    assert (info.response_flags, info.connection_termination_details) == (flags, details)
    assert context.telemetry.opened == []


async def test_a_refused_connection_is_tried_as_often_as_configured(
    context, add_cluster, closed_port, proxy_to, eventually
):
    add_cluster(DB, closed_port)
    reader, writer = await connect(proxy_to(tcp(max_connect_attempts=3)))
    assert await reader.read() == b""
    writer.close()
    await eventually(lambda: context.telemetry.closed)
    (info,) = context.telemetry.closed
    assert info.response_flags == ("UF", "URX")
    assert info.attempt_count == 3
    assert info.upstream_transport_failure_reason.startswith("delayed_connect_error")
    assert context.clusters.get(DB).circuit_breakers.connections.active == 0


async def test_another_endpoint_is_tried_after_a_refusal(context, add_cluster, closed_port, echo_port, proxy_to):
    add_cluster(DB, closed_port, echo_port)
    listener = proxy_to(tcp(max_connect_attempts=2))
    for _ in range(8):
        reader, writer = await connect(listener)
        writer.write(b"x")
        assert await reader.readexactly(1) == b"x"
        writer.close()
    assert {info.response_flags for info in context.telemetry.opened} == {()}
    assert {info.upstream_transport_failure_reason for info in context.telemetry.opened} == {""}


async def test_the_connection_limit_of_the_cluster_holds(context, add_cluster, echo_port, proxy_to, eventually):
    add_cluster(DB, echo_port, circuit_breakers=CircuitBreakerThresholds(max_connections=1))
    listener = proxy_to(tcp())
    _, first = await connect(listener)
    await eventually(lambda: context.telemetry.opened)
    reader, second = await connect(listener)
    assert await reader.read() == b""
    second.close()
    await eventually(lambda: context.telemetry.closed)
    assert context.telemetry.closed[0].response_flags == ("UO",)
    first.close()


async def test_an_idle_connection_is_closed(context, add_cluster, echo_port, proxy_to, eventually):
    add_cluster(DB, echo_port)
    reader, writer = await connect(proxy_to(tcp(idle_timeout=0.05)))
    assert await reader.read() == b""
    writer.close()
    await eventually(lambda: context.telemetry.closed)
    assert context.telemetry.closed[0].connection_termination_details == "idle_timeout"


async def test_a_client_that_leaves_while_we_connect_is_flagged(context, add_cluster, proxy_to, eventually):
    with socket.socket() as full:  # its backlog takes nobody: a connect hangs
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        add_cluster(DB, port)
        _, writer = await connect(proxy_to(tcp()))
        await eventually(lambda: context.clusters.get(DB).circuit_breakers.connections.active)
        reset(writer)
        await eventually(lambda: context.telemetry.closed)
        for filler in fillers:
            filler.close()
    (info,) = context.telemetry.closed
    assert info.response_flags == ("DC",)
    assert context.clusters.get(DB).circuit_breakers.connections.active == 0


def reset(writer):
    """Leave without a word: a FIN might only mean that the client has said all."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def test_a_client_that_resets_ends_the_upstream_connection(
    context, add_cluster, start_server, proxy_to, eventually
):
    ended = asyncio.Event()

    async def wait(reader, writer):
        await reader.read()
        ended.set()
        writer.close()

    add_cluster(DB, await start_server(wait))
    _, writer = await connect(proxy_to(tcp()))
    await eventually(lambda: context.telemetry.opened)
    reset(writer)
    await asyncio.wait_for(ended.wait(), 5)
    await eventually(lambda: context.telemetry.closed)


async def test_close_ends_all_connections(context, add_cluster, echo_port, proxy_to, eventually):
    add_cluster(DB, echo_port)
    listener = proxy_to(tcp())
    reader, writer = await connect(listener)
    await eventually(lambda: context.telemetry.opened)
    listener.close()
    assert await reader.read() == b""
    await asyncio.wait_for(listener.chains.wait_drained(), 5)
    writer.close()


@pytest.fixture
def mesh_tls(context):
    """Both ends of mTLS, with one certificate for both."""
    ca = trustme.CA()
    issued = ca.issue_cert("db.example")
    chain = "".join(pem.bytes().decode() for pem in issued.cert_chain_pems)
    certificate = TlsCertificate(chain, issued.private_key_pem.bytes().decode())
    context.secrets.apply(SecretConfig("default", certificate))
    context.secrets.apply(SecretConfig("ROOTCA", validation=CertificateValidation(ca.cert_pem.bytes().decode())))
    common = CommonTlsConfig(certificate_secrets=("default",), validation_secret="ROOTCA")
    return DownstreamTlsConfig(common, require_client_certificate=True), UpstreamTlsConfig(common, sni="db.example")


async def test_two_proxies_speak_mtls_and_a_half_close_still_gets_its_answer(
    context, add_cluster, start_server, proxy_to, mesh_tls, eventually
):
    async def count(reader, writer):
        total = 0
        while data := await reader.read(65536):
            total += len(data)
            if total == len(MEGABYTE):
                writer.write(MEGABYTE)
        writer.close()

    downstream_tls, upstream_tls = mesh_tls
    add_cluster("app", await start_server(count))
    inbound = proxy_to(tcp("app"), downstream_tls)
    add_cluster(DB, inbound.address.port, transport_sockets=TransportSocketsConfig(upstream_tls))
    reader, writer = await connect(proxy_to(tcp()))
    writer.write(MEGABYTE)
    writer.write_eof()
    assert await reader.read() == MEGABYTE
    writer.close()
    await eventually(lambda: len(context.telemetry.closed) == 2)
    outbound, server_side = context.telemetry.opened
    assert outbound.is_mtls
    assert {info.bytes_received for info in (outbound, server_side)} == {len(MEGABYTE)}
    assert {info.bytes_sent for info in (outbound, server_side)} == {len(MEGABYTE)}


def test_weighted_clusters_are_chosen_by_weight():
    config = TcpProxyConfig((("v1", 3), ("v2", 1)))
    assert [config.choose_cluster(value) for value in (0.0, 0.74, 0.75, 0.99)] == ["v1", "v1", "v2", "v2"]


def decode(config):
    reader = Reader(config, "tcp_proxy")
    decoded = decode_tcp_proxy(reader)
    reader.reject_unread()
    return decoded


def test_the_configuration_is_decoded():
    config = decode(
        {
            "stat_prefix": "db",
            "weighted_clusters": {"clusters": [{"name": "v1", "weight": 3}, {"name": "v2", "weight": 1}]},
            "idle_timeout": "0s",
            "max_connect_attempts": 4,
            "hash_policy": [{"source_ip": {}}],
        }
    )
    assert config == TcpProxyConfig((("v1", 3), ("v2", 1)), "db", 0.0, 4, hashes_source_ip=True)
    assert config.hash("10.0.0.1:1") == config.hash("10.0.0.1:2") != config.hash("10.0.0.2:1")
    assert decode({"cluster": "a"}) == TcpProxyConfig((("a", 1),), idle_timeout=3600.0, max_connect_attempts=1)
    assert decode({"cluster": "a"}).hash("10.0.0.1:1") is None


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"cluster": "a", "weighted_clusters": {}},
        {"weighted_clusters": {"clusters": []}},
        {"weighted_clusters": {"clusters": [{"name": "a", "weight": 0}]}},
        {"cluster": "a", "max_connect_attempts": 0},
        {"cluster": "a", "tunneling_config": {}},
    ],
)
def test_a_bad_configuration_is_refused(config):
    with pytest.raises(DecodeError):
        decode(config)
