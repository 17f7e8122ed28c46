from typing import Any

import pytest

from pymesh.errors import DecodeError
from pymesh.protojson import Reader
from pymesh.proxy.downstream.hcm_config import HttpFilterConfig
from pymesh.proxy.http_filters import cors, ext_authz
from pymesh.proxy.http_filters.ext_authz_config import ExtAuthzConfig, decode_ext_authz
from pymesh.proxy.matchers.string_matcher import StringMatcher
from pymesh.proxy.routing.route import Route
from pymesh.proxy.telemetry.metric_names import EXT_AUTHZ_ALLOWED, EXT_AUTHZ_DENIED, EXT_AUTHZ_ERROR

GET = b"GET /a?b HTTP/1.1\r\nHost: shop\r\nX-A: 1\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-User: alice\r\n\r\n"


def use(proxy: Any, **config: Any) -> Any:
    proxy.add_cluster("authz", "10.0.0.7:90")
    item = HttpFilterConfig(ext_authz.NAME, ext_authz.FACTORY, ExtAuthzConfig("authz", 5.0, **config))
    proxy.route(proxy.forward(), filters=(item,))
    return proxy.connect()


def count(proxy: Any, metric: Any) -> int:
    return proxy.context.telemetry.metrics.counter(metric).value


async def test_what_the_authorizer_allows_goes_on_with_its_headers(proxy: Any) -> None:
    client = use(proxy, upstream_headers=(StringMatcher("exact", "x-user"),))
    client.send(GET)
    authorizer = await proxy.server()
    assert authorizer.address == "10.0.0.7:90"
    assert authorizer.take().startswith(b"GET /a?b HTTP/1.1\r\nhost: shop\r\n")
    authorizer.send(OK)
    server = await proxy.server()
    assert server.address == "10.0.0.2:80"
    assert b"x-user: alice\r\n" in server.received
    assert count(proxy, EXT_AUTHZ_ALLOWED) == 1


async def test_a_refusal_is_the_clients_answer(proxy: Any) -> None:
    client = use(proxy)
    client.send(GET)
    (await proxy.server()).send(b"HTTP/1.1 401 No\r\nContent-Length: 2\r\nX-Why: so\r\n\r\nno")
    assert client.received.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
    assert b"x-why: so\r\n" in client.received
    assert client.received.endswith(b"\r\n\r\nno")
    assert (proxy.info.response_flags, proxy.info.response_code_details) == (("UAEX",), "ext_authz_denied")
    assert count(proxy, EXT_AUTHZ_DENIED) == 1


async def test_without_an_answer_in_time_it_is_403(proxy: Any) -> None:
    client = use(proxy)
    client.send(GET)
    await proxy.settle()
    proxy.clock.advance(5.0)
    assert client.received.startswith(b"HTTP/1.1 403 ")
    assert proxy.info.response_code_details == "ext_authz_error"
    assert proxy.servers[-1].is_aborted
    assert count(proxy, EXT_AUTHZ_ERROR) == 1
    assert proxy.clusters.get("authz").circuit_breakers.requests.active == 0


async def test_without_an_authorizer_a_request_passes_only_where_it_may(proxy: Any) -> None:
    client = use(proxy, allows_on_failure=True)
    proxy.clusters.remove_cluster("authz")
    client.send(GET)
    assert (await proxy.server()).address == "10.0.0.2:80"


async def test_a_client_that_leaves_meanwhile_is_logged_once(proxy: Any) -> None:
    client = use(proxy)
    client.send(GET)
    authorizer = await proxy.server()
    client.hang_up()
    authorizer.take()
    authorizer.send(OK)
    await proxy.settle()
    assert len(proxy.requests) == 1
    assert [server.address for server in proxy.servers] == ["10.0.0.7:90"]


async def test_a_body_waits_for_the_verdict(proxy: Any) -> None:
    client = use(proxy)
    client.send(b"POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 3\r\n\r\nabc")
    authorizer = await proxy.server()
    assert b"abc" not in authorizer.take()
    authorizer.send(OK)
    assert (await proxy.server()).received.endswith(b"\r\n\r\nabc")


def test_only_requests_that_a_shadow_rule_has_found_are_asked_about() -> None:
    config = decode(
        filter_enabled_metadata={
            "filter": "envoy.filters.http.rbac",
            "path": [{"key": "id"}],
            "value": {"string_match": {"prefix": "istio-ext-authz"}},
        }
    )
    assert config.enabled is not None
    assert (config.enabled.filter, config.enabled.path) == ("envoy.filters.http.rbac", ("id",))


async def test_a_response_is_edited_by_the_authorizer_and_by_cors(proxy: Any) -> None:
    proxy.add_cluster("authz", "10.0.0.7:90")
    config = ExtAuthzConfig("authz", 5.0, client_headers_on_success=(StringMatcher("exact", "x-user"),))
    filters = (
        HttpFilterConfig(ext_authz.NAME, ext_authz.FACTORY, config),
        HttpFilterConfig(cors.NAME, cors.FACTORY, None),
    )
    policy = cors.CorsPolicy(allow_origins=(StringMatcher("exact", "https://shop"),))
    route = proxy.forward()
    proxy.route(Route("marked", route.match, route.action, filter_configs={cors.NAME: policy}), filters=filters)
    client = proxy.connect()
    client.send(GET.replace(b"X-A: 1", b"Origin: https://shop"))
    (await proxy.server()).send(OK)
    (await proxy.server()).send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert b"x-user: alice\r\n" in client.received
    assert b"access-control-allow-origin: https://shop\r\n" in client.received


def decode(**fields: Any) -> ExtAuthzConfig:
    reader = Reader({"http_service": {"server_uri": {"uri": "http://a", "cluster": "authz"}}, **fields})
    decoded = decode_ext_authz(reader)
    reader.reject_unread()
    return decoded


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"http_service": {}}, "http_service.server_uri"),
        ({"with_request_body": {"max_request_bytes": 1}}, "with_request_body"),
        ({"grpc_service": {}}, "grpc_service"),
    ],
)
def test_what_is_not_there_is_refused_with_its_path(fields: Any, path: str) -> None:
    with pytest.raises(DecodeError) as raised:
        decode(**fields)
    assert str(raised.value).startswith(path)
