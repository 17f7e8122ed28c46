"""The operators of access log formats that a proxy obeys, and Istio's formats.

The control plane refuses what a proxy could not compile; the proxy compiles it.
https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage#command-operators
"""

import re
from math import isfinite
from typing import Any

# Istio: EnvoyTextLogFormat and EnvoyJSONLogFormatIstio in pilot/pkg/model/telemetry_logging.go. No line end.
ISTIO_TEXT_FORMAT = (
    '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% '
    "%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "
    '"%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% '
    '%DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" '
    '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% '
    "%UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% "
    "%REQUESTED_SERVER_NAME% %ROUTE_NAME%"
)
ISTIO_JSON_FORMAT = {
    "authority": "%REQ(:AUTHORITY)%",
    "bytes_received": "%BYTES_RECEIVED%",
    "bytes_sent": "%BYTES_SENT%",
    "connection_termination_details": "%CONNECTION_TERMINATION_DETAILS%",
    "downstream_local_address": "%DOWNSTREAM_LOCAL_ADDRESS%",
    "downstream_remote_address": "%DOWNSTREAM_REMOTE_ADDRESS%",
    "duration": "%DURATION%",
    "method": "%REQ(:METHOD)%",
    "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "protocol": "%PROTOCOL%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "requested_server_name": "%REQUESTED_SERVER_NAME%",
    "response_code": "%RESPONSE_CODE%",
    "response_code_details": "%RESPONSE_CODE_DETAILS%",
    "response_flags": "%RESPONSE_FLAGS%",
    "route_name": "%ROUTE_NAME%",
    "start_time": "%START_TIME%",
    "upstream_cluster": "%UPSTREAM_CLUSTER_RAW%",
    "upstream_host": "%UPSTREAM_HOST%",
    "upstream_local_address": "%UPSTREAM_LOCAL_ADDRESS%",
    "upstream_service_time": "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
    "upstream_transport_failure_reason": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
    "user_agent": "%REQ(USER-AGENT)%",
    "x_forwarded_for": "%REQ(X-FORWARDED-FOR)%",
}

OPERATOR = re.compile(r"%(?:(?P<name>[A-Z0-9_]+)(?:\((?P<argument>[^)]*)\))?(?::(?P<length>\d{1,9}))?)?%")

MAX_DEPTH = 16  # of objects in a JSON format

PSEUDO_HEADERS = frozenset({":METHOD", ":PATH", ":AUTHORITY"})
HEADER_OPERATORS = frozenset({"REQ", "RESP"})
OPERATORS = frozenset(
    {
        *("START_TIME", "PROTOCOL", "RESPONSE_CODE", "RESPONSE_FLAGS", "RESPONSE_CODE_DETAILS"),
        *("CONNECTION_TERMINATION_DETAILS", "UPSTREAM_TRANSPORT_FAILURE_REASON", "BYTES_RECEIVED", "BYTES_SENT"),
        *("DURATION", "UPSTREAM_HOST", "UPSTREAM_CLUSTER", "UPSTREAM_CLUSTER_RAW", "UPSTREAM_LOCAL_ADDRESS"),
        *("DOWNSTREAM_LOCAL_ADDRESS", "DOWNSTREAM_REMOTE_ADDRESS", "REQUESTED_SERVER_NAME", "ROUTE_NAME", "TRACE_ID"),
        *("UPSTREAM_REQUEST_ATTEMPT_COUNT", "DOWNSTREAM_PEER_URI_SAN", "UPSTREAM_PEER_URI_SAN"),
    }
)


def check_text_format(text: str) -> None:
    """Raises ValueError where no proxy could compile it."""
    position = 0
    for match in OPERATOR.finditer(text):
        check_literal(text[position : match.start()])
        position = match.end()
        if match["name"] is not None:
            check_operator(match)
    check_literal(text[position:])


def check_json_format(value: Any, depth: int = 0) -> None:
    """Of a google.protobuf.Struct, and of what is in it. Raises ValueError."""
    if depth > MAX_DEPTH:
        raise ValueError(f"access log format: more than {MAX_DEPTH} levels")
    if isinstance(value, str):
        check_text_format(value)
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            check_json_format(item, depth + 1)
    elif not (value is None or isinstance(value, int) or (isinstance(value, float) and isfinite(value))):
        raise ValueError(f"access log format: {value!r} is no value of JSON")


def check_literal(text: str) -> None:
    if "%" in text:
        raise ValueError(f"access log format: {text.strip()!r} has a % that begins no operator")


def check_operator(match: re.Match[str]) -> None:
    """`match` is OPERATOR's, and has a name."""
    name, argument = match["name"], match["argument"]
    if name in HEADER_OPERATORS and argument:
        for header in argument.split("?"):
            _check_header(name, header.strip())
    elif name not in OPERATORS or argument is not None:
        raise ValueError(f"access log format: {match[0]} is not an operator of this proxy")


def _check_header(operator: str, name: str) -> None:
    if name.startswith(":") and (operator != "REQ" or name.upper() not in PSEUDO_HEADERS):
        raise ValueError(f"access log format: there is no {name}")
