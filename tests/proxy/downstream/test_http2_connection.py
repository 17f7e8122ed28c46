"""A client's HTTP/2 connection to servers of HTTP/1.1: what goes in, what comes out, and when it closes. No sockets."""

from typing import Any

import pytest
from h2.settings import SettingCodes
from proxy.downstream.http2_client import GET, POST, Http2Client

from pymesh.proxy.codec.http2.limits import SEND_BUFFER, STREAM_WINDOW
from pymesh.proxy.downstream.http2_connection import DRAIN_SECONDS
from pymesh.proxy.matchers.path_matcher import PathMatcher
from pymesh.proxy.routing.route import DirectResponseAction, Route, RouteMatcher

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
HI = Route("hi", RouteMatcher(PathMatcher("prefix", "/hi")), DirectResponseAction(200, b"hello"))
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 0, 1, 2, 7, 8, 11
ANY_STREAM = 2**31 - 1


@pytest.fixture
def client(proxy: Any) -> Http2Client:
    return Http2Client(proxy.connect())


def body_of(message: bytes) -> bytes:
    return message.partition(b"\r\n\r\n")[2]


async def test_a_request_goes_to_a_server_of_http_1_and_its_response_comes_back(proxy: Any, client: Any) -> None:
    answer = client.request({**GET, ":path": "/a?b=c", "cookie": "a=1"})
    server = await proxy.server()
    assert server.received.startswith(b"GET /a?b=c HTTP/1.1\r\nhost: shop\r\ncookie: a=1\r\n")
    assert b"x-request-id: " in server.received
    assert b"x-forwarded-proto: http\r\n" in server.received
    assert b"transfer-encoding" not in server.received
    server.send(OK)
    client.read()
    assert (answer.status, answer.body, answer.is_ended) == (200, b"hi", True)
    assert answer.headers["content-length"] == "2"
    assert "connection" not in answer.headers
    info = proxy.info
    assert (info.protocol, info.response_code, info.response_code_details) == (b"HTTP/2", 200, "via_upstream")
    assert (info.response_flags, info.bytes_sent) == ((), 2)


async def test_streams_do_not_wait_for_each_other(proxy: Any, client: Any) -> None:
    first, second = client.request(GET), client.request({**GET, ":path": "/b"})
    await proxy.settle()
    assert len(proxy.servers) == 2
    proxy.servers[1].send(OK)
    client.read()
    assert (first.status, second.status) == (0, 200)
    proxy.servers[0].send(OK)
    client.read()
    assert first.status == 200


async def test_a_body_of_unknown_length_goes_on_in_chunks_with_its_trailers(proxy: Any, client: Any) -> None:
    answer = client.start(POST)
    client.send(answer, b"ab")
    server = await proxy.server()
    assert b"transfer-encoding: chunked\r\n" in server.received
    assert server.received.endswith(b"2\r\nab\r\n")
    client.send_trailers(answer, {"x-sum": "1"})
    assert server.received.endswith(b"0\r\nx-sum: 1\r\n\r\n")


async def test_a_body_of_known_length_keeps_it(proxy: Any, client: Any) -> None:
    client.request({**POST, "content-length": "3"}, b"abc")
    server = await proxy.server()
    assert b"content-length: 3\r\n" in server.received
    assert body_of(server.received) == b"abc"
    assert proxy.requests == []


async def test_an_empty_body_is_none(proxy: Any, client: Any) -> None:
    client.request({**POST, "content-length": "0"}, b"")
    server = await proxy.server()
    assert b"content-length: 0\r\n" in server.received
    server.send(OK)
    assert proxy.info.response_code == 200


async def test_a_response_streams_and_ends_with_its_trailers(proxy: Any, client: Any) -> None:
    answer = client.request(GET)
    server = await proxy.server()
    server.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
    client.read()
    assert (answer.body, answer.is_ended) == (b"ab", False)
    assert "transfer-encoding" not in answer.headers
    server.send(b"1\r\nc\r\n0\r\nX-Sum: 1\r\n\r\n")
    client.read()
    assert (answer.body, answer.trailers, answer.is_ended) == (b"abc", {"x-sum": "1"}, True)


