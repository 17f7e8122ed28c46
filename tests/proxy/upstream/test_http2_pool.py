"""Requests of HTTP/1.1 clients that go on by HTTP/2: over fake connections, through the router, to a fake server."""

import asyncio
from typing import Any

import pytest
from hyperframe.frame import PingFrame
from proxy.downstream.http2_client import GET as CLIENT_GET
from proxy.downstream.http2_client import POST as CLIENT_POST
from proxy.downstream.http2_client import Http2Client

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.http2.heads import response_fields
from pymesh.proxy.codec.http2.limits import MAX_UNREAD
from pymesh.proxy.codec.http2.session import Session
from pymesh.proxy.routing.retry_policy import RetryPolicy
from pymesh.proxy.routing.route import Mirror
from pymesh.proxy.upstream.circuit_breaker import CircuitBreakerThresholds
from pymesh.proxy.upstream.http2_options import Http2Options, UpstreamProtocol
from pymesh.proxy.upstream.transport import ConnectError

GET = b"GET /a?b HTTP/1.1\r\nHost: shop\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n"
REFUSED_STREAM, CANCEL, INTERNAL, NO_ERROR = 7, 8, 2, 0


class Request:
    """A stream as the server sees it."""

    def __init__(self, stream: Any, head: Any) -> None:
        self.stream = stream
        self.head = head
        self.body = b""
        self.trailers: Any = None
        self.is_ended = False
        self.reset_code: int | None = None

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_end(self, trailers: Any) -> None:
        self.is_ended, self.trailers = True, trailers

    def on_reset(self, code: int, is_malformed: bool) -> None:
        self.reset_code = code

    def on_sending_paused(self) -> None:
        pass

    def on_sending_resumed(self) -> None:
        pass


class Server:
    """What speaks at the other end of a FakeTransport."""

    def __init__(self, transport: Any) -> None:
        self.transport = transport
        self.session = Session(self, is_client=False)
        self.requests: list[Request] = []
        self.goaways: list[int] = []
        self.session.start()

    def on_request(self, stream: Any, head: Any) -> None:
        stream.receiver = Request(stream, head)
        self.requests.append(stream.receiver)

    def on_goaway(self, last_stream_id: int, code: int) -> None:
        self.goaways.append(code)

    def exchange(self) -> None:
        """Until nobody has anything more to say."""
        while True:
            assert self.session.receive(self.transport.take()) is None
            answer = self.session.take()
            if answer and self.transport.is_open:
                self.transport.send(answer)
            if not self.transport.received:
                return

    def answer(self, request: Request, status: int = 200, body: bytes = b"", **headers: str) -> None:
        fields = HeaderMap((name.replace("_", "-").encode(), value.encode()) for name, value in headers.items())
        request.stream.send_head(response_fields(status, fields), not body)
        if body:
            request.stream.send_body(body)
            request.stream.send_end()
        self.exchange()

    def reset(self, request: Request, code: int) -> None:
        request.stream.reset(code)
        self.exchange()

    def say_goaway(self) -> None:
        self.session.say_goaway(is_final=True)
        self.exchange()


class Shop:
    """The proxy, with a cluster that is spoken to with HTTP/2."""

    def __init__(self, proxy: Any) -> None:
        self.proxy = proxy
        self._servers: dict[Any, Server] = {}

    def use(self, *endpoints: str, **fields: Any) -> None:
        fields = {"protocol": UpstreamProtocol.HTTP2, **fields}
        self.proxy.add_cluster("shop", *(endpoints or ("10.0.0.2:80",)), **fields)

    async def servers(self) -> list[Server]:
        await self.proxy.settle()
        for transport in self.proxy.servers:
            if transport not in self._servers:
                self._servers[transport] = Server(transport)
        for server in self._servers.values():
            server.exchange()
        return list(self._servers.values())

    async def requests(self) -> list[tuple[Server, Request]]:
        """Those that are on their way, in the order in which they came."""
        servers = await self.servers()
        return [
            (server, request)
            for server in servers
            for request in server.requests
            if request.stream.id in server.session.streams
        ]

    def ask(self, message: bytes = GET) -> Any:
        client = self.proxy.connect()
        client.send(message)
        return client


