"""A client's connection: what goes in, what comes out, and when it closes. No sockets."""

from typing import Any

import pytest

from pymesh.proxy.matchers.path_matcher import PathMatcher
from pymesh.proxy.routing.route import DirectResponseAction, Route, RouteMatcher

GET = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 3\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
HI = Route("hi", RouteMatcher(PathMatcher("prefix", "/hi")), DirectResponseAction(200, b"hello"))


def body_of(response: bytes) -> bytes:
    return response.partition(b"\r\n\r\n")[2]


async def test_a_request_goes_to_the_server_and_its_response_comes_back(proxy: Any) -> None:
    client = proxy.connect()
    client.send(GET)
    server = await proxy.server()
    assert server.received.startswith(b"GET / HTTP/1.1\r\nhost: shop\r\n")
    server.send(OK)
    assert client.received.startswith(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n")
    assert body_of(client.received) == b"hi"
    assert client.is_open
    info = proxy.info
    assert (info.response_code, info.response_code_details, info.response_flags) == (200, "via_upstream", ())
    assert (info.method, info.path, info.route_name, info.upstream_cluster) == (b"GET", b"/", "forward", "shop")
    assert (info.bytes_received, info.bytes_sent, info.attempt_count) == (0, 2, 1)


async def test_a_head_and_its_body_leave_in_one_write_each_way(proxy: Any) -> None:
    client = proxy.connect()
    client.send(GET)
    (await proxy.server()).send(OK)
    client.send(POST + b"abc")
    assert proxy.servers[0].writes == 2
    proxy.servers[0].send(OK)
    assert client.writes == 2


async def test_connections_are_kept_on_both_sides(proxy: Any) -> None:
    client = proxy.connect()
    for _ in range(3):
        client.send(GET)
        (await proxy.server()).send(OK)
    assert len(proxy.servers) == 1
    assert len(proxy.requests) == 3


async def test_a_request_that_comes_byte_by_byte_is_the_same_request(proxy: Any) -> None:
    client = proxy.connect()
    client.send_slowly(POST + b"abc")
    server = await proxy.server()
    assert body_of(server.received) == b"abc"
    server.send_slowly(OK)
    assert body_of(client.received) == b"hi"


async def test_a_body_streams_before_it_is_complete(proxy: Any) -> None:
    client = proxy.connect()
    client.send(POST + b"a")
    server = await proxy.server()
    assert body_of(server.received) == b"a"
    client.send(b"bc")
    assert body_of(server.received) == b"abc"


async def test_a_response_streams_before_it_is_complete(proxy: Any) -> None:
    client = proxy.connect()
    client.send(GET)
    server = await proxy.server()
    server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
    assert body_of(client.received) == b"ab"
    server.send(b"cd")
    assert body_of(client.received) == b"abcd"
    assert len(proxy.requests) == 1


async def test_chunks_and_trailers_are_passed_on(proxy: Any) -> None:
    client = proxy.connect()
    chunked = b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"
    client.send(b"POST / HTTP/1.1\r\nHost: shop\r\n" + chunked)
    server = await proxy.server()
    assert body_of(server.received) == b"3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n"
    assert b"transfer-encoding: chunked\r\n" in server.received
    server.send(b"HTTP/1.1 200 OK\r\n" + chunked)
    assert body_of(client.received) == b"3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n"


async def test_a_body_that_ends_at_close_becomes_chunks(proxy: Any) -> None:
    client = proxy.connect()
    client.send(GET)
    server = await proxy.server()
    server.send(b"HTTP/1.1 200 OK\r\n\r\nabc")
    server.hang_up()
    assert body_of(client.received) == b"3\r\nabc\r\n0\r\n\r\n"
    assert client.is_open


async def test_http_10_gets_an_unchunked_body_and_a_close(proxy: Any) -> None:
    client = proxy.connect()
    client.send(b"GET / HTTP/1.0\r\nHost: shop\r\nConnection: keep-alive\r\n\r\n")
    (await proxy.server()).send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    assert client.received.startswith(b"HTTP/1.0 200 OK\r\n")
    assert body_of(client.received) == b"abc"
    assert not client.is_open


async def test_http_10_keeps_alive_where_it_asks_and_the_length_is_known(proxy: Any) -> None:
    client = proxy.connect()
    client.send(b"GET / HTTP/1.0\r\nHost: shop\r\nConnection: keep-alive\r\n\r\n")
    (await proxy.server()).send(OK)
    assert b"connection: keep-alive\r\n" in client.received
    assert client.is_open


async def test_a_response_to_head_has_no_body(proxy: Any) -> None:
    client = proxy.connect()
    client.send(b"HEAD / HTTP/1.1\r\nHost: shop\r\n\r\n")
    (await proxy.server()).send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
    assert client.take().endswith(b"\r\n\r\n")
    client.send(GET)
    (await proxy.server()).send(OK)
    assert body_of(client.received) == b"hi"
    assert len(proxy.servers) == 1


async def test_100_continue_is_answered_by_the_proxy(proxy: Any) -> None:
    client = proxy.connect()
    client.send(b"POST / HTTP/1.1\r\nHost: shop\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    server = await proxy.server()
    assert client.take() == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert b"expect" not in server.received
    client.send(b"abc")
    server.send(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)
    assert client.received.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_103_is_passed_on(proxy: Any) -> None:
    client = proxy.connect()
    client.send(GET)
    (await proxy.server()).send(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK)
    assert client.received.startswith(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\n")


async def test_connection_close_of_the_client_is_obeyed(proxy: Any) -> None:
    client = proxy.connect()
    client.send(b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")
    server = await proxy.server()
    server.send(OK)
    assert b"connection: close\r\n" in client.received
    assert not client.is_open
    assert server.is_open


async def test_connection_close_of_the_server_is_not_the_clients_concern(proxy: Any) -> None:
    client = proxy.connect()
    client.send(GET)
    server = await proxy.server()
    server.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    assert b"connection" not in client.received
    assert client.is_open
    assert not server.is_open


# pipelining


async def test_pipelined_requests_are_answered_in_order_one_at_a_time(proxy: Any) -> None:
    client = proxy.connect()
    client.send(GET.replace(b"/ ", b"/1 ") + POST + b"abc" + GET.replace(b"/ ", b"/3 "))
    assert not client.is_reading
    server = await proxy.server()
    assert server.take().startswith(b"GET /1 ")
    server.send(OK)
    server = await proxy.server()
    assert body_of(server.take()) == b"abc"
    assert client.received.count(b"HTTP/1.1 200 OK") == 1
    server.send(OK)
    server = await proxy.server()
    assert server.take().startswith(b"GET /3 ")
    server.send(OK)
    assert client.received.count(b"HTTP/1.1 200 OK") == 3
    assert client.is_reading


async def test_nonsense_behind_pipelined_requests_is_answered_after_them(proxy: Any) -> None:
    client = proxy.connect()
    client.send(GET * 2 + b"nonsense\r\n\r\n")
    for _ in range(2):
        server = await proxy.server()
        server.take()
        server.send(OK)
    await proxy.settle()
    assert client.received.count(b"HTTP/1.1 200 OK") == 2
    assert b"HTTP/1.1 400 Bad Request" in client.received.rpartition(b"hi")[2]


async def test_thousands_of_pipelined_requests_do_not_recurse(proxy: Any) -> None:
    proxy.route(HI, proxy.forward())
    client = proxy.connect()
    client.send(GET + b"GET /hi HTTP/1.1\r\nHost: shop\r\n\r\n" * 5000)
    (await proxy.server()).send(OK)
    await proxy.settle()
    assert client.received.count(b"hello") == 5000


async def test_nonsense_behind_a_request_is_answered_after_it(proxy: Any) -> None:
    client = proxy.connect()
    client.send(GET + b"nonsense\r\n\r\n")
    (await proxy.server()).send(OK)
    await proxy.settle()
    assert client.received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"HTTP/1.1 400 Bad Request\r\n" in client.received
    assert client.has_ended


# malformed


@pytest.mark.parametrize(
    ("data", "status", "details", "flags", "body"),
    [
        (b"G@T / HTTP/1.1\r\n\r\n", 400, "http1.codec_error", ("DPE",), b"Bad Request"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "missing_host_header", (), b""),
        (
            b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"x" * 70_000,
            431,
            "http1.headers_too_large",
            ("DPE",),
            b"Request Header Fields Too Large",
        ),
    ],
)
async def test_malformed_heads_are_answered_logged_and_closed(
    proxy: Any, data: bytes, status: int, details: str, flags: tuple[str, ...], body: bytes
) -> None:
    client = proxy.connect()
    client.send(data)
    assert client.received.startswith(b"HTTP/1.1 %d " % status)
    assert b"connection: close\r\n" in client.received
    assert body_of(client.received) == body
    assert (proxy.info.response_code, proxy.info.response_code_details) == (status, details)
    assert proxy.info.response_flags == flags
    assert client.has_ended
    assert proxy.servers == []


async def test_after_a_refusal_what_still_comes_is_thrown_away_until_the_delayed_close(proxy: Any) -> None:
    client = proxy.connect()
    client.send(b"nonsense\r\n\r\n")
    client.send(GET)
    assert len(proxy.requests) == 1
    assert client.is_open
    proxy.clock.advance(1.0)
    assert not client.is_open


async def test_a_broken_body_is_a_400_while_no_response_has_begun(proxy: Any) -> None:
    client = proxy.connect()
    client.send(b"POST / HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
    server = await proxy.server()
    client.send(b"zz\r\n")
    assert client.received.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert proxy.info.response_flags == ("DPE",)
    assert not server.is_open


async def test_a_bug_in_a_filter_is_a_500_and_the_connection_goes_on_to_close(proxy: Any) -> None:
    def break_down(stream: Any) -> None:
        raise RuntimeError("a bug")

    proxy.use_filters(type("Broken", (), {"on_request": staticmethod(break_down)})())
    client = proxy.connect()
    client.send(GET)
    assert client.received.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert len(proxy.requests) == 1
    proxy.expected_crashes = 1


# local replies


async def test_a_direct_response_keeps_the_connection(proxy: Any) -> None:
    proxy.route(HI)
    client = proxy.connect()
    client.send(b"GET /hi HTTP/1.1\r\nHost: shop\r\n\r\n")
    lines = client.take().split(b"\r\n")
    assert lines[:3] == [b"HTTP/1.1 200 OK", b"content-length: 5", b"content-type: text/plain"]
    assert lines[-1] == b"hello"
    client.send(b"HEAD /hi HTTP/1.1\r\nHost: shop\r\n\r\n")
    assert client.received.endswith(b"\r\n\r\n")
    assert b"content-length: 5\r\n" in client.received


async def test_an_answer_before_the_body_closes_the_connection(proxy: Any) -> None:
    proxy.route(HI)
    client = proxy.connect()
    client.send(b"POST /hi HTTP/1.1\r\nHost: shop\r\nContent-Length: 30\r\n\r\nabc")
    assert b"connection: close\r\n" in client.received
    assert client.has_ended


async def test_no_route_is_404_nr(proxy: Any) -> None:
    proxy.route(HI)
    client = proxy.connect()
    client.send(GET)
    assert client.received.startswith(b"HTTP/1.1 404 Not Found\r\ndate: ")
    assert client.received.endswith(b"server: envoy\r\ncontent-length: 0\r\n\r\n")
    assert (proxy.info.response_flags, proxy.info.response_code_details) == (("NR",), "route_not_found")


# the client goes, or is slow


async def test_a_client_that_leaves_takes_its_request_with_it(proxy: Any) -> None:
    client = proxy.connect()
    client.send(GET)
    server = await proxy.server()
    client.hang_up()
    assert not server.is_open
    assert (proxy.info.response_code, proxy.info.response_flags) == (0, ("DC",))
    assert proxy.info.response_code_details == "downstream_remote_disconnect"


async def test_a_slow_client_stops_the_server_and_a_slow_server_the_client(proxy: Any) -> None:
    client = proxy.connect()
    client.send(POST + b"a")
    server = await proxy.server()
    server.protocol.pause_writing()
    assert not client.is_reading
    server.protocol.resume_writing()
    assert client.is_reading
    server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
    client.protocol.pause_writing()
    assert not server.is_reading
    client.protocol.resume_writing()
    assert server.is_reading


async def test_a_server_connection_does_not_stay_paused_behind_a_slow_client(proxy: Any) -> None:
    client = proxy.connect()
    client.send(GET)
    server = await proxy.server()
    server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
    client.protocol.pause_writing()
    server.send(b"cd")  # was under way
    assert server.is_reading


async def test_a_body_does_not_pile_up_while_the_server_is_being_connected(proxy: Any) -> None:
    proxy.is_connecting = False
    client = proxy.connect()
    client.send(b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 70_000)
    assert not client.is_reading


# timeouts and draining


async def test_an_idle_connection_is_closed(proxy: Any) -> None:
    proxy.route(proxy.forward(), idle_timeout=10.0)
    client = proxy.connect()
    proxy.clock.advance(9.0)
    client.send(GET)
    server = await proxy.server()
    proxy.clock.advance(20.0)
    assert client.is_open  # it waits for a response
    server.send(OK)
    proxy.clock.advance(9.0)
    assert client.is_open
    proxy.clock.advance(1.0)
    assert not client.is_open


async def test_a_head_that_does_not_come_is_408(proxy: Any) -> None:
    proxy.route(proxy.forward(), request_headers_timeout=2.0)
    client = proxy.connect()
    client.send(b"GET / HTTP/1.1\r\n")
    proxy.clock.advance(1.0)
    client.send(b"Host: shop\r\n")
    proxy.clock.advance(1.0)
    assert client.received.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert proxy.info.response_code_details == "request_header_timeout"


async def test_a_silent_stream_is_504_or_408(proxy: Any) -> None:
    proxy.route(proxy.forward(), stream_idle_timeout=5.0)
    for request, status in ((GET, 504), (POST, 408)):
        client = proxy.connect()
        client.send(request)
        await proxy.server()
        proxy.clock.advance(5.0)
        assert client.received.startswith(b"HTTP/1.1 %d " % status)
        assert proxy.info.response_flags == ("SI",)


async def test_each_read_of_a_response_keeps_the_stream_alive(proxy: Any) -> None:
    proxy.route(proxy.forward(), stream_idle_timeout=5.0)
    client = proxy.connect()
    client.send(GET)
    server = await proxy.server()
    server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")
    for _ in range(2):
        proxy.clock.advance(4.0)
        server.send(b"x")
    assert proxy.requests == []
    proxy.clock.advance(5.0)
    assert proxy.info.response_flags == ("SI",)
    assert not client.is_open


async def test_the_whole_request_has_a_time_where_one_is_set(proxy: Any) -> None:
    proxy.route(proxy.forward(), request_timeout=3.0)
    client = proxy.connect()
    client.send(POST)
    await proxy.server()
    proxy.clock.advance(3.0)
    assert client.received.startswith(b"HTTP/1.1 408 ")
    assert proxy.info.response_code_details == "request_overall_timeout"


async def test_retired_connections_serve_the_request_that_may_be_under_way(proxy: Any) -> None:
    idle, busy = proxy.connect(), proxy.connect()
    busy.send(GET)
    first = await proxy.server()
    proxy.manager.retire()
    first.send(OK)
    assert b"connection: close\r\n" in busy.received
    assert idle.is_open
    idle.send(GET)
    (await proxy.server()).send(OK)
    assert b"connection: close\r\n" in idle.received
    for client in (busy, idle):
        client.hang_up()
    await proxy.manager.wait_drained()


async def test_draining_closes_idle_connections_and_ends_busy_ones_politely(proxy: Any) -> None:
    idle, busy = proxy.connect(), proxy.connect()
    busy.send(GET)
    server = await proxy.server()
    proxy.manager.drain()
    assert not idle.is_open
    assert busy.is_open
    server.send(OK)
    assert b"connection: close\r\n" in busy.received
    busy.hang_up()
    await proxy.manager.wait_drained()


async def test_who_has_sent_another_request_before_he_heard_that_it_was_his_last_gets_the_response(proxy: Any) -> None:
    """To close at once would reset the connection, and the response with it."""
    client = proxy.connect()
    client.send(GET + GET)
    proxy.manager.drain()
    (await proxy.server()).send(OK)
    assert client.received.count(b"HTTP/1.1 200 ") == 1
    assert client.has_ended
    assert client.is_open
    assert client.is_reading
    client.send(GET)
    assert len(proxy.requests) == 1
    proxy.clock.advance(1.0)
    assert not client.is_open


async def test_draining_can_spare_connections_that_were_just_used(proxy: Any) -> None:
    idle, used = proxy.connect(), proxy.connect()
    proxy.clock.advance(3.0)
    used.send(GET)
    (await proxy.server()).send(OK)
    used.take()
    proxy.clock.advance(0.5)
    proxy.manager.drain(idle_seconds=1.0)
    assert not idle.is_open
    assert used.is_open
    used.send(GET)
    (await proxy.server()).send(OK)
    assert b"connection: close\r\n" in used.received
    assert used.has_ended


async def test_a_connection_carries_so_many_requests_and_no_more(proxy: Any) -> None:
    proxy.route(HI, max_requests_per_connection=2)
    client = proxy.connect()
    hi = b"GET /hi HTTP/1.1\r\nHost: shop\r\n\r\n"
    client.send(hi)
    assert b"connection: close" not in client.take()
    client.send(hi)
    assert b"connection: close\r\n" in client.received
    assert client.has_ended


async def test_the_listener_hears_of_the_end_of_a_connection(proxy: Any) -> None:
    closed: list[bool] = []
    client = proxy.connect(on_close=lambda: closed.append(True))
    client.hang_up()
    assert closed == [True]


async def test_route_changes_are_seen_by_the_next_request(proxy: Any) -> None:
    class Tables:
        table: Any = None

        def get(self, name: str) -> Any:
            return self.table

    tables = Tables()
    proxy.manager.inline_routes, routes, proxy.manager.find_routes = None, proxy.manager.inline_routes, tables.get
    client = proxy.connect()
    client.send(GET)
    assert client.take().startswith(b"HTTP/1.1 404 ")
    tables.table = routes
    client.send(GET)
    (await proxy.server()).send(OK)
    assert client.received.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("head", "is_kept"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n\r\n", True),
    ],
)
async def test_a_response_to_head_that_announces_nothing_keeps_its_connection(
    proxy: Any, head: bytes, is_kept: bool
) -> None:
    client = proxy.connect()
    client.send(b"HEAD / HTTP/1.1\r\nHost: shop\r\n\r\n")
    server = await proxy.server()
    server.send(head)
    assert b"transfer-encoding: chunked\r\n" in client.received
    assert client.is_open
    assert server.is_open == is_kept


async def test_the_hops_of_several_lines_become_one_line(proxy: Any) -> None:
    client = proxy.connect()
    client.send(b"GET / HTTP/1.1\r\nHost: shop\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 5.6.7.8\r\n\r\n")
    assert b"\r\nx-forwarded-for: 1.2.3.4,5.6.7.8\r\n" in (await proxy.server()).received
    assert (await proxy.server()).received.count(b"x-forwarded-for") == 1


async def test_fields_keep_their_order_in_both_directions(proxy: Any) -> None:
    fields = b"x-z: 1\r\nx-y: 2\r\nx-z: 3\r\ncookie: a=1\r\ncookie: b=2\r\nx-y: 4\r\n"
    client = proxy.connect()
    client.send(b"GET / HTTP/1.1\r\nHost: shop\r\n" + fields + b"\r\n")
    server = await proxy.server()
    assert server.received.startswith(b"GET / HTTP/1.1\r\nhost: shop\r\n" + fields)
    server.send(b"HTTP/1.1 200 OK\r\n" + fields + b"Content-Length: 0\r\n\r\n")
    assert client.received.startswith(b"HTTP/1.1 200 OK\r\n" + fields)


async def test_pipelined_requests_take_one_connection_to_the_server(proxy: Any) -> None:
    client = proxy.connect()
    client.send(GET * 3)
    for _ in range(3):
        server = await proxy.server()
        server.take()
        server.send(OK)
    await proxy.settle()
    assert len(proxy.requests) == 3
    assert len(proxy.servers) == 1


async def test_a_drain_spares_who_has_a_pipelined_request_waiting(proxy: Any) -> None:
    client = proxy.connect()
    client.send(GET * 2)
    (await proxy.server()).send(OK)
    proxy.manager.drain()
    server = await proxy.server()
    server.send(OK)
    assert client.received.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert client.received.count(b"connection: close\r\n") == 1