async def test_a_response_without_a_body_ends_with_its_head(proxy: Any, client: Any) -> None:
    answer = client.request(GET)
    (await proxy.server()).send(b"HTTP/1.1 204 No Content\r\n\r\n")
    client.read()
    assert (answer.status, answer.is_ended, answer.body) == (204, True, b"")


async def test_the_answer_to_head_tells_of_a_body_and_has_none(proxy: Any, client: Any) -> None:
    answer = client.request({**GET, ":method": "HEAD"})
    (await proxy.server()).send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    client.read()
    assert (answer.headers["content-length"], answer.is_ended, answer.body) == ("5", True, b"")


async def test_interim_responses_are_passed_on(proxy: Any, client: Any) -> None:
    answer = client.request(GET)
    server = await proxy.server()
    server.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
    client.read()
    assert answer.interim[0][":status"] == "103"
    server.send(OK)
    client.read()
    assert answer.status == 200


async def test_the_proxy_asks_for_a_body_that_is_held_back(client: Any) -> None:
    answer = client.start({**POST, "expect": "100-continue"})
    assert answer.interim == [{":status": "100"}]


async def test_answers_of_the_proxy_itself_are_whole(proxy: Any, client: Any) -> None:
    proxy.route(HI)
    client = Http2Client(proxy.connect())
    answer, head = client.request({**GET, ":path": "/hi"}), client.request({**GET, ":method": "HEAD", ":path": "/hi"})
    missing = client.request(GET)
    assert (answer.status, answer.body, answer.is_ended, answer.headers["content-length"]) == (200, b"hello", True, "5")
    assert (head.status, head.body, head.is_ended) == (200, b"", True)
    assert (missing.status, missing.body, missing.is_ended) == (404, b"", True)
    assert proxy.info.response_flags == ("NR",)


async def test_a_request_without_an_authority_is_answered_like_one_without_a_host(proxy: Any, client: Any) -> None:
    answer = client.request([(":method", "GET"), (":scheme", "http"), (":path", "/")])
    assert (answer.status, proxy.info.response_code_details) == (400, "missing_host_header")
    assert client.request(GET).reset is None


async def test_a_head_that_is_too_large_is_answered(proxy: Any, client: Any) -> None:
    answer = client.request({**GET, "x-a": "a" * 62_000})
    assert (answer.status, proxy.info.response_code_details) == (431, "http2.headers_too_large")


async def test_a_malformed_request_is_reset_and_nobody_hears_of_it(proxy: Any, client: Any) -> None:
    good = client.request(GET)
    assert client.request({**GET, "connection": "close"}).reset == PROTOCOL_ERROR
    assert client.request({**GET, "X-Upper": "1"}).reset == PROTOCOL_ERROR
    (await proxy.server()).send(OK)
    client.read()
    assert good.status == 200
    assert len(proxy.requests) == 1


async def test_a_body_of_another_length_than_told_is_reset(proxy: Any, client: Any) -> None:
    answer = client.request({**POST, "content-length": "5"}, b"abc")
    await proxy.settle()
    assert answer.reset == PROTOCOL_ERROR
    info = proxy.info
    assert (info.response_flags, info.response_code_details) == (("DPE",), "http2.violation.of.messaging.rule")


async def test_a_client_that_takes_its_request_back_frees_the_server(proxy: Any, client: Any) -> None:
    answer = client.request(GET)
    server = await proxy.server()
    client.reset(answer)
    assert server.is_aborted
    info = proxy.info
    assert (info.response_code, info.response_flags, info.response_code_details) == (0, ("DR",), "http2.remote_reset")
    assert client.request(GET).reset is None


async def test_a_client_that_disconnects_ends_all_its_streams(proxy: Any, client: Any) -> None:
    client.request(GET)
    client.request(GET)
    await proxy.settle()
    client.transport.hang_up()
    assert [info.response_flags for info in proxy.requests] == [("DC",), ("DC",)]
    assert all(server.is_aborted for server in proxy.servers)
    await proxy.manager.wait_drained()


