"""Envoy's access log format strings, compiled to one function of a StreamInfo. No IO.

A format becomes one expression, `template % (...)`, evaluated as dataclass does with its methods: a list of closures
costs 2 us more a line. Only the expressions in this file and header names in quotes get into it.

https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage
"""

import re
import time
from collections.abc import Callable
from typing import Any

from pymesh.proxy.telemetry.stream_info import StreamInfo

Format = Callable[[StreamInfo], str]

# Istio: EnvoyTextLogFormat in pilot/pkg/model/telemetry_logging.go, without its line end.
ISTIO_TEXT_FORMAT = (
    '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% '
    "%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "
    '"%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% '
    '%DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" '
    '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% '
    "%UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% "
    "%REQUESTED_SERVER_NAME% %ROUTE_NAME%"
)

# Bytes that are not UTF-8 survive: the writer encodes with the same error handler.
ENCODING_ERRORS = "surrogateescape"
_DECODED_OR_DASH = f"(v.decode('utf-8', '{ENCODING_ERRORS}') if (v := %s) else '-')"

_OPERATOR = re.compile(r"%(?:(?P<name>[A-Z0-9_]+)(?:\((?P<argument>[^)]*)\))?(?::(?P<length>\d+))?)?%")

_EXPRESSIONS = {
    "START_TIME": "start_time(info.start_time)",
    "PROTOCOL": _DECODED_OR_DASH % "info.protocol",
    "RESPONSE_CODE": "info.response_code",
    "RESPONSE_FLAGS": "(','.join(v) if (v := info.response_flags) else '-')",
    "RESPONSE_CODE_DETAILS": "(v.replace(' ', '_') if (v := info.response_code_details) else '-')",
    "CONNECTION_TERMINATION_DETAILS": "(info.connection_termination_details or '-')",
    "UPSTREAM_TRANSPORT_FAILURE_REASON": "(info.upstream_transport_failure_reason or '-')",
    "BYTES_RECEIVED": "info.bytes_received",
    "BYTES_SENT": "info.bytes_sent",
    "DURATION": "int((info.end - info.start) * 1000)",
    "UPSTREAM_HOST": "('-' if (v := info.upstream_host) is None else v.address)",
    "UPSTREAM_CLUSTER": "(info.upstream_cluster or '-')",
    "UPSTREAM_CLUSTER_RAW": "(info.upstream_cluster or '-')",
    "UPSTREAM_LOCAL_ADDRESS": "(info.upstream_local_address or '-')",
    "DOWNSTREAM_LOCAL_ADDRESS": "(info.downstream_local_address or '-')",
    "DOWNSTREAM_REMOTE_ADDRESS": "(info.downstream_remote_address or '-')",
    "REQUESTED_SERVER_NAME": "(info.requested_server_name or '-')",
    "ROUTE_NAME": "(info.route_name or '-')",
    "TRACE_ID": "(info.trace_id or '-')",
}
_PSEUDO_HEADERS = {":METHOD": "info.method", ":PATH": "info.path", ":AUTHORITY": "req(b'host')"}


def compile_format(text: str) -> Format:
    """The function that makes a line, without its end; an absent value is `-`. Raises ValueError."""
    template, expressions, position = "", [], 0
    for match in _OPERATOR.finditer(text):
        template += _literal(text[position : match.start()])
        position = match.end()
        if match["name"] is None:
            template += "%%"
        else:
            template += "%s"
            expressions.append(_expression(match))
    names: dict[str, Any] = {"__builtins__": {"int": int, "str": str}, "start_time": _StartTime()}
    names["template"] = template + _literal(text[position:])
    line: Callable[[StreamInfo, Any, Any], str] = eval(_source(expressions), names)
    return _bind_headers(line)


def _source(expressions: list[str]) -> str:
    return "lambda info, req, resp: template % (" + "".join(f"{expression}, " for expression in expressions) + ")"


def _bind_headers(line: Callable[[StreamInfo, Any, Any], str]) -> Format:
    nothing: dict[bytes, bytes] = {}

    def format_line(info: StreamInfo) -> str:
        request, response = info.request_headers, info.response_headers
        text = line(
            info,
            request.get if request is not None else nothing.get,
            response.get if response is not None else nothing.get,
        )
        # One line a stream, whatever an OpenSSL error or a route's name has in it.
        return text if "\n" not in text else text.replace("\n", "\\n")

    return format_line


def _literal(text: str) -> str:
    if "%" in text:
        raise ValueError(f"access log format: {text.strip()!r} has a % that begins no operator")
    return text


def _expression(match: re.Match[str]) -> str:
    name, argument, length = match["name"], match["argument"], match["length"]
    if name in ("REQ", "RESP") and argument:
        found = " or ".join(_header(name.lower(), header.strip()) for header in argument.split("?"))
        expression = _DECODED_OR_DASH % f"({found})"
    elif name in _EXPRESSIONS and argument is None:
        expression = _EXPRESSIONS[name]
    else:
        raise ValueError(f"access log format: {match[0]} is not an operator of this proxy")
    return expression if length is None else f"str({expression})[:{length}]"


def _header(get: str, name: str) -> str:
    if name.startswith(":"):
        if get == "req" and name.upper() in _PSEUDO_HEADERS:
            return _PSEUDO_HEADERS[name.upper()]
        raise ValueError(f"access log format: there is no {name}")
    return f"{get}({name.lower().encode()!r})"


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
