"""A client's connection, a proxy, and its connections to servers, driven by the bytes of a script. No sockets.

A script is a byte of options and a sequence of steps, each `\\xff`, a letter and its bytes: `c` the client sends them,
`s` the server does by which something came last; `C` and `S` hang up; `n` is a new client, `m` one with a certificate;
`p` and `r` pause and resume the client's reading; `t` lets time pass.
"""

import asyncio
import importlib.util
from pathlib import Path
from typing import Any

from fuzz.seeds import REQUESTS, RESPONSES

from pymesh.proxy.downstream.hcm_config import APPEND_FORWARD, SANITIZE
from pymesh.proxy.matchers.path_matcher import PathMatcher
from pymesh.proxy.routing.hash_policy import HashPolicy
from pymesh.proxy.routing.retry_policy import RetryPolicy
from pymesh.proxy.routing.route import DirectResponseAction, Mirror, Route, RouteMatcher
from pymesh.proxy.telemetry.access_log_format import ISTIO_TEXT_FORMAT, compile_format
from pymesh.proxy.telemetry.exporters import SpanExporter
from pymesh.proxy.telemetry.telemetry import Telemetry
from pymesh.proxy.telemetry.tracer import Tracer
from pymesh.proxy.telemetry.workload import Workload
from pymesh.proxy.tls.peer_identity import PeerIdentity

MAX_STEPS = 40
_INBOUND, _EDGE, _ONE_HOP, _FORWARDS_CERTIFICATE, _HAS_INTERNALS = 1, 2, 4, 8, 16  # the options
_PEER = PeerIdentity(("spiffe://cluster.local/ns/default/sa/web",), (), "CN=web", "00" * 32)
_WORKLOAD = Workload("web-1", "default", "web", "v1", "pymesh")
_HI = Route("hi", RouteMatcher(PathMatcher("prefix", "/hi")), DirectResponseAction(200, b"hello"))
_RETRIES = RetryPolicy(frozenset(("5xx", "reset")), num_retries=1)

_HASHES = (
    HashPolicy("header", b"x-user"),
    HashPolicy("query_parameter", b"user"),
    HashPolicy("cookie", b"user", ttl=60.0),
    HashPolicy("connection_properties"),
)
_TELLING = (
    b"GET /x?user=a HTTP/1.1\r\nHost: a:80\r\nX-Forwarded-For: 10.0.0.1, 10.0.0.2\r\nX-Request-Id: 1\r\n"
    b"Traceparent: 00-0123456789abcdef0123456789abcdef-0123456789abcdef-01\r\nTracestate: a=b\r\nCookie: user=a\r\n"
    b"X-Envoy-Peer-Metadata: web-1;default;web;v1;pymesh\r\nX-Forwarded-Client-Cert: By=a;Hash=b\r\nX-User: a\r\n\r\n"
)
_RETRYING = (
    b"POST /x HTTP/1.1\r\nHost: a\r\nX-Envoy-Retry-On: 5xx,retriable-status-codes,retriable-headers\r\n"
    b"X-Envoy-Retriable-Status-Codes: 503,404\r\nX-Envoy-Retriable-Header-Names: x-a\r\nX-Envoy-Max-Retries: 2\r\n"
    b"X-Envoy-Upstream-Rq-Timeout-Ms: 5000\r\nX-Envoy-Upstream-Rq-Per-Try-Timeout-Ms: 500\r\nGrpc-Timeout: 1S\r\n"
    b"Content-Length: 1\r\n\r\nx"
)

SEEDS = (
    *(b"\xffc" + request + b"\xffs" + response for request in REQUESTS for response in RESPONSES[:2]),
    *(b"\xffc" + REQUESTS[0] + b"\xffs" + response + b"\xffS\xffc" + REQUESTS[0] for response in RESPONSES),
    b"\xffcGET /hi HTTP/1.1\r\nHost: a\r\n\r\n" + b"\xffp\xffc" + REQUESTS[1] + b"\xffr\xffs" + RESPONSES[0],
    b"\xffc" + REQUESTS[2][:-2] + b"\xfft\xffn\xffc" + REQUESTS[0] + b"\xffs" + RESPONSES[0] + b"\xffC",
    *(bytes((options,)) + b"\xffm\xffc" + _TELLING + b"\xffs" + RESPONSES[0] for options in range(16)),
    *(b"\xffc" + REQUESTS[2].replace(b"/x", path) + b"\xffs" + RESPONSES[0] for path in (b"/hash", b"/mirror")),
    *(bytes((options,)) + b"\xffm\xffc" + _RETRYING + b"\xffs" + RESPONSES[8] + b"\xfft" for options in (2, 16, 18)),
    b"\xffcGET /retry HTTP/1.1\r\nHost: a\r\n\r\n\xffs" + RESPONSES[8] + b"\xfft\xffs" + RESPONSES[0],
)