@pytest.fixture
def shop(proxy: Any) -> Shop:
    shop = Shop(proxy)
    shop.use()
    return shop


async def test_a_request_becomes_one_of_http2(shop: Shop) -> None:
    client = shop.ask(b"GET /a?b HTTP/1.1\r\nHost: shop\r\nTE: trailers\r\nX-One: 1\r\nConnection: close\r\n\r\n")
    ((server, request),) = await shop.requests()
    assert (request.head.method, request.head.path, request.head.scheme) == (b"GET", b"/a?b", b"http")
    assert request.head.headers[b"host"] == b"shop"
    assert request.head.headers[b"x-one"] == b"1"
    assert b"connection" not in request.head.headers
    assert request.is_ended
    server.answer(request, body=b"hi", content_length="2", x_two="2")
    assert client.received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"x-two: 2\r\n" in client.received
    assert client.received.endswith(b"\r\n\r\nhi")
    assert shop.proxy.info.response_code == 200


async def test_a_response_without_length_has_the_framing_of_the_clients_protocol(shop: Shop) -> None:
    client = shop.ask()
    ((server, request),) = await shop.requests()
    server.answer(request, body=b"hi")
    assert b"transfer-encoding: chunked\r\n" in client.received
    assert client.received.endswith(b"\r\n\r\n2\r\nhi\r\n0\r\n\r\n")


async def test_bodies_and_trailers_go_both_ways(shop: Shop) -> None:
    client = shop.ask(POST + b"2\r\nhi\r\n")
    ((server, request),) = await shop.requests()
    assert (request.body, request.is_ended) == (b"hi", False)
    client.send(b"2\r\n, \r\n0\r\nX-Sum: 4\r\n\r\n")
    await shop.servers()
    assert (request.body, request.is_ended) == (b"hi, ", True)
    assert request.trailers.items() == [(b"x-sum", b"4")]
    request.stream.send_head(response_fields(200, HeaderMap()))
    request.stream.send_body(b"abc")
    server.exchange()
    assert client.received.endswith(b"3\r\nabc\r\n")
    request.stream.send_end(HeaderMap([(b"grpc-status", b"0")]))
    server.exchange()
    assert client.received.endswith(b"3\r\nabc\r\n0\r\ngrpc-status: 0\r\n\r\n")


async def test_a_connection_carries_many_requests_at_once(shop: Shop) -> None:
    clients = [shop.ask() for _ in range(5)]
    found = await shop.requests()
    assert len(shop.proxy.servers) == 1
    assert len(found) == 5
    for server, request in reversed(found):
        server.answer(request, body=b"ok", content_length="2")
    assert all(client.received.endswith(b"ok") for client in clients)
    shop.ask()
    await shop.requests()
    assert len(shop.proxy.servers) == 1


async def test_more_requests_than_the_cluster_lets_on_one_connection_open_another(shop: Shop) -> None:
    shop.use(http2=Http2Options(max_concurrent_streams=2))
    for _ in range(3):
        shop.ask()
    found = await shop.requests()
    assert [len(server.requests) for server in await shop.servers()] == [2, 1]
    assert len(found) == 3


async def test_more_requests_than_the_server_allows_wait_or_go_elsewhere(shop: Shop) -> None:
    shop.use(circuit_breakers=CircuitBreakerThresholds(max_connections=1))
    shop.ask()
    ((server, first),) = await shop.requests()
    server.session.engine.update_settings({3: 1})  # MAX_CONCURRENT_STREAMS
    server.exchange()
    client = shop.ask()
    await shop.servers()
    assert len(server.requests) == 1
    server.answer(first)
    await shop.servers()
    assert len(server.requests) == 2
    server.answer(server.requests[1])
    assert client.received.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_requests_that_one_connection_turns_out_not_to_take_get_another(shop: Shop) -> None:
    clients = [shop.ask() for _ in range(150)]
    await shop.requests()
    found = await shop.requests()
    assert [len(server.requests) for server in await shop.servers()] == [100, 50]  # our codec's server takes 100
    for server, request in found:
        server.answer(request)
    assert all(b"200 OK" in client.received for client in clients)


