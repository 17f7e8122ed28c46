"""What expressions see of a stream."""

import pytest

from pymesh.cel import ATTRIBUTES, METRIC_ATTRIBUTES
from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.telemetry.attributes import compile_predicate, compile_value
from pymesh.proxy.telemetry.stream_info import StreamInfo
from pymesh.proxy.telemetry.workload import Workload


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("request.path", "/pay?amount=3"),
        ("request.url_path", "/pay"),
        ("request.query", "amount=3"),
        ("request.host", "payment.shop"),
        ("request.method", "GET"),
        ("request.scheme", "http"),
        ("request.protocol", "HTTP/1.1"),
        ("request.id", "6d1c"),
        ("request.useragent", "u"),
        ("request.referer", None),
        ("request.size", 0),
        ("request.duration > duration('7ms') && request.duration < duration('8ms')", True),
        ("string(request.time)", "2026-09-21T14:13:20.500Z"),
        ("request.headers_bytes", 55),
        ("response.code", 200),
        ("response.code_details", "via_upstream"),
        ("response.size", 1024),
        ("response.total_size", 1024 + 34),
        ("response.flags", 0),
        ("response.grpc_status", None),
        ("connection.mtls", False),
        ("connection.requested_server_name", ""),
        ("connection.uri_san_peer_certificate", None),
        ("source.address", "127.0.0.1:40000"),
        ("destination.port", 15001),
        ("upstream.address", "127.0.0.1:9001"),
        ("upstream.port", 9001),
        ("upstream.uri_san_peer_certificate", "spiffe://cluster.local/ns/shop/sa/payment"),
        ("xds.cluster_name", "outbound|80|v2|payment.shop.svc.cluster.local"),
        ("xds.route_name", "default"),
        ("filter_state.upstream_peer.workload", "payment-v2"),
        ("'downstream_peer' in filter_state", False),
    ],
)
def test_attributes_are_those_of_the_stream(make_info, text, value) -> None:
    assert compile_value(text)(make_info()) == value


def test_every_attribute_can_be_read_of_a_stream_of_which_nothing_is_known() -> None:
    info = StreamInfo(0.0, 0.0)
    for root, names in METRIC_ATTRIBUTES.items():
        for name in names:
            assert compile_value(f"has({root}.{name})", METRIC_ATTRIBUTES)(info) in (True, False), f"{root}.{name}"


def test_headers_have_no_case_and_repeated_ones_are_joined(make_info) -> None:
    headers = HeaderMap([(b"host", b"h"), (b"x-tag", b"a"), (b"x-tag", b"b")])
    info = make_info(request_headers=headers)
    for text in ("request.headers['x-tag']", 'request.headers["X-Tag"]', "request.headers['x-' + 'tag']"):
        assert compile_value(text)(info) == "a,b", text
    assert compile_value("request.headers[':path'] + request.headers[':authority']")(info) == "/pay?amount=3h"
    assert compile_value("response.headers[':status']")(info) == "200"
    assert compile_value("'x-none' in request.headers")(info) is False


@pytest.mark.parametrize(
    ("text", "is_logged"),
    [
        ("response.code == 503", True),
        ("response.flags == 64", True),  # UC
        ("request.headers['x-none'] == ''", False),  # an error, not an empty text
        ("request.headers['x-none'] == '' || response.code > 0", True),
        ("response.code", False),  # no boolean
        ("response.code + 'a' == 'b'", False),
        ("'b' in metadata.filter_metadata['a'] && metadata.filter_metadata['a']['b'] == 'c'", True),
        ("connection.mtls && filter_state.downstream_peer.namespace == 'default'", True),
    ],
)
def test_only_true_is_true(make_info, text, is_logged) -> None:
    info = make_info(
        response_code=503,
        response_flags=("UC",),
        downstream_principal="spiffe://a/ns/default/sa/web",
        downstream_peer=Workload("web-v1", "default", "web", "v1", "c"),
        dynamic_metadata={"a": {"b": "c"}},
    )
    assert compile_predicate(text)(info) is is_logged


def test_a_tcp_connection_has_no_request(make_info) -> None:
    info = make_info(request_headers=None, response_headers=None, response_code=0)
    assert [
        name for name in ATTRIBUTES["request"] if compile_value(f"has(request.{name})")(info) and name != "headers"
    ] != []
    assert compile_value("has(request.path) || has(request.method) || has(response.code)")(info) is False
    assert compile_value("response.size")(info) == 1024
