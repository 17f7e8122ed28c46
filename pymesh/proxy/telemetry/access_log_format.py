"""Envoy's access log formats, compiled to one function of a StreamInfo. No IO.

A format becomes one expression, evaluated as dataclass does with its methods: a list of closures costs 2 us more a
line. Only the expressions in this file and header names in quotes get into it.

https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage
"""

import json
import re
import time
from collections.abc import Callable
from typing import Any

from pymesh.access_log_operators import ISTIO_TEXT_FORMAT, OPERATOR, check_json_format, check_literal, check_operator
from pymesh.proxy.telemetry.stream_info import StreamInfo

Format = Callable[[StreamInfo], str]

# Bytes that are not UTF-8 survive in text: the writer encodes with the same error handler.
ENCODING_ERRORS = "surrogateescape"

_NO_HEADERS: dict[bytes, bytes] = {}

# ABSENT stands for what is written where there is no value, ERRORS for what becomes of bytes that are no text.
_DECODED = "(v.decode('utf-8', ERRORS) if (v := %s) else ABSENT)"
_EXPRESSIONS = {
    "START_TIME": "start_time(info.start_time)",
    "PROTOCOL": _DECODED % "info.protocol",
    "RESPONSE_CODE": "info.response_code",
    "RESPONSE_FLAGS": "(','.join(v) if (v := info.response_flags) else '-')",
    "RESPONSE_CODE_DETAILS": "(v.replace(' ', '_') if (v := info.response_code_details) else ABSENT)",
    "CONNECTION_TERMINATION_DETAILS": "(info.connection_termination_details or ABSENT)",
    "UPSTREAM_TRANSPORT_FAILURE_REASON": "(info.upstream_transport_failure_reason or ABSENT)",
    "BYTES_RECEIVED": "info.bytes_received",
    "BYTES_SENT": "info.bytes_sent",
    "DURATION": "int((info.end - info.start) * 1000)",
    "UPSTREAM_HOST": "(ABSENT if (v := info.upstream_host) is None else v.address)",
    "UPSTREAM_CLUSTER": "(info.upstream_cluster or ABSENT)",
    "UPSTREAM_CLUSTER_RAW": "(info.upstream_cluster or ABSENT)",
    "UPSTREAM_LOCAL_ADDRESS": "(info.upstream_local_address or ABSENT)",
    "UPSTREAM_REQUEST_ATTEMPT_COUNT": "info.attempt_count",
    "UPSTREAM_PEER_URI_SAN": "(info.upstream_principal or ABSENT)",
    "DOWNSTREAM_LOCAL_ADDRESS": "(info.downstream_local_address or ABSENT)",
    "DOWNSTREAM_REMOTE_ADDRESS": "(info.downstream_remote_address or ABSENT)",
    "DOWNSTREAM_PEER_URI_SAN": "(info.downstream_principal or ABSENT)",
    "REQUESTED_SERVER_NAME": "(info.requested_server_name or ABSENT)",
    "ROUTE_NAME": "(info.route_name or ABSENT)",
    "TRACE_ID": "(info.trace_id or ABSENT)",
}
_PSEUDO_HEADERS = {":METHOD": "info.method", ":PATH": "info.path", ":AUTHORITY": "req(b'host')"}


def compile_format(text: str, omits_empty_values: bool = False) -> Format:
    """The function that makes a line, without its end; an absent value is `-`, or nothing. Raises ValueError."""
    absent = "" if omits_empty_values else "-"
    line = _evaluate(_text_expression(text.removesuffix("\n"), absent, ENCODING_ERRORS))
    no_headers = _NO_HEADERS.get

    def format_line(info: StreamInfo) -> str:
        request, response = info.request_headers, info.response_headers
        text: str = line(
            info,
            request.get if request is not None else no_headers,
            response.get if response is not None else no_headers,
        )
        # One line a stream, whatever an OpenSSL error or a route's name has in it.
        return text if "\n" not in text else text.replace("\n", "\\n")

    return format_line


def compile_json_format(fields: dict[str, Any], omits_empty_values: bool = False) -> Format:
    """A line is a JSON object, keys in order. A value that is one operator has the operator's type, and is null, or
    left out, where it is absent. Raises ValueError."""
    check_json_format(fields)
    line = _evaluate(_json_expression(fields))
    prepare = _without_nulls if omits_empty_values else None
    encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
    no_headers = _NO_HEADERS.get

    def format_line(info: StreamInfo) -> str:
        request, response = info.request_headers, info.response_headers
        value = line(
            info,
            request.get if request is not None else no_headers,
            response.get if response is not None else no_headers,
        )
        return encode(value if prepare is None else prepare(value))

    return format_line


def _json_expression(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + "".join(f"{key!r}: {_json_expression(value[key])}, " for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + "".join(f"{_json_expression(item)}, " for item in value) + "]"
    if not isinstance(value, str):
        return repr(value)
    match = OPERATOR.fullmatch(value)
    if match is not None and match["name"] is not None:
        return _expression(match, None, "replace")
    return _text_expression(value, "-", "replace")


def _without_nulls(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _without_nulls(item) for key, item in value.items() if item is not None}


def _text_expression(text: str, absent: str, errors: str) -> str:
    template, expressions, position = "", [], 0
    for match in OPERATOR.finditer(text):
        template += _literal(text[position : match.start()])
        position = match.end()
        if match["name"] is None:
            template += "%%"
        else:
            template += "%s"
            expressions.append(_expression(match, absent, errors))
    template += _literal(text[position:])
    return f"({template!r} % (" + "".join(f"{expression}, " for expression in expressions) + "))"


def _evaluate(expression: str) -> Callable[[StreamInfo, Any, Any], Any]:
    names: dict[str, Any] = {"__builtins__": {"int": int, "str": str}, "start_time": _StartTime()}
    line: Callable[[StreamInfo, Any, Any], Any] = eval(f"lambda info, req, resp: {expression}", names)
    return line


def _literal(text: str) -> str:
    check_literal(text)
    return text


def _expression(match: re.Match[str], absent: str | None, errors: str) -> str:
    check_operator(match)
    name, length = match["name"], match["length"]
    if name in _EXPRESSIONS:
        expression = _EXPRESSIONS[name]
    else:
        found = " or ".join(_header(name.lower(), header.strip()) for header in match["argument"].split("?"))
        expression = _DECODED % f"({found})"
    expression = expression.replace("ABSENT", repr(absent)).replace("ERRORS", repr(errors))
    return expression if length is None else f"(None if (w := {expression}) is None else str(w)[:{length}])"


def _header(get: str, name: str) -> str:
    return _PSEUDO_HEADERS[name.upper()] if name.startswith(":") else f"{get}({name.lower().encode()!r})"


class _StartTime:
    """`2026-01-31T12:00:00.123Z`; the second's text is kept for the lines of the same second."""

    def __init__(self) -> None:
        self._second = -1
        self._prefix = ""

    def __call__(self, seconds: float) -> str:
        milliseconds = int(seconds * 1000.0)
        second = milliseconds // 1000
        if second != self._second:
            self._second = second
            self._prefix = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second))
        return f"{self._prefix}{milliseconds % 1000:03d}Z"


__all__ = ["ENCODING_ERRORS", "ISTIO_TEXT_FORMAT", "Format", "compile_format", "compile_json_format"]