async def test_a_connection_has_so_many_requests_in_its_life_and_no_more(shop: Shop) -> None:
    shop.use(max_requests_per_connection=2)
    for _ in range(2):
        shop.ask()
    found = await shop.requests()
    shop.ask()
    servers = await shop.servers()
    assert [len(server.requests) for server in servers] == [2, 1]
    for server, request in found:
        server.answer(request)
    await shop.proxy.settle()
    assert (servers[0].transport.is_open, servers[1].transport.is_open) == (False, True)


async def test_a_connection_without_requests_is_closed_after_the_idle_timeout_with_a_goaway(shop: Shop) -> None:
    shop.use(idle_timeout=10.0)
    shop.ask()
    ((server, request),) = await shop.requests()
    shop.proxy.clock.advance(20.0)
    assert server.transport.is_open
    server.answer(request)
    shop.proxy.clock.advance(11.0)
    assert not server.transport.is_open
    server.session.receive(server.transport.take())
    assert server.goaways == [NO_ERROR]


async def test_a_connection_takes_no_request_once_its_time_is_over_and_then_ends(shop: Shop) -> None:
    shop.use(max_connection_duration=10.0)
    shop.ask()
    ((server, request),) = await shop.requests()
    shop.proxy.clock.advance(10.0)
    shop.ask()
    assert len(await shop.servers()) == 2
    assert server.transport.is_open
    server.answer(request)
    assert not server.transport.is_open


async def test_requests_beyond_what_the_breaker_allows_are_answered_at_once(shop: Shop) -> None:
    shop.use(circuit_breakers=CircuitBreakerThresholds(max_requests=2))
    clients = [shop.ask() for _ in range(3)]
    await shop.requests()
    assert [b"503" in client.received for client in clients] == [False, False, True]
    assert shop.proxy.info.response_flags == ("UO",)


async def test_too_many_that_wait_for_the_first_connection_are_answered_at_once(shop: Shop) -> None:
    shop.use(circuit_breakers=CircuitBreakerThresholds(max_pending_requests=1))
    clients = [shop.ask() for _ in range(2)]
    assert [b"503" in client.received for client in clients] == [False, True]


async def test_a_reset_stream_is_the_only_one_that_fails(shop: Shop) -> None:
    first, second = shop.ask(), shop.ask()
    (server, request), (_, other) = await shop.requests()
    server.reset(request, INTERNAL)
    assert b"503" in first.received
    assert b"reset reason: remote reset" in first.received
    assert shop.proxy.info.response_flags == ("UR",)
    server.answer(other)
    assert b"200 OK" in second.received


async def test_a_reset_within_the_response_breaks_it_off(shop: Shop) -> None:
    client = shop.ask()
    ((server, request),) = await shop.requests()
    request.stream.send_head(response_fields(200, HeaderMap()))
    request.stream.send_body(b"abc")
    server.exchange()
    server.reset(request, INTERNAL)
    assert not client.is_open
    assert shop.proxy.info.response_code_details == "upstream_reset_after_response_started{remote_reset}"


async def test_a_refused_stream_is_tried_again_where_the_route_allows_it(shop: Shop) -> None:
    shop.proxy.route(shop.proxy.forward(retry_policy=RetryPolicy(frozenset({"refused-stream"}))))
    client = shop.ask()
    ((server, request),) = await shop.requests()
    server.reset(request, REFUSED_STREAM)
    shop.proxy.clock.advance(1.0)
    ((server, request),) = await shop.requests()
    server.answer(request)
    assert b"200 OK" in client.received


async def test_a_stream_that_was_reset_otherwise_is_not(shop: Shop) -> None:
    shop.proxy.route(shop.proxy.forward(retry_policy=RetryPolicy(frozenset({"refused-stream"}))))
    client = shop.ask()
    ((server, request),) = await shop.requests()
    server.reset(request, INTERNAL)
    assert b"503" in client.received