def _load_fake_proxy() -> Any:
    spec = importlib.util.spec_from_file_location("proxy_conftest", Path(__file__).parents[1] / "proxy" / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.FakeProxy


_FakeProxy = _load_fake_proxy()  # now: while a fuzzer instruments what is imported


class _Log:
    """Lines that nobody reads; that they can be written is what is tried."""

    dropped = 0
    _format = staticmethod(compile_format(ISTIO_TEXT_FORMAT))

    def log(self, info: Any) -> None:
        line = self._format(info)
        assert "\n" not in line.removesuffix("\n")
        line.encode(errors="surrogateescape")  # as it is written: the bytes of a header as they came


async def _refuse(*_: Any) -> Any:
    raise AssertionError("nobody flushes")


class Script:
    """Runs one script after the other, each against a proxy of its own, on one loop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._errors: list[dict[str, Any]] = []
        self._loop.set_exception_handler(lambda _, context: self._errors.append(context))

    def run(self, script: bytes) -> None:
        """An AssertionError is a find, and so is any other exception."""
        self._loop.run_until_complete(self._run(script))
        assert self._errors == []

    async def _run(self, script: bytes) -> None:
        options = script[0] if script else 0
        proxy = _FakeProxy()
        proxy.context.build_tracer = Tracer
        telemetry = Telemetry(_WORKLOAD, access_log=_Log(), spans=SpanExporter(_WORKLOAD, "web", _refuse))
        proxy.context.telemetry = telemetry
        proxy.add_cluster("shop", "10.0.0.2:80")
        proxy.route(
            _HI,
            proxy.forward(prefix="/retry", retry_policy=_RETRIES),
            proxy.forward(prefix="/mirror", mirrors=(Mirror("shop"),)),
            proxy.forward(prefix="/hash", hash_policies=_HASHES),
            proxy.forward(timeout=10.0),
            is_inbound=bool(options & _INBOUND),
            use_remote_address=bool(options & _EDGE),
            xff_num_trusted_hops=int(bool(options & _ONE_HOP)),
            forward_client_cert_details=APPEND_FORWARD if options & _FORWARDS_CERTIFICATE else SANITIZE,
            random_sampling=100.0,
            obeys_requests=bool(options & _HAS_INTERNALS),
            internal_networks=("10.0.0.0/8",) if options & _HAS_INTERNALS else (),
            normalize_path=True,
            stream_idle_timeout=60.0,
            request_headers_timeout=30.0,
            upgrades=frozenset(("websocket",)),
        )
        clients = [proxy.connect()]
        for step in script.split(b"\xff")[1 : MAX_STEPS + 1]:
            await self._step(proxy, clients, step[:1], step[1:])
        assert proxy.crashes == 0
        await self._ask(proxy)
        for end in (*clients, *proxy.servers):
            if end.is_open:
                end.hang_up()
            await proxy.settle()
        assert proxy.crashes == 0
        self._assert_nothing_is_left(proxy)
        b"".join(telemetry.expose()).decode()
        await proxy.context.tasks.aclose()

    async def _step(self, proxy: Any, clients: list[Any], kind: bytes, data: bytes) -> None:
        client = clients[-1]
        if kind == b"n":
            clients.append(proxy.connect())
        elif kind == b"m":
            clients.append(proxy.connect(is_tls=True, peer=_PEER))
        elif kind == b"t":
            proxy.clock.advance(1.0 + (data[0] if data else 0))
        elif kind == b"s":
            await self._answer(proxy, data, hangs_up=False)
        elif kind == b"S":
            await self._answer(proxy, data, hangs_up=True)
        elif client.is_open:
            self._step_of_client(client, kind, data)
        await asyncio.sleep(0)

    def _step_of_client(self, client: Any, kind: bytes, data: bytes) -> None:
        if kind == b"c" and data and client.is_reading:
            client.send(data)
        elif kind == b"C":
            client.hang_up()
        elif kind == b"p":
            client.protocol.pause_writing()
        elif kind == b"r":
            client.protocol.resume_writing()

    async def _answer(self, proxy: Any, data: bytes, hangs_up: bool) -> None:
        await proxy.settle()
        servers = [server for server in proxy.servers if server.is_open]
        server = next((server for server in reversed(servers) if server.received), servers[-1] if servers else None)
        if server is None:
            return
        if data and server.is_reading:
            server.take()
            server.send(data)
        if hangs_up and server.is_open:
            server.hang_up()

    async def _ask(self, proxy: Any) -> None:
        """Whatever has been: the next request on a new connection gets its own answer."""
        client = proxy.connect()
        for server in proxy.servers:
            server.take()
        client.send(b"GET /own HTTP/1.1\r\nHost: a\r\n\r\n")
        server = await proxy.server()
        assert server.received.startswith(b"GET /own HTTP/1.1\r\n"), server.received
        server.take()
        server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n/own")
        assert client.received.startswith(b"HTTP/1.1 200 OK\r\n"), client.received
        assert client.received.endswith(b"\r\n\r\n/own"), client.received
        client.hang_up()

    def _assert_nothing_is_left(self, proxy: Any) -> None:
        cluster = proxy.clusters.get("shop")
        breakers = cluster.circuit_breakers
        assert proxy.manager.active_requests == 0
        assert breakers.requests.active == 0
        assert breakers.pending_requests.active == 0
        assert breakers.retries.active == 0
        assert breakers.connections.active == 0
