from typing import Any

import pytest

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.message import RequestHead
from pymesh.proxy.downstream.hcm_config import HttpConnectionManagerConfig
from pymesh.proxy.downstream.request_headers import RequestHeaderPolicy


def apply(config: dict[str, Any], *fields: tuple[str, str], scheme: bytes = b"http", upgrade: bytes = b"") -> HeaderMap:
    headers = HeaderMap([(b"host", b"shop"), *((name.encode(), value.encode()) for name, value in fields)])
    head = RequestHead(b"GET", b"/", b"HTTP/1.1", headers, keep_alive=True)
    head.upgrade = upgrade
    RequestHeaderPolicy(HttpConnectionManagerConfig(**config)).apply(head, b"10.0.0.9", scheme)
    return headers


INSIDE: dict[str, Any] = {"use_remote_address": False}
EDGE: dict[str, Any] = {"use_remote_address": True}


def test_a_request_id_and_the_protocol_are_added() -> None:
    headers = apply(INSIDE)
    assert headers[b"x-forwarded-proto"] == b"http"
    assert len(headers[b"x-request-id"]) == 36


def test_inside_what_came_is_kept() -> None:
    headers = apply(INSIDE, ("x-request-id", "abc"), ("x-forwarded-proto", "https"), ("x-forwarded-for", "1.2.3.4"))
    assert headers[b"x-request-id"] == b"abc"
    assert headers[b"x-forwarded-proto"] == b"https"
    assert headers[b"x-forwarded-for"] == b"1.2.3.4"
    assert b"x-envoy-external-address" not in headers


def test_at_the_edge_it_is_not() -> None:
    headers = apply(EDGE, ("x-request-id", "abc"), ("x-forwarded-proto", "https"), ("x-forwarded-for", "1.2.3.4"))
    assert headers[b"x-request-id"] != b"abc"
    assert headers[b"x-forwarded-proto"] == b"http"
    assert headers[b"x-forwarded-for"] == b"1.2.3.4,10.0.0.9"
    assert headers[b"x-envoy-external-address"] == b"10.0.0.9"


def test_an_edge_may_be_told_to_keep_the_request_id() -> None:
    assert apply({**EDGE, "preserve_external_request_id": True}, ("x-request-id", "abc"))[b"x-request-id"] == b"abc"


def test_trusted_hops_vouch_for_the_client() -> None:
    config = {**EDGE, "xff_num_trusted_hops": 1}
    headers = apply(config, ("x-forwarded-for", "6.6.6.6, 1.2.3.4"), ("x-forwarded-proto", "https"))
    assert headers[b"x-envoy-external-address"] == b"1.2.3.4"
    assert headers[b"x-forwarded-proto"] == b"https"


@pytest.mark.parametrize(
    ("config", "xff", "address"),
    [
        (INSIDE, "1.2.3.4, 5.6.7.8", "5.6.7.8:0"),
        ({**INSIDE, "xff_num_trusted_hops": 1}, "1.2.3.4, 5.6.7.8", "1.2.3.4:0"),
        (INSIDE, "::1", "[::1]:0"),
        (INSIDE, "nonsense", None),
        (EDGE, "1.2.3.4", None),
        ({**EDGE, "xff_num_trusted_hops": 2}, "1.2.3.4", None),
    ],
)
def test_the_clients_address_is_the_last_untrusted_one(config: dict[str, Any], xff: str, address: str | None) -> None:
    policy = RequestHeaderPolicy(HttpConnectionManagerConfig(**config))
    assert policy.client_address(HeaderMap([(b"x-forwarded-for", xff.encode())])) == address


def test_hop_by_hop_fields_and_those_that_connection_names_go() -> None:
    headers = apply(
        INSIDE,
        ("connection", "close, X-Hop"),
        ("x-hop", "1"),
        ("keep-alive", "5"),
        ("proxy-connection", "x"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "x"),
        ("expect", "100-continue"),
        ("x-kept", "1"),
    )
    assert [name for name, _ in headers.items()] == [b"host", b"x-kept", b"x-forwarded-proto", b"x-request-id"]


def test_fields_that_a_further_connection_line_names_go_too() -> None:
    assert b"x-hop" not in apply(INSIDE, ("connection", "close"), ("connection", "X-Hop"), ("x-hop", "1"))


def test_connection_cannot_take_the_host_away() -> None:
    assert b"host" in apply(INSIDE, ("connection", "host"))


def test_te_keeps_trailers_only() -> None:
    assert apply(INSIDE, ("te", "gzip, trailers"))[b"te"] == b"trailers"
    assert b"te" not in apply(INSIDE, ("te", "gzip"))


def test_an_upgrade_keeps_its_two_fields() -> None:
    headers = apply(INSIDE, ("connection", "keep-alive, Upgrade"), ("upgrade", "websocket"), upgrade=b"websocket")
    assert headers[b"connection"] == b"Upgrade"
    assert headers[b"upgrade"] == b"websocket"


def test_what_only_an_internal_request_may_say_goes() -> None:
    headers = apply(INSIDE, ("x-envoy-retry-on", "5xx"), ("x-envoy-internal", "true"), ("x-envoy-max-retries", "9"))
    assert not any(name.startswith(b"x-envoy") for name in headers)


def test_a_decorator_passes_inside_but_not_the_edge() -> None:
    assert b"x-envoy-decorator-operation" in apply(INSIDE, ("x-envoy-decorator-operation", "x"))
    assert b"x-envoy-decorator-operation" not in apply(EDGE, ("x-envoy-decorator-operation", "x"))


ENVOYS_COMMANDS = (
    "retry-on",
    "retry-grpc-on",
    "max-retries",
    "retriable-status-codes",
    "retriable-header-names",
    "hedge-on-per-try-timeout",
    "upstream-rq-timeout-ms",
    "upstream-rq-per-try-timeout-ms",
    "upstream-rq-timeout-alt-response",
    "upstream-stream-duration-ms",
    "upstream-alt-stat-name",
    "expected-rq-timeout-ms",
    "force-trace",
    "ip-tags",
    "original-url",
    "internal",
)
OF_A_HOP_BEFORE = (
    "decorator-operation",
    "downstream-service-cluster",
    "downstream-service-node",
    "original-host",
    "original-path",
)
ANYBODYS = ("attempt-count", "upstream-service-time", "overloaded", "degraded")


@pytest.mark.parametrize(("config", "stays"), [(INSIDE, (*OF_A_HOP_BEFORE, *ANYBODYS)), (EDGE, ANYBODYS)])
def test_which_of_envoys_headers_stay_where_no_address_is_internal(
    config: dict[str, Any], stays: tuple[str, ...]
) -> None:
    fields = [(f"x-envoy-{name}", "1") for name in (*ENVOYS_COMMANDS, *OF_A_HOP_BEFORE, *ANYBODYS)]
    names = {name for name in apply(config, *fields) if name.startswith(b"x-envoy-")}
    assert names - {b"x-envoy-external-address"} == {f"x-envoy-{name}".encode() for name in stays}


def test_via_and_forwarded_headers_of_others_pass_and_none_is_added() -> None:
    headers = apply(EDGE, ("via", "1.1 other"), ("forwarded", "for=1.2.3.4"))
    assert (headers[b"via"], headers[b"forwarded"]) == (b"1.1 other", b"for=1.2.3.4")
    assert b"via" not in apply(EDGE)
