"""Clients that mean no good or read too slowly: what they get, and what they cannot make the proxy keep. No sockets."""

from typing import Any

import pytest

from pymesh.proxy.matchers.path_matcher import PathMatcher
from pymesh.proxy.routing.route import DirectResponseAction, Route, RouteMatcher

GET = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
HI = Route("hi", RouteMatcher(PathMatcher("prefix", "/hi")), DirectResponseAction(200, b"hello"))
GET_HI = b"GET /hi HTTP/1.1\r\nHost: shop\r\n\r\n"


@pytest.mark.parametrize("name", [b"Host", b"X-Forwarded-For", b"x, x-forwarded-proto", b"close, x-forwarded-host"])
async def test_who_wants_the_proxy_to_forget_who_asks_is_refused(proxy: Any, name: bytes) -> None:
    client = proxy.connect()
    client.send(b"GET / HTTP/1.1\r\nHost: shop\r\nX-Forwarded-For: 10.0.0.1\r\nConnection: " + name + b"\r\n\r\n")
    assert client.received.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert proxy.info.response_code_details == "http1.connection_header_rejected"
    await proxy.settle()
    assert proxy.servers == []


async def test_an_escaped_nul_in_the_path_is_refused_where_paths_are_normalized(proxy: Any) -> None:
    proxy.route(proxy.forward(), normalize_path=True)
    client = proxy.connect()
    client.send(b"GET /a%00b HTTP/1.1\r\nHost: shop\r\n\r\n")
    assert client.received.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert proxy.info.response_code_details == "path_normalization_failed"
    client = proxy.connect()
    client.send(b"GET /a?b=%00 HTTP/1.1\r\nHost: shop\r\n\r\n")
    assert (await proxy.server()).received.startswith(b"GET /a?b=%00 ")


async def test_an_upgrade_to_connect_opens_no_tunnel(proxy: Any) -> None:
    proxy.route(proxy.forward(), upgrades=frozenset(("connect", "websocket")))
    client = proxy.connect()
    client.send(b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: upgrade\r\nUpgrade: connect\r\n\r\n")
    server = await proxy.server()
    assert b"upgrade" not in server.take().lower()
    server.send(OK)
    assert client.take().endswith(b"\r\n\r\nhi")
    client.send(GET)
    server.send(OK)
    assert client.received.endswith(b"\r\n\r\nhi")
    assert len(proxy.requests) == 2


async def test_a_client_that_does_not_read_is_not_read_either(proxy: Any) -> None:
    proxy.route(HI)
    client = proxy.connect()
    client.send(GET_HI)
    client.protocol.pause_writing()
    assert not client.is_reading
    client.protocol.resume_writing()
    assert client.is_reading


async def test_a_client_that_stopped_reading_within_a_response_sends_no_further_request(proxy: Any) -> None:
    client = proxy.connect()
    client.send(GET)
    server = await proxy.server()
    client.protocol.pause_writing()
    assert client.is_reading
    server.send(OK)
    assert not client.is_reading
    client.protocol.resume_writing()
    assert client.is_reading


async def test_a_client_that_does_not_read_the_last_response_is_cut_off(proxy: Any) -> None:
    client = proxy.connect()
    client.get_write_buffer_size = lambda: 70_000
    client.stays_open = True
    client.send(b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")
    (await proxy.server()).send(OK)
    assert not client.is_aborted
    proxy.clock.advance(1.0)
    assert client.is_aborted


async def test_a_client_that_reads_slowly_gets_the_last_response_whole(proxy: Any) -> None:
    unsent = [70_000]
    client = proxy.connect()
    client.get_write_buffer_size = lambda: unsent[0]
    client.stays_open = True
    client.send(b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")
    (await proxy.server()).send(OK)
    for _ in range(5):
        unsent[0] -= 1000
        proxy.clock.advance(1.0)
    assert not client.is_aborted
    proxy.clock.advance(1.0)
    assert client.is_aborted


async def test_half_a_head_at_the_end_of_a_connection_leaves_nothing(proxy: Any) -> None:
    client = proxy.connect()
    client.send(GET + b"GET / HT")
    server = await proxy.server()
    server.send(OK)
    client.hang_up()
    assert len(proxy.requests) == 1
    assert server.is_open
    other = proxy.connect()
    other.send(GET)
    server.send(OK)
    assert other.received.endswith(b"\r\n\r\nhi")


async def test_a_client_that_stops_reading_within_a_response_is_cut_off_and_its_server_let_go(proxy: Any) -> None:
    proxy.route(proxy.forward(), stream_idle_timeout=5.0)
    client = proxy.connect()
    client.get_write_buffer_size = lambda: 70_000
    client.stays_open = True
    client.send(GET)
    server = await proxy.server()
    server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 70_000)
    client.protocol.pause_writing()
    assert not server.is_reading
    proxy.clock.advance(5.0)
    assert proxy.info.response_flags == ("SI",)
    assert not server.is_open
    proxy.clock.advance(1.0)
    assert client.is_aborted


async def test_a_client_that_stops_sending_within_a_body_is_answered_and_cut_off(proxy: Any) -> None:
    proxy.route(proxy.forward(), stream_idle_timeout=5.0)
    client = proxy.connect()
    client.send(b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 1000\r\n\r\nx")
    server = await proxy.server()
    for _ in range(3):
        proxy.clock.advance(4.0)
        client.send(b"x")
    proxy.clock.advance(5.0)
    assert client.received.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert client.has_ended
    assert not server.is_open
