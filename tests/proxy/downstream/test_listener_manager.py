import asyncio
import errno
import logging
import os
import resource
import socket
import ssl
from dataclasses import replace

import pytest
import trustme

from pymesh.errors import UsageError
from pymesh.proxy import net
from pymesh.proxy.downstream.filter_chain_match import FilterChainMatch
from pymesh.proxy.downstream.listener_config import FilterChainConfig, ListenerConfig
from pymesh.proxy.downstream.listener_manager import ListenerManager
from pymesh.proxy.downstream.tcp_proxy_config import TcpProxyConfig
from pymesh.proxy.listen_sockets import OwnSockets
from pymesh.proxy.sockets import bind_address, bound_address
from pymesh.proxy.telemetry.access_log_config import AccessLogConfig
from pymesh.proxy.telemetry.stats_config import MetricConfig, StatsConfig
from pymesh.proxy.tls.certificates import CertificateValidation, SecretConfig, SubjectAltNameMatcher, TlsCertificate
from pymesh.proxy.tls.config import CommonTlsConfig, DownstreamTlsConfig
from pymesh.proxy.upstream.cluster_config import STATIC, ClusterConfig
from pymesh.proxy.upstream.endpoint import ClusterLoadAssignment, EndpointConfig
from pymesh.xds import Address

ANY_PORT = Address("127.0.0.1", 0)
MESH = ("istio-peer-exchange", "istio")
IS_MESH_TLS = FilterChainMatch(transport_protocol="tls", application_protocols=MESH)
IS_PLAINTEXT = FilterChainMatch(transport_protocol="raw_buffer")
MUTUAL = DownstreamTlsConfig(
    CommonTlsConfig(certificate_secrets=("default",), validation_secret="ROOTCA", alpn=MESH),
    require_client_certificate=True,
)
SIMPLE = DownstreamTlsConfig(CommonTlsConfig(certificate_secrets=("default",)))


@pytest.fixture(scope="module")
def ca():
    return trustme.CA()


def pem_certificate(issued):
    chain = "".join(pem.bytes().decode() for pem in issued.cert_chain_pems)
    return TlsCertificate(chain, issued.private_key_pem.bytes().decode())


@pytest.fixture
def secrets(context, ca):
    context.secrets.apply(SecretConfig("default", pem_certificate(ca.issue_cert("shop.example"))))
    context.secrets.apply(SecretConfig("ROOTCA", validation=CertificateValidation(ca.cert_pem.bytes().decode())))
    return context.secrets


@pytest.fixture
async def manager(context):
    manager = ListenerManager(context, drain_seconds=5.0)
    yield manager
    await manager.aclose()


@pytest.fixture
async def say(start_server, add_cluster):
    """`await say("v1")`: a cluster whose server greets with its name, and then echoes."""

    async def start(name):
        async def greet(reader, writer):
            writer.write(name.encode() + b"\n")
            while data := await reader.read(65536):
                writer.write(data)
            writer.close()

        add_cluster(name, await start_server(greet))

    return start


def chain(cluster, name="", **fields):
    return FilterChainConfig(name or cluster, TcpProxyConfig(((cluster, 1),)), **fields)


def listener(*chains, **fields):
    return ListenerConfig("in", fields.pop("address", ANY_PORT), chains, **fields)


def permissive(*chains, **fields):
    return listener(*chains, inspects_tls=True, **fields)