async def test_a_response_that_breaks_off_is_reset(proxy: Any, client: Any) -> None:
    answer, other = client.request(GET), client.request(GET)
    await proxy.settle()
    proxy.servers[0].send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
    proxy.servers[0].reset()
    client.read()
    assert (answer.body, answer.is_ended, answer.reset) == (b"ab", False, INTERNAL_ERROR)
    proxy.servers[1].send(OK)
    client.read()
    assert other.is_ended


async def test_an_answer_before_the_end_of_the_request_ends_the_request(proxy: Any, client: Any) -> None:
    answer = client.start(POST)
    (await proxy.server()).send(OK)
    client.read()
    assert (answer.status, answer.body, answer.is_ended, answer.reset) == (200, b"hi", True, NO_ERROR)


async def test_a_client_that_does_not_read_stops_the_server(proxy: Any) -> None:
    client = Http2Client(proxy.connect(), reads=False)
    answer = client.request(GET)
    server = await proxy.server()
    size = 65_535 + SEND_BUFFER + 1
    server.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (size + 1) + bytes(size))
    client.read()
    assert not server.is_reading
    assert len(answer.body) == 65_535
    client.read_more(answer, size)
    assert server.is_reading
    server.send(b"x")
    client.read()
    assert answer.is_ended


async def test_a_server_that_does_not_read_stops_the_client(proxy: Any, client: Any) -> None:
    answer = client.start(POST)
    server = await proxy.server()
    server.protocol.pause_writing()
    for _ in range(3):
        client.send(answer, bytes(16_384))
    assert client.h2.local_flow_control_window(client.id_of(answer)) < STREAM_WINDOW // 2
    server.protocol.resume_writing()
    client.read()
    assert client.h2.local_flow_control_window(client.id_of(answer)) > STREAM_WINDOW // 2


async def test_responses_wait_for_a_transport_that_is_full(proxy: Any, client: Any) -> None:
    answer = client.request(GET)
    client.transport.protocol.pause_writing()
    (await proxy.server()).send(OK)
    client.read()
    assert answer.status == 0
    client.transport.protocol.resume_writing()
    client.read()
    assert answer.is_ended


async def test_a_client_is_told_to_leave_and_may_finish(proxy: Any, client: Any) -> None:
    answer = client.request(GET)
    proxy.manager.drain()
    client.read()
    assert client.goaways == [(ANY_STREAM, NO_ERROR)]
    proxy.clock.advance(DRAIN_SECONDS)
    client.read()
    assert client.goaways[1:] == [(1, NO_ERROR)]
    assert not client.transport.has_ended
    (await proxy.server()).send(OK)
    assert client.transport.has_ended
    assert b"hi" in client.transport.take()
    assert answer.status == 0
    proxy.clock.advance(1)
    await proxy.manager.wait_drained()


async def test_an_idle_client_is_told_where_it_ends_at_once(proxy: Any, client: Any) -> None:
    proxy.manager.drain()
    client.read()
    assert client.goaways == [(ANY_STREAM, NO_ERROR), (0, NO_ERROR)]
    assert client.transport.has_ended


async def test_a_client_that_comes_while_the_proxy_drains_has_one_answer(proxy: Any) -> None:
    proxy.route(HI)
    proxy.manager.drain()
    client = Http2Client(proxy.connect())
    assert client.goaways == []
    assert client.request({**GET, ":path": "/hi"}).status == 200
    assert client.goaways == [(ANY_STREAM, NO_ERROR)]


@pytest.mark.parametrize("limit", ["max_connection_duration", "idle_timeout"])
async def test_a_connection_ends_in_time(proxy: Any, limit: str) -> None:
    proxy.route(HI, **{limit: 60.0})
    client = Http2Client(proxy.connect())
    proxy.clock.advance(61)
    client.read()
    assert client.goaways == [(ANY_STREAM, NO_ERROR)]
    proxy.clock.advance(DRAIN_SECONDS)
    client.read()
    assert client.goaways[1:] == [(0, NO_ERROR)]
    assert client.transport.has_ended


async def test_a_connection_ends_after_so_many_requests(proxy: Any) -> None:
    proxy.route(HI, max_requests_per_connection=2)
    client = Http2Client(proxy.connect())
    assert client.request({**GET, ":path": "/hi"}).status == 200
    assert client.goaways == []
    assert client.request({**GET, ":path": "/hi"}).status == 200
    assert client.goaways == [(ANY_STREAM, NO_ERROR)]


