from dataclasses import replace
from typing import Any

import pytest

from pymesh.errors import DecodeError
from pymesh.protojson import Reader
from pymesh.proxy.downstream.hcm_config import HttpFilterConfig
from pymesh.proxy.http_filters import cors
from pymesh.proxy.http_filters.cors import CorsPolicy, decode_cors_policy
from pymesh.proxy.matchers.string_matcher import StringMatcher
from pymesh.proxy.routing.route import Route
from pymesh.proxy.upstream.transport import ConnectError

POLICY = CorsPolicy(
    allow_origins=(StringMatcher("exact", "https://shop"), StringMatcher("prefix", "https://a.")),
    allow_methods=b"GET,POST",
    allow_headers=b"x-token",
    expose_headers=b"x-cost",
    max_age=b"60",
    allow_credentials=True,
)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nAccess-Control-Allow-Origin: https://server\r\n\r\nhi"
ALLOW_ORIGIN = b"access-control-allow-origin"


def use(proxy: Any, policy: CorsPolicy | None = POLICY) -> Any:
    route = proxy.forward()
    configs = {} if policy is None else {cors.NAME: policy}
    marked = Route("marked", route.match, route.action, filter_configs=configs)
    proxy.route(marked, filters=(HttpFilterConfig(cors.NAME, cors.FACTORY, None),))
    return proxy.connect()


def request(method: str = "GET", origin: str = "https://shop", **fields: str) -> bytes:
    named = {"host": "shop", "origin": origin} | {name.replace("_", "-"): value for name, value in fields.items()}
    lines = [f"{method} / HTTP/1.1", *(f"{name}: {value}" for name, value in named.items() if value)]
    return "\r\n".join([*lines, "", ""]).encode()


def preflight(origin: str = "https://shop", **fields: str) -> bytes:
    return request("OPTIONS", origin, access_control_request_method="PUT", **fields)


def fields_of(received: bytes) -> dict[bytes, bytes]:
    lines = received.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(b": ") for line in lines)}


async def test_response_to_an_allowed_origin_is_marked_over_what_the_server_says(proxy: Any) -> None:
    client = use(proxy)
    client.send(request(origin="https://a.b"))
    (await proxy.server()).send(OK)
    fields = fields_of(client.received)
    assert fields[ALLOW_ORIGIN] == b"https://a.b"
    assert fields[b"access-control-allow-credentials"] == b"true"
    assert fields[b"access-control-expose-headers"] == b"x-cost"
    assert b"access-control-allow-methods" not in fields


@pytest.mark.parametrize("sent", [request(origin=""), request(origin="https://evil")])
async def test_response_to_no_origin_or_a_foreign_one_is_left_alone(proxy: Any, sent: bytes) -> None:
    client = use(proxy)
    client.send(sent)
    (await proxy.server()).send(OK)
    assert fields_of(client.received)[ALLOW_ORIGIN] == b"https://server"


async def test_preflight_is_answered_in_the_servers_place(proxy: Any) -> None:
    client = use(proxy)
    client.send(preflight())
    fields = fields_of(client.received)
    assert client.received.startswith(b"HTTP/1.1 200 ")
    assert (fields[ALLOW_ORIGIN], fields[b"access-control-max-age"]) == (b"https://shop", b"60")
    assert fields[b"access-control-allow-methods"] == b"GET,POST"
    assert fields[b"access-control-allow-headers"] == b"x-token"
    assert proxy.info.response_code_details == "cors_response"
    assert proxy.servers == []


async def test_star_allows_the_method_and_the_headers_that_the_browser_asks_for(proxy: Any) -> None:
    client = use(proxy, replace(POLICY, allow_methods=b"*", allow_headers=b"*"))
    client.send(preflight(access_control_request_headers="x-a,x-b"))
    fields = fields_of(client.received)
    assert (fields[b"access-control-allow-methods"], fields[b"access-control-allow-headers"]) == (b"PUT", b"x-a,x-b")


async def test_preflight_of_a_foreign_origin_goes_to_the_server_unless_the_policy_says_no(proxy: Any) -> None:
    client = use(proxy)
    client.send(preflight("https://evil"))
    assert (await proxy.server()).received.startswith(b"OPTIONS / ")


async def test_preflight_of_a_foreign_origin_that_is_not_forwarded_is_a_200_without_the_origin(proxy: Any) -> None:
    client = use(proxy, replace(POLICY, forward_not_matching_preflights=False))
    client.send(preflight("https://evil"))
    assert client.received.startswith(b"HTTP/1.1 200 ")
    assert ALLOW_ORIGIN not in fields_of(client.received)
    assert proxy.servers == []


async def test_options_without_a_requested_method_is_no_preflight(proxy: Any) -> None:
    client = use(proxy)
    client.send(request("OPTIONS"))
    (await proxy.server()).send(OK)
    assert fields_of(client.received)[ALLOW_ORIGIN] == b"https://shop"


async def test_a_pattern_that_is_a_star_allows_every_origin(proxy: Any) -> None:
    client = use(proxy, CorsPolicy(allow_origins=(StringMatcher("exact", "*"),)))
    client.send(request(origin="https://anyone"))
    (await proxy.server()).send(OK)
    assert fields_of(client.received)[ALLOW_ORIGIN] == b"https://anyone"


async def test_the_proxys_own_answers_are_marked_too(proxy: Any) -> None:
    client = use(proxy)
    proxy.refusals = [ConnectError("remote connection failure", "")]
    client.send(request())
    await proxy.settle()
    assert client.received.startswith(b"HTTP/1.1 503 ")
    assert fields_of(client.received)[ALLOW_ORIGIN] == b"https://shop"


async def test_a_route_without_a_policy_is_left_alone(proxy: Any) -> None:
    client = use(proxy, None)
    client.send(preflight())
    (await proxy.server()).send(OK)
    assert fields_of(client.received)[ALLOW_ORIGIN] == b"https://server"


def test_a_policy_is_decoded() -> None:
    reader = Reader(
        {
            "allow_origin_string_match": [{"exact": "https://shop"}, {"prefix": "https://a."}],
            "allow_methods": "GET,POST",
            "allow_headers": "x-token",
            "expose_headers": "x-cost",
            "max_age": "60",
            "allow_credentials": True,
            "filter_enabled": {"default_value": {"numerator": 100, "denominator": "HUNDRED"}},
        }
    )
    assert decode_cors_policy(reader) == POLICY
    reader.reject_unread()


def test_a_bad_origin_is_refused_with_its_path() -> None:
    with pytest.raises(DecodeError) as error:
        decode_cors_policy(Reader({"allow_origin_string_match": [{"safe_regex": {"regex": "("}}]}))
    assert error.value.path.startswith("allow_origin_string_match[0]")