async def test_after_goaway_what_is_there_finishes_and_what_comes_goes_elsewhere(shop: Shop) -> None:
    first = shop.ask()
    ((server, request),) = await shop.requests()
    server.say_goaway()
    shop.ask()
    assert len(await shop.servers()) == 2
    server.answer(request)
    assert b"200 OK" in first.received
    await shop.proxy.settle()
    assert not server.transport.is_open


async def test_a_request_that_goaway_has_left_behind_counts_as_refused(shop: Shop) -> None:
    shop.proxy.route(shop.proxy.forward(retry_policy=RetryPolicy(frozenset({"refused-stream"}))))
    shop.ask()
    ((server, _),) = await shop.requests()
    server.session.say_goaway(is_final=True)
    client = shop.ask()  # crosses with the GOAWAY
    server.transport.send(server.session.take())
    shop.proxy.clock.advance(1.0)
    _, (second, again) = await shop.requests()
    assert second is not server
    second.answer(again)
    assert b"200 OK" in client.received


async def test_a_lost_connection_fails_all_that_it_carried(shop: Shop) -> None:
    clients = [shop.ask() for _ in range(2)]
    ((server, _), _) = await shop.requests()
    server.transport.reset()
    assert all(b"reset reason: connection termination" in client.received for client in clients)
    assert shop.proxy.info.response_flags == ("UC",)


async def test_a_server_that_speaks_http1_is_a_protocol_error(shop: Shop) -> None:
    client = shop.ask()
    await shop.proxy.settle()
    (transport,) = shop.proxy.servers
    transport.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    assert b"HTTP/1.1 502 Bad Gateway" in client.received
    assert shop.proxy.info.response_flags == ("UPE",)
    await shop.proxy.settle()
    assert not transport.is_open


async def test_a_malformed_response_is_a_protocol_error_of_its_stream(shop: Shop) -> None:
    client, other = shop.ask(), shop.ask()
    (server, request), (_, second) = await shop.requests()
    server.answer(request, body=b"four", content_length="3")
    assert not client.is_open or b"502" in client.received
    server.answer(second)
    assert b"200 OK" in other.received


async def test_a_server_that_cannot_be_reached_is_a_connect_failure(shop: Shop) -> None:
    shop.proxy.refusals.append(ConnectError("remote connection failure", "refused"))
    client = shop.ask()
    await shop.proxy.settle()
    assert b"503" in client.received
    assert shop.proxy.info.response_flags == ("UF",)


async def test_a_client_that_leaves_takes_its_stream_with_it_and_no_other(shop: Shop) -> None:
    gone, other = shop.ask(), shop.ask()
    (server, request), (_, second) = await shop.requests()
    gone.hang_up()
    server.exchange()
    assert request.reset_code == CANCEL
    server.answer(second)
    assert b"200 OK" in other.received


async def test_a_try_that_takes_too_long_is_reset(shop: Shop) -> None:
    shop.proxy.route(shop.proxy.forward(timeout=1.0))
    client = shop.ask()
    ((server, request),) = await shop.requests()
    shop.proxy.clock.advance(1.1)
    server.exchange()
    assert request.reset_code == CANCEL
    assert b"504" in client.received


async def test_a_slow_client_stops_the_server_at_one_window(shop: Shop) -> None:
    client = shop.ask()
    ((server, request),) = await shop.requests()
    request.stream.send_head(response_fields(200, HeaderMap()))
    request.stream.send_body(b"a")
    server.exchange()
    client.protocol.pause_writing()
    request.stream.send_body(b"a" * (1 << 20))
    server.exchange()
    assert request.stream.pending_bytes > 1 << 19
    client.protocol.resume_writing()
    server.exchange()
    assert request.stream.pending_bytes == 0
    assert client.received.count(b"a") >= 1 << 20


