"""What the proxy itself answers to gRPC: 200, and a status of gRPC's own in fields behind which nothing comes."""

from typing import Any

import pytest
from proxy.downstream.http2_client import POST, Http2Client

from pymesh.proxy.matchers.path_matcher import PathMatcher
from pymesh.proxy.routing.route import DirectResponseAction, Route, RouteMatcher

CALL = {**POST, ":path": "/shop.Cart/Add", "content-type": "application/grpc+proto", "te": "trailers"}
UNKNOWN, DEADLINE_EXCEEDED, PERMISSION_DENIED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, UNAUTHENTICATED = (
    2,
    4,
    7,
    12,
    13,
    14,
    16,
)


def refuse(status: int, body: bytes = b"") -> Route:
    return Route("no", RouteMatcher(PathMatcher("prefix", "/")), DirectResponseAction(status, body))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, INTERNAL),
        (401, UNAUTHENTICATED),
        (403, PERMISSION_DENIED),
        (404, UNIMPLEMENTED),
        (429, UNAVAILABLE),
        (502, UNAVAILABLE),
        (503, UNAVAILABLE),
        (504, UNAVAILABLE),
        (418, UNKNOWN),
        (500, UNKNOWN),
    ],
)
async def test_each_status_stands_for_one_of_grpc(proxy: Any, status: int, expected: int) -> None:
    proxy.route(refuse(status))
    answer = Http2Client(proxy.connect()).request(CALL, b"")
    assert (answer.status, answer.headers["grpc-status"]) == (200, str(expected))
    assert (answer.headers["content-type"], answer.body, answer.is_ended) == ("application/grpc", b"", True)
    assert "grpc-message" not in answer.headers
    assert proxy.info.response_code == 200


async def test_the_body_becomes_the_message(proxy: Any) -> None:
    proxy.route(refuse(403, b"50% of\n\xc3\xa4ll~"))
    answer = Http2Client(proxy.connect()).request(CALL, b"")
    assert answer.headers["grpc-message"] == "50%25 of%0A%C3%A4ll%7E"
    assert "content-length" not in answer.headers


async def test_flags_and_details_stay(proxy: Any) -> None:
    proxy.add_cluster("shop")
    answer = Http2Client(proxy.connect()).request(CALL, b"")
    assert (answer.headers["grpc-status"], answer.headers["grpc-message"]) == ("14", "no healthy upstream")
    assert (proxy.info.response_flags, proxy.info.response_code_details) == (("UH",), "no_healthy_upstream")


async def test_a_stream_that_lasts_too_long_has_exceeded_its_deadline(proxy: Any) -> None:
    proxy.route(proxy.forward(), max_stream_duration=5.0)
    client = Http2Client(proxy.connect())
    answer = client.request(CALL, b"")
    await proxy.settle()
    proxy.clock.advance(6)
    client.read()
    assert answer.headers["grpc-status"] == str(DEADLINE_EXCEEDED)


async def test_over_http_1_it_is_the_same(proxy: Any) -> None:
    proxy.route(refuse(503, b"no"))
    client = proxy.connect()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nContent-Length: 0\r\n\r\n")
    assert client.received.startswith(b"HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ngrpc-status: 14\r\n")
    assert b"grpc-message: no\r\n" in client.received
    assert client.received.endswith(b"content-length: 0\r\n\r\n")


@pytest.mark.parametrize("content_type", ["application/grpc-web", "application/json", "text/plain"])
async def test_others_get_ordinary_answers(proxy: Any, content_type: str) -> None:
    proxy.route(refuse(503, b"no"))
    answer = Http2Client(proxy.connect()).request({**CALL, "content-type": content_type}, b"")
    assert (answer.status, answer.body) == (503, b"no")


GRPC_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"


@pytest.mark.parametrize(
    ("response", "status"),
    [
        (GRPC_OK + b"Grpc-Status: 5\r\n\r\n", "5"),
        (b"HTTP/1.1 200 OK\r\nGrpc-Status: 7\r\nContent-Length: 0\r\n\r\n", "7"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "12"),
        (GRPC_OK + b"Grpc-Status: nonsense\r\n\r\n", "2"),
    ],
    ids=["trailers", "head", "HTTP's", "nonsense"],
)
async def test_telemetry_hears_of_the_status_wherever_it_is(proxy: Any, response: bytes, status: str) -> None:
    client = Http2Client(proxy.connect())
    client.request(CALL, b"")
    (await proxy.server()).send(response)
    assert proxy.info.grpc_status == status


async def test_what_is_no_grpc_has_no_status_of_it(proxy: Any) -> None:
    Http2Client(proxy.connect()).request({**CALL, "content-type": "text/plain"}, b"")
    (await proxy.server()).send(b"HTTP/1.1 200 OK\r\nGrpc-Status: 7\r\nContent-Length: 0\r\n\r\n")
    assert proxy.info.grpc_status is None


async def test_telemetry_hears_of_the_status_of_the_proxys_own_answers(proxy: Any) -> None:
    proxy.route(refuse(403))
    Http2Client(proxy.connect()).request(CALL, b"")
    assert proxy.info.grpc_status == str(PERMISSION_DENIED)
