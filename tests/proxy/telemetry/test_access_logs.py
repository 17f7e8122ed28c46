import asyncio
import gc
import json
import threading

import pytest

from pymesh.errors import DecodeError, UsageError
from pymesh.protojson import Reader
from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.telemetry.access_log_config import EXPRESSION_FILTER, TYPE_URL, AccessLogConfig, decode_access_logs
from pymesh.proxy.telemetry.access_log_format import compile_format, compile_json_format
from pymesh.proxy.telemetry.access_logs import AccessLogs
from pymesh.proxy.telemetry.stream_info import StreamInfo

TEXT = {"text_format_source": {"inline_string": "%REQ(:PATH)%"}}


def decode(log_filter=None, **config):
    message = {"@type": TYPE_URL, "path": "/tmp/x", **config}
    log = {"name": "envoy.access_loggers.file", "typed_config": message}
    reader = Reader({"access_log": [log if log_filter is None else log | {"filter": log_filter}]})
    found = decode_access_logs(reader)
    reader.reject_unread()
    return found


def test_text_and_json_are_read() -> None:
    text = {"text_format_source": {"inline_string": "%PROTOCOL%\n"}, "omit_empty_values": True}
    assert decode(log_format=text) == (AccessLogConfig("/tmp/x", "%PROTOCOL%\n", omits_empty_values=True),)
    fields = {"json_format": {"b": "%PROTOCOL%", "a": 1}, "json_format_options": {"sort_properties": False}}
    assert decode(log_format=fields) == (AccessLogConfig("/tmp/x", json_format='{"a": 1, "b": "%PROTOCOL%"}'),)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"log_format": {}},
        {"log_format": {"json_format": {"a": "%NO_SUCH_THING%"}}},
        {"log_format": {"text_format_source": {"inline_string": "100% sure"}}},
        {"@type": "type.googleapis.com/envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig"},
    ],
)
def test_what_this_proxy_cannot_write_is_refused(config) -> None:
    with pytest.raises(DecodeError):
        decode(**config)


def expression_filter(expression, type_url=EXPRESSION_FILTER):
    config = {"@type": type_url, "expression": expression}
    return {"extension_filter": {"name": "envoy.access_loggers.extension_filters.cel", "typed_config": config}}


def test_an_expression_is_read() -> None:
    (log,) = decode(log_filter=expression_filter("response.code >= 400"), log_format=TEXT)
    assert log.expression == "response.code >= 400"


@pytest.mark.parametrize(
    ("log_filter", "path"),
    [
        ({}, "extension_filter"),
        ({"status_code_filter": {}}, "extension_filter"),
        (expression_filter("response.code >="), "expression"),
        (expression_filter("response.nonsense == 1"), "expression"),
        (expression_filter("x", "type.googleapis.com/google.protobuf.Empty"), "@type"),
    ],
)
def test_a_filter_that_this_proxy_cannot_run_is_refused_by_its_path(log_filter, path) -> None:
    with pytest.raises(DecodeError, match=rf"^access_log\[0\]\.filter\..*{path}"):
        decode(log_filter=log_filter, log_format=TEXT)


def test_only_what_the_expression_is_true_of_is_written(tmp_path, make_info) -> None:
    path, logs = tmp_path / "log", AccessLogs()
    log = logs.get(AccessLogConfig(str(path), "%RESPONSE_CODE%\n", expression="response.code >= 400"))
    assert log is not logs.get(AccessLogConfig(str(path), "%RESPONSE_CODE%\n"))
    for code in (200, 503, 0, 404):
        log._timer = log._timer or NoTimer()
        log.log(make_info(response_code=code))
    log.close()
    assert path.read_text() == "503\n404\n"


class NoTimer:
    def cancel(self) -> None:
        pass


def test_a_value_of_one_operator_has_its_type_and_others_are_text(make_info) -> None:
    headers = HeaderMap([(b"user-agent", b"a\nb\xff")])
    line = compile_json_format(
        {
            "code": "%RESPONSE_CODE%",
            "agent": "%REQ(USER-AGENT)%",
            "none": "%REQ(X-NONE)%",
            "mixed": "%REQ(X-NONE)%/%RESPONSE_CODE%",
            "nested": {"list": ["%PROTOCOL%", True, 1.5, None]},
            "cut": "%PROTOCOL:4%",
        }
    )(make_info(request_headers=headers))
    assert "\n" not in line
    assert json.loads(line) == {
        "code": 200,
        "agent": "a\nb\ufffd",
        "none": None,
        "mixed": "-/200",
        "nested": {"list": ["HTTP/1.1", True, 1.5, None]},
        "cut": "HTTP",
    }


def test_empty_values_are_left_out_on_demand() -> None:
    info = StreamInfo(0.0, 0.0)
    assert compile_json_format({"a": "%PROTOCOL%", "b": {"c": "%ROUTE_NAME%"}}, True)(info) == '{"b":{}}'
    assert compile_format("<%PROTOCOL%>", True)(info) == "<>"


def wait_for_writer() -> None:
    for thread in threading.enumerate():
        if thread.name == "access-log":
            thread.join(5)


async def test_one_path_and_format_is_one_log_until_nobody_holds_it(tmp_path, make_info) -> None:
    path = tmp_path / "log"
    logs, config = AccessLogs(), AccessLogConfig(str(path), "%PROTOCOL%\n")
    log = logs.get(config)
    assert logs.get(config) is log
    log.log(make_info())
    log.flush()
    writer = log.writer
    del log
    gc.collect()
    await asyncio.to_thread(wait_for_writer)
    assert writer.is_closed
    assert path.read_text() == "HTTP/1.1\n"


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path) -> None:
    with pytest.raises(UsageError, match="cannot write the access log"):
        AccessLogs().get(AccessLogConfig(str(tmp_path / "no" / "log"), "x"))