def client_context(ca, protocols=(), issued=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ca.configure_trust(context)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    if issued is not None:
        issued.configure_cert(context)
    return context


async def connect(manager, tls=None, name="in"):
    address = manager.addresses()[name]
    server_hostname = "shop.example" if tls else None
    return await asyncio.open_connection("127.0.0.1", address.port, ssl=tls, server_hostname=server_hostname)


async def greeting(manager, tls=None):
    """Who answers; an empty line if the connection is closed at once."""
    reader, writer = await connect(manager, tls)
    try:
        return (await asyncio.wait_for(reader.readline(), 5)).decode().strip()
    except ConnectionError:
        return ""
    finally:
        writer.close()


# the socket


async def test_a_chosen_port_stays_over_changes(manager, say):
    await say("v1")
    await say("v2")
    await manager.apply(listener(chain("v1")))
    address = manager.addresses()["in"]
    assert await greeting(manager) == "v1"
    await manager.apply(listener(chain("v2")))
    assert manager.addresses()["in"] == address
    assert await greeting(manager) == "v2"


async def test_a_unix_socket_leads_to_another(manager, context, tmp_path):
    served, listening = tmp_path / "app.sock", tmp_path / "sidecar.sock"

    async def greet(reader, writer):
        writer.write(b"app\n")
        writer.close()

    server = await asyncio.start_unix_server(greet, served)
    endpoint = EndpointConfig(f"unix://{served}", 0)
    cluster = ClusterConfig("app", STATIC, load_assignment=ClusterLoadAssignment("app", (endpoint,)))
    context.clusters.apply_cluster(cluster)
    listening.touch()
    config = listener(chain("app"), address=Address(f"unix://{listening}", 0))
    with pytest.raises(UsageError, match="Address already in use"):
        await manager.apply(config)
    listening.unlink()
    for _ in range(2):  # what a former process has left is no hindrance
        await manager.apply(config)
        reader, writer = await asyncio.open_unix_connection(listening)
        assert await asyncio.wait_for(reader.readline(), 5) == b"app\n"
        writer.close()
        await manager.remove("in")
    server.close()


async def test_a_unix_socket_may_have_a_name_in_no_file_system(manager, say):
    await say("v1")
    address = Address(f"unix://@pymesh-test-{os.getpid()}", 0)
    await manager.apply(listener(chain("v1"), address=address))
    assert manager.addresses()["in"] == address
    reader = asyncio.StreamReader()
    client = asyncio.StreamReaderProtocol(reader)
    transport = await net.connect(asyncio.get_running_loop(), lambda: client, address.host, 0)
    assert await asyncio.wait_for(reader.readline(), 5) == b"v1\n"
    transport.close()


async def test_an_unchanged_listener_is_left_alone(manager, say):
    await say("v1")
    await manager.apply(listener(chain("v1")))
    before = manager.get("in")
    chains = before.chains._current
    await manager.apply(listener(chain("v1")))
    assert manager.get("in") is before
    assert before.chains._current is chains


async def test_a_socket_that_was_bound_before_is_taken(context, say):
    await say("v1")
    sock = bind_address(ANY_PORT)
    address = bound_address(sock)
    manager = ListenerManager(context, OwnSockets({address: sock}))
    await manager.apply(listener(chain("v1"), address=address))
    assert manager.addresses() == {"in": address}
    assert await greeting(manager) == "v1"
    await manager.aclose()
    assert sock.fileno() == -1


async def test_ipv6_is_an_address_like_another(manager, say):
    await say("v1")
    await manager.apply(listener(chain("v1"), address=Address("::1", 0)))
    address = manager.addresses()["in"]
    reader, writer = await asyncio.open_connection("::1", address.port)
    assert await reader.readline() == b"v1\n"
    writer.close()
    assert str(address) == f"[::1]:{address.port}"


async def test_a_port_that_is_taken_is_an_error_with_its_reason(manager, say):
    await say("v1")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = Address(*taken.getsockname())
        with pytest.raises(UsageError, match=f"cannot listen on {address}: Address already in use"):
            await manager.apply(listener(chain("v1"), address=address))
        assert manager.addresses() == {}
        await manager.apply(listener(chain("v1")))
        with pytest.raises(UsageError):
            await manager.apply(listener(chain("v1"), address=address))
        assert await greeting(manager) == "v1"


async def test_another_address_is_bound_before_the_old_one_is_left(manager, say):
    await say("v1")
    await manager.apply(listener(chain("v1")))
    old = manager.addresses()["in"]
    await manager.apply(listener(chain("v1"), address=Address("127.0.0.2", 0)))
    assert manager.addresses()["in"].host == "127.0.0.2"
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(old.host, old.port)


async def test_removal_closes_the_socket_and_lets_connections_go_on(manager, say):
    await say("v1")
    await manager.apply(listener(chain("v1")))
    address = manager.addresses()["in"]
    reader, writer = await connect(manager)
    assert await reader.readline() == b"v1\n"
    await manager.remove("in")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(address.host, address.port)
    writer.write(b"still there?\n")
    assert await reader.readline() == b"still there?\n"
    writer.close()
    await asyncio.wait_for(manager.wait_drained(), 5)
    await manager.remove("in")


async def test_what_does_not_drain_is_closed_in_the_end(context, say):
    await say("v1")
    manager = ListenerManager(context, drain_seconds=0.05)
    await manager.apply(listener(chain("v1")))
    reader, writer = await connect(manager)
    assert await reader.readline() == b"v1\n"
    await manager.remove("in")
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    await manager.aclose()


async def test_no_connection_is_lost_to_a_removal(manager, say):
    """Those whom the kernel has accepted, and we have not yet, would be reset with the socket."""
    await say("v1")
    await manager.apply(listener(chain("v1")))
    address = manager.addresses()["in"]
    clients = [socket.create_connection((address.host, address.port)) for _ in range(20)]
    await manager.remove("in")
    for client in clients:
        client.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=client)
        assert await asyncio.wait_for(reader.readline(), 5) == b"v1\n"
        writer.close()


