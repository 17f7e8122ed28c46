from collections.abc import Callable

import pytest

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.telemetry.access_log_format import ISTIO_TEXT_FORMAT, compile_format
from pymesh.proxy.telemetry.stream_info import StreamInfo

Make = Callable[..., StreamInfo]


def test_the_default_format_is_istio_s(make_info: Make) -> None:
    info = make_info(requested_server_name="outbound_.80_.v2_.payment.shop.svc.cluster.local")
    assert compile_format(ISTIO_TEXT_FORMAT)(info) == (
        '[2026-09-21T14:13:20.500Z] "GET /pay?amount=3 HTTP/1.1" 200 - via_upstream - "-" 0 1024 7 6 "-" "u" "6d1c" '
        '"payment.shop" "127.0.0.1:9001" outbound|80|v2|payment.shop.svc.cluster.local 127.0.0.1:50000 '
        "127.0.0.1:15001 127.0.0.1:40000 outbound_.80_.v2_.payment.shop.svc.cluster.local default"
    )


def test_a_tcp_connection_that_failed_has_dashes() -> None:
    info = StreamInfo(0.0, 0.0)
    info.response_flags = ("UF", "URX")
    assert compile_format(ISTIO_TEXT_FORMAT)(info) == (
        '[1970-01-01T00:00:00.000Z] "- - -" 0 UF,URX - - "-" 0 0 0 - "-" "-" "-" "-" "-" - - - - - -'
    )


def test_the_path_before_a_rewrite_is_logged(make_info: Make) -> None:
    headers = HeaderMap([(b"x-envoy-original-path", b"/before")])
    line = compile_format("%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%")(make_info(request_headers=headers, path=b"/after"))
    assert line == "/before"


def test_literals_braces_quotes_percents_and_lengths_survive(make_info: Make) -> None:
    line = compile_format("""{"a": '%REQ(HOST):3%', 100%%, \\n %PROTOCOL%}""")(make_info())
    assert line == """{"a": 'pay', 100%, \\n HTTP/1.1}"""


def test_bytes_that_are_not_utf_8_are_written_as_they_came(make_info: Make) -> None:
    line = compile_format("%REQ(USER-AGENT)%")(make_info(request_headers=HeaderMap([(b"user-agent", b"\xff\xc3\xa9")])))
    assert line.encode("utf-8", "surrogateescape") == b"\xff\xc3\xa9"


def test_a_stream_is_one_line_whatever_is_in_its_fields(make_info: Make) -> None:
    info = make_info(upstream_transport_failure_reason="TLS_error:\nforged", response_code_details="no route")
    assert compile_format("%UPSTREAM_TRANSPORT_FAILURE_REASON% %RESPONSE_CODE_DETAILS%")(info) == (
        "TLS_error:\\nforged no_route"
    )


def test_the_second_and_the_milliseconds_advance() -> None:
    line = compile_format("%START_TIME%")
    times = [line(StreamInfo(0.0, seconds)) for seconds in (1.25, 1.5, 2.0)]
    assert times == ["1970-01-01T00:00:01.250Z", "1970-01-01T00:00:01.500Z", "1970-01-01T00:00:02.000Z"]


@pytest.mark.parametrize("text", ["%NO_SUCH_THING%", "%REQ%", "100% of", "%REQ(:NOPE)%", "%START_TIME(%s)%", "%REQ()%"])
def test_a_bad_format_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="access log format"):
        compile_format(text)