async def test_a_slow_server_stops_the_client(shop: Shop) -> None:
    client = shop.ask(POST)
    ((server, request),) = await shop.requests()
    request.stream.hold()
    piece = b"a" * 32768
    for _ in range(8):
        client.send(b"8000\r\n" + piece + b"\r\n")
        server.exchange()
    assert not client.is_reading
    assert len(request.body) == 65536
    request.stream.release()
    server.exchange()
    assert client.is_reading
    assert len(request.body) == 8 * 32768


async def test_a_server_that_does_not_read_gets_no_new_request_until_it_does(shop: Shop) -> None:
    shop.use(circuit_breakers=CircuitBreakerThresholds(max_connections=1))
    shop.ask()
    ((server, _),) = await shop.requests()
    server.transport.protocol.pause_writing()
    shop.ask()
    assert len(await shop.requests()) == 1
    server.transport.protocol.resume_writing()
    assert len(await shop.requests()) == 2


async def test_a_server_that_has_pings_answered_and_reads_no_answer_is_closed(shop: Shop) -> None:
    client = shop.ask()
    ((server, _),) = await shop.requests()
    transport = server.transport
    transport.protocol.pause_writing()
    transport.get_write_buffer_size = lambda: len(transport.received)
    pings = PingFrame(0, bytes(8)).serialize() * 1000
    for _ in range(100):
        if not transport.is_aborted:
            transport.send(pings)
    assert transport.is_aborted
    assert len(transport.received) < 2 * MAX_UNREAD
    await asyncio.sleep(0)
    assert b"reset reason: connection termination" in client.received


async def test_pings_keep_a_connection_and_silence_ends_it(shop: Shop) -> None:
    shop.use(http2=Http2Options(keepalive_interval=5.0, keepalive_timeout=1.0))
    client = shop.ask()
    ((server, _),) = await shop.requests()
    shop.proxy.clock.advance(5.0)
    server.exchange()  # answers
    shop.proxy.clock.advance(2.0)
    assert server.transport.is_open
    shop.proxy.clock.advance(5.0)
    await asyncio.sleep(0)
    assert not server.transport.is_open
    assert b"reset reason: connection termination" in client.received


async def test_the_client_protocol_decides_where_the_cluster_says_so(shop: Shop) -> None:
    shop.use(protocol=UpstreamProtocol.DOWNSTREAM)
    client = shop.ask()
    server = await shop.proxy.server()
    assert server.take().startswith(b"GET /a?b HTTP/1.1\r\n")
    server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert b"200 OK" in client.received