async def test_who_has_not_spoken_yet_when_its_listener_goes_is_still_served(manager, say, eventually):
    await say("plaintext")
    await manager.apply(permissive(chain("plaintext", match=IS_PLAINTEXT)))
    reader, writer = await connect(manager)
    stats = manager.get("in").stats
    await eventually(lambda: stats.downstream_cx_active == 1)
    await manager.remove("in")
    writer.write(b"G")
    assert await asyncio.wait_for(reader.readline(), 5) == b"plaintext\n"
    writer.close()
    await asyncio.wait_for(manager.wait_drained(), 5)


# filter chains


async def test_a_connection_keeps_its_chain_when_chains_change(manager, say):
    await say("v1")
    await say("v2")
    await manager.apply(listener(chain("v1")))
    reader, writer = await connect(manager)
    assert await reader.readline() == b"v1\n"
    await manager.apply(listener(chain("v2")))
    assert await greeting(manager) == "v2"
    writer.write(b"hello\n")
    assert await reader.readline() == b"hello\n"
    writer.close()


async def test_a_chain_that_stays_the_same_stays_alive(manager, say, secrets):
    await say("v1")
    await say("v2")
    await manager.apply(permissive(chain("v1", match=IS_PLAINTEXT)))
    (before,) = manager.get("in").chains._current
    await manager.apply(permissive(chain("v2", match=IS_MESH_TLS, tls=MUTUAL), chain("v1", match=IS_PLAINTEXT)))
    assert before in manager.get("in").chains._current
    assert manager.describe()[0]["filter_chains"] == ["v2", "v1"]


async def test_permissive_takes_mtls_plaintext_and_foreign_tls_on_one_port(manager, say, secrets, ca):
    for name in ("mtls", "plaintext", "foreign"):
        await say(name)
    await manager.apply(
        permissive(
            chain("mtls", match=IS_MESH_TLS, tls=MUTUAL),
            chain("plaintext", match=IS_PLAINTEXT),
            chain("foreign", match=FilterChainMatch(transport_protocol="tls")),
        )
    )
    mesh_peer = client_context(ca, MESH, ca.issue_cert("web@example.com"))
    assert await greeting(manager, mesh_peer) == "mtls"
    reader, writer = await connect(manager)
    writer.write(b"GET")
    assert await reader.readline() == b"plaintext\n"
    writer.close()
    stats = manager.get("in").stats
    assert (stats.ssl_handshake, stats.ssl_connection_error, stats.no_filter_chain_match) == (1, 0, 0)


async def test_foreign_tls_is_passed_on_as_it_is(manager, start_server, add_cluster, secrets, ca):
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("shop.example").configure_cert(server_context)

    async def greet(reader, writer):
        upgraded = await writer.start_tls(server_context)
        writer.write(b"the application\n")
        writer.close()
        return upgraded

    add_cluster("app", await start_server(greet))
    await manager.apply(permissive(chain("app", match=FilterChainMatch(transport_protocol="tls"))))
    assert await greeting(manager, client_context(ca, ("h2", "http/1.1"))) == "the application"


async def test_strict_closes_a_plaintext_client_and_counts_it(manager, say, secrets, ca):
    await say("mtls")
    await manager.apply(permissive(chain("mtls", match=IS_MESH_TLS, tls=MUTUAL)))
    reader, writer = await connect(manager)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.readexactly(1), 5)
    writer.close()
    stats = manager.get("in").stats
    assert stats.no_filter_chain_match == 1
    assert stats.downstream_cx_active == 0
    assert await greeting(manager, client_context(ca, MESH, ca.issue_cert("web@example.com"))) == "mtls"


async def test_the_certificate_is_chosen_by_server_name(manager, say, secrets, ca):
    await say("shop")
    await say("other")
    await manager.apply(
        permissive(
            chain("other", match=FilterChainMatch(server_names=("*.example",), transport_protocol="tls"), tls=SIMPLE),
            chain("shop", match=FilterChainMatch(server_names=("shop.example",)), tls=SIMPLE),
        )
    )
    assert await greeting(manager, client_context(ca)) == "shop"


# TLS that fails


async def first_byte(manager, tls):
    """With TLS 1.3 a client learns only then that its certificate was refused."""
    reader, writer = await connect(manager, tls)
    try:
        return await reader.readexactly(1)
    finally:
        writer.close()