async def test_a_stream_without_progress_ends(proxy: Any) -> None:
    proxy.route(proxy.forward(), stream_idle_timeout=10.0)
    client = Http2Client(proxy.connect())
    answer = client.request(GET)
    await proxy.settle()
    proxy.clock.advance(11)
    client.read()
    assert (answer.status, proxy.info.response_flags) == (504, ("SI",))


async def refuse_the_body_of_a_response(proxy: Any) -> tuple[Http2Client, Any]:
    """For the proxy the stream is over: it waits for the client alone."""
    client = Http2Client(proxy.connect(), reads=False)
    client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 0})
    answer = client.request(GET)
    (await proxy.server()).send(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + bytes(60_000))
    client.read()
    assert (answer.status, answer.body, len(proxy.requests)) == (200, b"", 1)
    return client, answer


async def test_a_response_that_the_client_does_not_take_ends(proxy: Any) -> None:
    proxy.route(proxy.forward(), stream_idle_timeout=10.0)
    client, answer = await refuse_the_body_of_a_response(proxy)
    proxy.clock.advance(21)
    client.read()
    assert answer.reset == CANCEL
    assert not client.transport.has_ended


async def test_a_response_that_the_client_takes_slowly_does_not_end(proxy: Any) -> None:
    proxy.route(proxy.forward(), stream_idle_timeout=10.0)
    client, answer = await refuse_the_body_of_a_response(proxy)
    for _ in range(6):
        proxy.clock.advance(9)
        client.read_more(answer, 10_000)
    assert (len(answer.body), answer.is_ended, answer.reset) == (60_000, True, None)


async def test_a_response_that_the_client_does_not_take_keeps_no_connection(proxy: Any) -> None:
    proxy.route(proxy.forward(), stream_idle_timeout=0.0, idle_timeout=60.0)
    client, _ = await refuse_the_body_of_a_response(proxy)
    proxy.clock.advance(61 + DRAIN_SECONDS)
    client.read()
    assert [code for _, code in client.goaways] == [NO_ERROR, NO_ERROR]
    assert not client.transport.has_ended
    proxy.clock.advance(61)
    assert client.transport.has_ended


async def test_a_head_that_does_not_come_to_its_end_ends_the_connection(proxy: Any) -> None:
    proxy.route(HI, request_headers_timeout=5.0)
    client = Http2Client(proxy.connect())
    client.transport.send(b"\x00\x00\x04\x01\x00\x00\x00\x00\x01\x82\x86\x84\x87")
    proxy.clock.advance(6)
    assert client.transport.has_ended


async def test_each_head_has_its_own_time(proxy: Any) -> None:
    """Each read has the end of one head and the beginning of the next."""
    proxy.route(HI, request_headers_timeout=5.0)
    client = Http2Client(proxy.connect())
    rest = b""
    for stream_id in range(1, 9, 2):
        head = b"\x00\x00\x04\x01\x05" + stream_id.to_bytes(4, "big") + b"\x82\x86\x84\x87"
        client.transport.send(rest + head[:11])
        rest = head[11:]
        proxy.clock.advance(3)
        assert not client.transport.has_ended
    proxy.clock.advance(3)
    assert client.transport.has_ended


async def test_a_connect_becomes_a_tunnel(proxy: Any) -> None:
    action = proxy.forward(is_connect=True).action
    proxy.route(Route("connect", RouteMatcher(PathMatcher("connect_matcher")), action))
    client = Http2Client(proxy.connect())
    answer = client.start([(":method", "CONNECT"), (":authority", "db:5432")])
    server = await proxy.server()
    client.read()
    assert answer.status == 200
    client.send(answer, b"ping")
    assert server.received == b"ping"
    server.send(b"pong")
    client.read()
    assert answer.body == b"pong"
    server.end()
    client.read()
    assert answer.is_ended
    client.send(answer, b"more")
    assert server.received == b"pingmore"
    client.send(answer, b"", is_end=True)
    await proxy.settle()
    assert not server.is_open
    assert len(proxy.requests) == 1


