"""The authorizer of these tests is a server of Google's gRPC library; what it reads and says are Envoy's messages."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import grpc
import pytest
from envoy.service.auth.v3 import external_auth_pb2 as auth
from proxy.grpc_authorizer import Authorizer

from pymesh.proxy.downstream.hcm_config import HttpFilterConfig
from pymesh.proxy.http_filters import ext_authz
from pymesh.proxy.http_filters.ext_authz_config import ExtAuthzConfig
from pymesh.proxy.matchers.header_matcher import HeaderMatcher
from pymesh.proxy.matchers.string_matcher import StringMatcher
from pymesh.proxy.routing.route import Route
from pymesh.proxy.telemetry.metric_names import EXT_AUTHZ_DENIED, EXT_AUTHZ_ERROR
from pymesh.proxy.upstream.http2_options import UpstreamProtocol
from pymesh.proxy.upstream.transport import connect

GET = (
    b"GET /a?keep=1&drop=2 HTTP/1.1\r\nHost: shop\r\nX-User: old\r\nX-Gone: 1\r\nX-Two: a\r\nX-Two: b\r\n"
    b"X-Bin: caf\xe9\r\n\r\n"
)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
PERMISSION_DENIED = 7


@pytest.fixture
async def authorizer() -> AsyncIterator[Authorizer]:
    authorizer = Authorizer()
    await authorizer.start()
    yield authorizer
    await authorizer.stop()


async def ask(proxy: Any, authorizer: Authorizer, *routes: Route, request: bytes = GET, **config: Any) -> Any:
    """The client, once it or the server has something."""
    fields = {"protocol": UpstreamProtocol.HTTP2, "connect_timeout": 5.0}
    proxy.add_cluster("authz", f"127.0.0.1:{authorizer.port}", **fields)
    fake = proxy.context.connect
    proxy.context.connect = lambda cluster, *args, **more: (connect if cluster.name == "authz" else fake)(
        cluster, *args, **more
    )
    settings = ExtAuthzConfig("authz", 5.0, is_grpc=True, authority="authz.example", **config)
    chain = (HttpFilterConfig(ext_authz.NAME, ext_authz.FACTORY, settings),)
    proxy.route(*(routes or (proxy.forward(),)), filters=chain)
    client = proxy.connect()
    client.send(request)
    async with asyncio.timeout(10):
        await _until(lambda: client.received or proxy.servers)
    return client


async def _until(is_true: Callable[[], Any]) -> None:
    while not is_true():  # noqa: ASYNC110 - another thread does it
        await asyncio.sleep(0.005)


def options(fields: Any, *pairs: tuple[str, str, bool | None]) -> None:
    for key, value, is_appended in pairs:
        option = fields.add()
        option.header.key, option.header.value = key, value
        if is_appended is not None:
            option.append.value = is_appended


async def test_the_authorizer_is_told_what_envoy_tells(proxy: Any, authorizer: Authorizer) -> None:
    client = await ask(proxy, authorizer)
    attributes = authorizer.questions[0].attributes
    source, destination = attributes.source.address.socket_address, attributes.destination.address.socket_address
    assert (source.address, source.port_value) == ("10.0.0.9", 5000)
    assert (destination.address, destination.port_value) == ("10.0.0.1", 80)
    http = attributes.request.http
    assert (http.method, http.path, http.host, http.scheme) == ("GET", "/a?keep=1&drop=2", "shop", "http")
    assert http.protocol == "HTTP/1.1"
    headers = dict(http.headers)
    assert (headers[":method"], headers[":path"], headers[":authority"]) == ("GET", "/a?keep=1&drop=2", "shop")
    assert (headers["x-user"], headers["x-two"], headers["x-bin"]) == ("old", "a,b", "caf!")
    assert "host" not in headers
    assert attributes.request.time.seconds > 1_700_000_000
    assert authorizer.metadata["x-envoy-internal"] == "true"
    proxy.servers[0].send(OK)
    assert b"200 OK" in client.received


async def test_what_it_allows_goes_on_with_its_changes(proxy: Any, authorizer: Authorizer) -> None:
    def allow(question: Any) -> Any:
        response = auth.CheckResponse()
        allowed = response.ok_response
        options(allowed.headers, ("X-User", "alice", None), ("x-two", "c", True), ("x-new", "1", False))
        options(allowed.headers, ("x-absent", "1", True), ("host", "evil", None))
        allowed.headers_to_remove.extend(["x-gone", "host"])
        options(allowed.response_headers_to_add, ("x-seen", "yes", None))
        allowed.query_parameters_to_set.add(key="set", value="3")
        allowed.query_parameters_to_remove.append("drop")
        return response

    authorizer.answer = allow
    client = await ask(proxy, authorizer)
    received = proxy.servers[0].received
    assert received.startswith(b"GET /a?keep=1&set=3 HTTP/1.1\r\nhost: shop\r\n")
    for field in (b"x-user: alice\r\n", b"x-two: a,b,c\r\n", b"x-new: 1\r\n"):
        assert field in received
    assert b"x-gone" not in received
    assert b"x-absent" not in received
    proxy.servers[0].send(OK)
    assert b"x-seen: yes\r\n" in client.received


async def test_a_refusal_is_the_clients_answer(proxy: Any, authorizer: Authorizer) -> None:
    def deny(question: Any) -> Any:
        response = auth.CheckResponse()
        response.status.code = PERMISSION_DENIED
        response.denied_response.status.code = 401
        options(response.denied_response.headers, ("X-Why", "so", None))
        response.denied_response.body = "no"
        return response

    authorizer.answer = deny
    client = await ask(proxy, authorizer)
    assert client.received.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
    assert b"x-why: so\r\n" in client.received
    assert client.received.endswith(b"\r\n\r\nno")
    assert (proxy.info.response_flags, proxy.info.response_code_details) == (("UAEX",), "ext_authz_denied")
    assert proxy.context.telemetry.metrics.counter(EXT_AUTHZ_DENIED).value == 1


async def test_a_refusal_without_a_status_is_403(proxy: Any, authorizer: Authorizer) -> None:
    def deny(question: Any) -> Any:
        response = auth.CheckResponse()
        response.status.code = PERMISSION_DENIED
        return response

    authorizer.answer = deny
    client = await ask(proxy, authorizer)
    assert client.received.startswith(b"HTTP/1.1 403 Forbidden\r\n")


@pytest.mark.parametrize(("config", "expected"), [({}, b"403"), ({"status_on_error": 503}, b"503")])
async def test_a_call_that_fails_is_an_error(
    proxy: Any, authorizer: Authorizer, config: dict[str, Any], expected: bytes
) -> None:
    authorizer.answer = lambda question: grpc.StatusCode.INTERNAL
    client = await ask(proxy, authorizer, **config)
    assert client.received.startswith(b"HTTP/1.1 " + expected)
    assert proxy.info.response_code_details == "ext_authz_error"
    assert proxy.context.telemetry.metrics.counter(EXT_AUTHZ_ERROR).value == 1


async def test_a_call_that_fails_may_let_requests_pass(proxy: Any, authorizer: Authorizer) -> None:
    authorizer.answer = lambda question: grpc.StatusCode.UNAVAILABLE
    await ask(proxy, authorizer, allows_on_failure=True)
    assert proxy.servers[0].received.startswith(b"GET /a?keep=1&drop=2 ")


async def test_a_port_that_is_not_for_http2_cannot_be_asked(proxy: Any) -> None:
    proxy.add_cluster("authz", "10.0.0.7:90")
    settings = ExtAuthzConfig("authz", 5.0, is_grpc=True, authority="authz")
    proxy.route(proxy.forward(), filters=(HttpFilterConfig(ext_authz.NAME, ext_authz.FACTORY, settings),))
    client = proxy.connect()
    client.send(GET)
    assert client.received.startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize(("clears", "address"), [(True, "10.0.0.3:80"), (False, "10.0.0.2:80")])
async def test_a_changed_request_is_routed_anew_where_the_configuration_says_so(
    proxy: Any, authorizer: Authorizer, clears: bool, address: str
) -> None:
    def allow(question: Any) -> Any:
        response = auth.CheckResponse()
        options(response.ok_response.headers, ("x-user", "alice", None))
        return response

    authorizer.answer = allow
    proxy.add_cluster("alices", "10.0.0.3:80")
    of_alice = proxy.forward(cluster="alices")
    is_alice = HeaderMatcher("x-user", string_match=StringMatcher("exact", "alice"))
    of_alice = replace(of_alice, match=replace(of_alice.match, headers=(is_alice,)))
    await ask(proxy, authorizer, of_alice, proxy.forward(), clears_route_cache=clears)
    assert proxy.servers[0].address == address