async def test_a_client_without_certificate_is_refused_in_one_debug_line(manager, say, secrets, ca, caplog, eventually):
    caplog.set_level(logging.DEBUG, "pymesh.proxy.downstream")
    await say("mtls")
    await manager.apply(listener(chain("mtls", tls=MUTUAL)))
    with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
        await first_byte(manager, client_context(ca))
    stats = manager.get("in").stats
    await eventually(lambda: stats.ssl_connection_error == 1)
    assert stats.downstream_cx_active == 0
    (record,) = [record for record in caplog.records if "handshake" in record.message]
    assert record.levelno == logging.DEBUG
    assert record.exc_info is None
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


async def test_garbage_and_silence_in_a_handshake_only_cost_themselves(manager, say, secrets, ca, caplog, eventually):
    await say("mtls")
    await manager.apply(listener(chain("mtls", tls=SIMPLE, handshake_timeout=0.1)))
    silent = await connect(manager)
    garbage = await connect(manager)
    garbage[1].write(b"GET / HTTP/1.1\r\n\r\n")
    assert await greeting(manager, client_context(ca)) == "mtls"
    stats = manager.get("in").stats
    await eventually(lambda: stats.ssl_connection_error == 2)
    await eventually(lambda: stats.downstream_cx_active == 0)
    for _, writer in (silent, garbage):
        writer.close()
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


async def test_a_client_with_the_wrong_name_is_refused(context, manager, say, secrets, ca, eventually):
    await say("mtls")
    names = CertificateValidation(subject_alt_names=(SubjectAltNameMatcher("URI", "spiffe://cluster.local/ns/a/sa/b"),))
    common = CommonTlsConfig(certificate_secrets=("default",), validation_secret="ROOTCA", validation=names)
    await manager.apply(listener(chain("mtls", tls=DownstreamTlsConfig(common, require_client_certificate=True))))
    assert await greeting(manager, client_context(ca, (), ca.issue_cert("web@example.com"))) == ""
    stats = manager.get("in").stats
    assert stats.ssl_fail_verify_san == 1
    await eventually(lambda: stats.downstream_cx_active == 0)
    assert context.telemetry.opened == []


async def test_without_a_certificate_yet_tls_is_closed(manager, say):
    await say("mtls")
    await manager.apply(listener(chain("mtls", tls=SIMPLE)))
    assert await greeting(manager) == ""
    assert manager.get("in").stats.ssl_context_missing == 1


async def test_the_peer_is_known_to_who_gets_the_connection(context, manager, say, secrets, ca):
    await say("mtls")
    await manager.apply(listener(chain("mtls", tls=MUTUAL), is_inbound=True))
    assert await greeting(manager, client_context(ca, MESH, ca.issue_cert("web@example.com"))) == "mtls"
    assert context.telemetry.opened[0].is_mtls


# limits


async def test_a_silent_client_is_closed_after_the_timeout_or_goes_on_as_plaintext(manager, say):
    await say("plaintext")
    config = permissive(chain("plaintext", match=IS_PLAINTEXT), inspection_timeout=0.05)
    await manager.apply(config)
    assert await greeting(manager) == ""
    assert manager.get("in").stats.downstream_pre_cx_timeout == 1
    await manager.apply(
        permissive(chain("plaintext", match=IS_PLAINTEXT), inspection_timeout=0.05, continues_on_timeout=True)
    )
    assert await greeting(manager) == "plaintext"


async def test_connections_beyond_the_limit_are_closed_at_once(manager, say, eventually):
    await say("v1")
    await manager.apply(listener(chain("v1"), max_connections=1))
    reader, writer = await connect(manager)
    assert await reader.readline() == b"v1\n"
    assert await greeting(manager) == ""
    stats = manager.get("in").stats
    assert (stats.downstream_cx_total, stats.downstream_cx_active, stats.downstream_cx_overflow) == (2, 1, 1)
    writer.close()
    await eventually(lambda: stats.downstream_cx_active == 0)
    assert await greeting(manager) == "v1"


async def test_a_connection_that_no_transport_takes_is_closed_and_counted_off(manager, say, monkeypatch):
    def fail(*_):
        raise OSError(errno.EINVAL, "Invalid argument")

    await say("v1")
    await manager.apply(listener(chain("v1")))
    monkeypatch.setattr(net, "attach", fail)
    assert await greeting(manager) == ""
    stats = manager.get("in").stats
    assert (stats.downstream_cx_total, stats.downstream_cx_active) == (1, 0)


