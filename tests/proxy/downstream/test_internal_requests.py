"""Which requests are internal and what becomes of their headers; each case was asked of Envoy 1.40."""

from typing import Any

import pytest

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.message import RequestHead
from pymesh.proxy.downstream.hcm_config import HttpConnectionManagerConfig
from pymesh.proxy.downstream.internal_requests import InternalRequestHeaderPolicy

EDGE = {"use_remote_address": True}
INSIDE = {"use_remote_address": False}
COMMAND = ("x-envoy-retry-on", "5xx")


def apply(config: dict[str, Any], *fields: tuple[str, str], remote: bytes = b"10.0.0.9") -> HeaderMap:
    headers = HeaderMap((name.encode(), value.encode()) for name, value in fields)
    head = RequestHead(b"GET", b"/", b"HTTP/1.1", headers, keep_alive=True)
    networks = ("10.0.0.0/8", "fd00::/8")
    config = {"internal_networks": networks, **config}
    InternalRequestHeaderPolicy(HttpConnectionManagerConfig(**config)).apply(head, remote, b"http")
    return headers


@pytest.mark.parametrize(
    ("config", "xff", "remote", "is_internal"),
    [
        (EDGE, None, b"10.0.0.9", True),
        (EDGE, None, b"fd00::1", True),
        (EDGE, None, b"1.2.3.4", False),
        (EDGE, "10.0.0.1", b"10.0.0.9", False),
        (INSIDE, None, b"10.0.0.9", False),
        (INSIDE, "10.0.0.1", b"1.2.3.4", True),
        (INSIDE, "10.0.0.1, 10.0.0.2", b"10.0.0.9", False),
        (INSIDE, "1.2.3.4", b"10.0.0.9", False),
        (INSIDE, "bogus", b"10.0.0.9", False),
    ],
)
def test_only_who_comes_straight_from_an_internal_address_may_command(
    config: dict[str, Any], xff: str | None, remote: bytes, is_internal: bool
) -> None:
    fields = [COMMAND] if xff is None else [COMMAND, ("x-forwarded-for", xff)]
    headers = apply(config, *fields, remote=remote)
    assert (headers.get(b"x-envoy-internal") == b"true") == is_internal
    assert (b"x-envoy-retry-on" in headers) == is_internal


def test_at_the_edge_an_internal_request_keeps_its_id_and_gets_no_external_address() -> None:
    headers = apply(EDGE, ("x-request-id", "abc"), ("x-envoy-decorator-operation", "op"))
    assert dict(headers.items()) == {
        b"x-request-id": b"abc",
        b"x-envoy-decorator-operation": b"op",
        b"x-forwarded-for": b"10.0.0.9",
        b"x-forwarded-proto": b"http",
        b"x-envoy-internal": b"true",
    }


def test_an_external_request_cannot_say_that_it_is_internal() -> None:
    assert b"x-envoy-internal" not in apply(EDGE, ("x-envoy-internal", "true"), remote=b"1.2.3.4")


def test_hop_by_hop_fields_go_from_internal_requests_too() -> None:
    headers = apply(EDGE, ("connection", "x-hop"), ("x-hop", "1"), ("keep-alive", "5"), ("te", "gzip"))
    assert not {b"connection", b"x-hop", b"keep-alive", b"te"}.intersection(headers)