async def test_an_upgrade_goes_by_http1_whatever_the_cluster_speaks(shop: Shop) -> None:
    shop.proxy.route(shop.proxy.forward(), upgrades=frozenset({"websocket"}))
    shop.ask(b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    server = await shop.proxy.server()
    assert server.take().startswith(b"GET / HTTP/1.1\r\n")


async def test_another_protocol_of_the_cluster_holds_for_new_requests(shop: Shop) -> None:
    first = shop.ask()
    ((server, request),) = await shop.requests()
    shop.use(protocol=UpstreamProtocol.HTTP1)
    shop.ask()
    newest = await shop.proxy.server()
    assert newest.take().startswith(b"GET /a?b HTTP/1.1\r\n")
    server.answer(request)
    assert b"200 OK" in first.received
    await shop.proxy.settle()
    assert not server.transport.is_open


async def test_a_response_that_is_tried_again_is_reset(shop: Shop) -> None:
    shop.proxy.route(shop.proxy.forward(retry_policy=RetryPolicy(frozenset({"5xx"}))))
    client = shop.ask()
    ((server, request),) = await shop.requests()
    request.stream.send_head(response_fields(503, HeaderMap()))
    server.exchange()
    assert request.reset_code == CANCEL
    shop.proxy.clock.advance(1.0)
    ((server, again),) = await shop.requests()
    server.answer(again)
    assert b"200 OK" in client.received


async def test_an_answer_before_the_end_of_the_request_ends_the_stream(shop: Shop) -> None:
    client = shop.ask(POST + b"2\r\nhi\r\n")
    ((server, request),) = await shop.requests()
    request.stream.send_head(response_fields(413, HeaderMap([(b"content-length", b"0")])), False)
    request.stream.send_end()
    server.exchange()
    assert b"413" in client.received
    assert request.stream.id not in server.session.streams
    assert server.transport.is_open


async def test_an_ejected_endpoint_keeps_its_requests_and_gets_no_new_connection(shop: Shop) -> None:
    client = shop.ask()
    ((server, request),) = await shop.requests()
    shop.use("10.0.0.3:80")
    server.answer(request)
    assert b"200 OK" in client.received
    await shop.proxy.settle()
    assert not server.transport.is_open


async def test_a_mirror_gets_a_copy_by_its_own_protocol(shop: Shop) -> None:
    shop.proxy.add_cluster("copy", "10.0.0.8:80", protocol=UpstreamProtocol.HTTP2)
    shop.use(protocol=UpstreamProtocol.HTTP1)
    shop.proxy.route(shop.proxy.forward(mirrors=(Mirror("copy"),)))
    client = shop.ask(POST + b"2\r\nhi\r\n0\r\nX-Sum: 2\r\n\r\n")
    await shop.proxy.settle()
    copy = next(server for server in shop.proxy.servers if server.address == "10.0.0.8:80")
    original = next(server for server in shop.proxy.servers if server is not copy)
    server = Server(copy)
    server.exchange()
    (request,) = server.requests
    assert (request.head.method, request.head.headers[b"host"], request.body) == (b"POST", b"shop-shadow", b"hi")
    assert request.trailers.items() == [(b"x-sum", b"2")]
    server.answer(request, 500)
    original.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert b"200 OK" in client.received


async def test_a_mirror_that_falls_behind_is_given_up(shop: Shop) -> None:
    shop.proxy.add_cluster("copy", "10.0.0.8:80", protocol=UpstreamProtocol.HTTP2)
    shop.use(protocol=UpstreamProtocol.HTTP1)
    shop.proxy.route(shop.proxy.forward(mirrors=(Mirror("copy"),)))
    client = shop.ask(POST)
    await shop.proxy.settle()
    copy = next(server for server in shop.proxy.servers if server.address == "10.0.0.8:80")
    server = Server(copy)
    server.exchange()
    (request,) = server.requests
    request.stream.hold()
    for _ in range(40):
        client.send(b"8000\r\n" + b"a" * 32768 + b"\r\n")
        server.exchange()
    assert request.reset_code == CANCEL
    assert client.is_reading


async def test_what_the_client_speaks_goes_on_where_the_cluster_says_so(shop: Shop) -> None:
    shop.use(protocol=UpstreamProtocol.DOWNSTREAM)
    client = Http2Client(shop.proxy.connect())
    answer = client.start({**CLIENT_POST, "te": "trailers"})
    client.send(answer, b"abc")
    ((server, request),) = await shop.requests()
    assert (request.head.headers[b"te"], request.body, request.is_ended) == (b"trailers", b"abc", False)
    client.send_trailers(answer, {"x-sum": "3"})
    server.exchange()
    assert request.trailers.items() == [(b"x-sum", b"3")]
    request.stream.send_head(response_fields(200, HeaderMap([(b"x-one", b"1")])))
    request.stream.send_body(b"hi")
    request.stream.send_end(HeaderMap([(b"grpc-status", b"0")]))
    server.exchange()
    client.read()
    assert (answer.status, answer.headers["x-one"], answer.body) == (200, "1", b"hi")
    assert answer.trailers == {"grpc-status": "0"}


async def test_a_client_of_http2_that_resets_its_stream_resets_the_servers(shop: Shop) -> None:
    client = Http2Client(shop.proxy.connect())
    gone, other = client.request(CLIENT_GET), client.request(CLIENT_GET)
    (server, request), (_, second) = await shop.requests()
    client.reset(gone)
    server.exchange()
    assert request.reset_code == CANCEL
    server.answer(second, body=b"ok")
    client.read()
    assert (other.status, other.body) == (200, b"ok")