async def test_the_preface_is_known_in_pieces(proxy: Any) -> None:
    transport = proxy.connect()
    transport.send_slowly(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
    assert transport.received.startswith(b"\x00\x00")
    assert transport.is_open


async def test_only_the_first_line_makes_it_http_2(proxy: Any) -> None:
    proxy.route(HI)
    transport = proxy.connect()
    transport.send(b"GET /hi HTTP/1.1\r\nHost: a\r\n\r\n")
    transport.take()
    transport.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert transport.received.startswith(b"HTTP/1.1 4")


async def test_http_1_alone_is_spoken_where_that_is_configured(proxy: Any) -> None:
    proxy.route(HI, codec_type="HTTP1")
    transport = proxy.connect(alpn="h2")
    transport.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert transport.received.startswith(b"HTTP/1.1 400 ")


async def test_what_tls_has_agreed_on_needs_no_look(proxy: Any) -> None:
    proxy.route(HI)
    client = Http2Client(proxy.connect(alpn="h2", is_tls=True))
    assert client.request({**GET, ":scheme": "https", ":path": "/hi"}).status == 200


async def test_who_speaks_no_http_2_after_all_is_closed(proxy: Any) -> None:
    proxy.route(HI, codec_type="HTTP2")
    transport = proxy.connect()
    transport.take()
    transport.send(b"GET / HTTP/1.1\r\n\r\n")
    assert transport.has_ended


async def test_nonsense_ends_the_connection_and_its_streams(proxy: Any, client: Any) -> None:
    client.request(GET)
    await proxy.settle()
    client.transport.send(b"\x00\x00\x01\x00\x00\x00\x00\x00\x63x")  # DATA of a stream that nobody opened
    assert client.transport.has_ended
    assert (proxy.info.response_flags, proxy.info.response_code_details) == (("DPE",), "http2.codec_error")
    assert proxy.servers[0].is_aborted


async def test_rapid_resets_end_the_connection(proxy: Any, client: Any) -> None:
    for _ in range(249):
        client.reset(client.request(GET))
    assert not client.transport.has_ended
    client.reset(client.request(GET))
    assert client.transport.has_ended
    assert client.goaways[-1][1] == ENHANCE_YOUR_CALM


async def test_a_client_that_has_pings_answered_and_reads_no_answer_is_closed(proxy: Any, client: Any) -> None:
    client.transport.protocol.pause_writing()
    client.transport.get_write_buffer_size = lambda: len(client.transport.received)
    pings = b"\x00\x00\x08\x06\x00\x00\x00\x00\x00" + bytes(8)
    for _ in range(100):
        client.transport.send(pings * 1000)
    assert client.transport.has_ended
    assert len(client.transport.received) < 2 * 1024 * 1024


async def test_a_client_that_reads_on_is_not_taken_for_a_flooding_one(proxy: Any, client: Any) -> None:
    """Much waits when the transport goes on, which is full as soon as it has a write that is large."""
    transport, connection = client.transport, client.transport.protocol
    client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 2**20})
    client.h2.increment_flow_control_window(2**24)
    answers = [client.request(GET) for _ in range(30)]
    await proxy.settle()
    connection.pause_writing()
    for server in proxy.servers:
        server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 80000\r\n\r\n" + bytes(80_000))
    transport.get_write_buffer_size = lambda: len(transport.received)
    connection.write = lambda data: (transport.write(data), connection.pause_writing())
    for _ in range(20):
        connection.resume_writing()
        client.read()
    assert not transport.has_ended
    assert [len(answer.body) for answer in answers] == [80_000] * 30


async def test_a_bug_ends_its_own_stream_only(proxy: Any, client: Any) -> None:
    proxy.expected_crashes = 1
    good = client.request(GET)
    server = await proxy.server()
    proxy.manager.filters_on.clear()
    proxy.use_filters(Buggy())
    assert client.request(GET).status == 500
    server.send(OK)
    client.read()
    assert good.status == 200


class Buggy:
    def on_request(self, stream: Any) -> Any:
        raise RuntimeError