async def test_the_limit_of_the_proxy_is_one_for_all_listeners(context, manager, say, eventually):
    await say("v1")
    context.connections.maximum = 1
    await manager.apply(listener(chain("v1")))
    await manager.apply(replace(listener(chain("v1")), name="other"))
    reader, writer = await connect(manager)
    assert await reader.readline() == b"v1\n"
    other = manager.get("other")
    sock = await asyncio.open_connection("127.0.0.1", other.address.port)
    assert await sock[0].read() == b""
    sock[1].close()
    assert (other.stats.downstream_global_cx_overflow, other.stats.downstream_cx_active) == (1, 0)
    writer.close()
    await eventually(lambda: context.connections.active == 0)
    assert await greeting(manager) == "v1"
    await eventually(lambda: context.connections.active == 0)


async def test_accepting_pauses_while_there_is_no_file_descriptor(manager, say, eventually, caplog):
    await say("v1")
    await manager.apply(listener(chain("v1")))
    client = socket.socket()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        client.connect(("127.0.0.1", manager.addresses()["in"].port))
        await eventually(lambda: manager.get("in").stats.accept_paused)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert os.strerror(errno.EMFILE) in caplog.text
    client.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=client)
    assert await asyncio.wait_for(reader.readline(), 5) == b"v1\n"
    writer.close()


async def test_metrics_are_of_all_listeners_and_do_not_forget_the_removed(context, manager, say, eventually):
    await say("v1")
    await manager.apply(listener(chain("v1")))
    await greeting(manager)
    await manager.remove("in")
    await manager.apply(listener(chain("v1")))
    await greeting(manager)

    def metrics():
        return {metric.name: value for metric, value in context.telemetry.metrics.samples()}

    await eventually(lambda: metrics()["envoy_listener_downstream_cx_active"] == 0)
    await manager.wait_drained()
    assert metrics()["envoy_listener_downstream_cx_total"] == 2


async def test_a_listener_describes_itself(manager, say):
    await say("v1")
    await manager.apply(listener(chain("v1")))
    await greeting(manager)
    (description,) = manager.describe()
    port = manager.addresses()["in"].port
    assert description["address"] == f"127.0.0.1:{port}"
    assert (description["name"], description["port"], description["filter_chains"]) == ("in", port, ["v1"])
    assert description["stats"]["downstream_cx_total"] == 1


async def test_another_access_log_touches_no_connection(manager, say, tmp_path, eventually):
    await say("v1")
    plain = listener(chain("v1"))
    await manager.apply(plain)
    reader, writer = await asyncio.open_connection("127.0.0.1", manager.addresses()["in"].port)
    assert await reader.readline() == b"v1\n"
    path = tmp_path / "log"
    logged = replace(chain("v1").network_filter, access_logs=(AccessLogConfig(str(path), "%UPSTREAM_CLUSTER%\n"),))
    await manager.apply(replace(plain, filter_chains=(replace(chain("v1"), network_filter=logged),)))
    writer.write(b"on")
    assert await reader.readexactly(2) == b"on"
    writer.close()
    await eventually(lambda: path.exists() and path.read_text() == "v1\n")


async def test_other_metrics_touch_no_connection(manager, say, context, eventually):
    await say("v1")
    plain = listener(chain("v1"))
    await manager.apply(plain)
    reader, writer = await asyncio.open_connection("127.0.0.1", manager.addresses()["in"].port)
    assert await reader.readline() == b"v1\n"
    changed = StatsConfig((MetricConfig("tcp_connections_closed_total", is_dropped=True),))
    counted = replace(chain("v1").network_filter, stats=changed)
    await manager.apply(replace(plain, filter_chains=(replace(chain("v1"), network_filter=counted),)))
    writer.write(b"on")
    assert await reader.readexactly(2) == b"on"
    writer.close()
    await eventually(lambda: not context.telemetry.stats.open_tcp_connections)
    (series,) = context.telemetry.stats.tcp_series()
    assert (series.opened, series.closed) == (1, 1)  # as it was counted when it began


async def test_an_access_log_that_cannot_be_opened_changes_nothing(manager, say, tmp_path):
    await say("v1")
    plain = listener(chain("v1"))
    await manager.apply(plain)
    bad = replace(chain("v1").network_filter, access_logs=(AccessLogConfig(str(tmp_path / "no" / "log"), "x"),))
    with pytest.raises(UsageError, match="cannot write the access log"):
        await manager.apply(replace(plain, filter_chains=(replace(chain("v1"), network_filter=bad),)))
    assert manager.get("in").config == plain
