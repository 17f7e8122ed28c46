"""What may stand in the value of a header: no control characters, and only the command operators that proxies know.

A proxy refuses a route configuration with an operator that it does not know, and with it every other route.
https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage#command-operators
"""

import re

from pymesh.control.model.scope import Scope

# As in proxy/routing/formatter.py, which may not be imported here; a test of the simulation holds them together.
OPERATORS = frozenset(
    (
        "DOWNSTREAM_REMOTE_ADDRESS",
        "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
        "DOWNSTREAM_LOCAL_ADDRESS",
        "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
        "DOWNSTREAM_LOCAL_PORT",
        "DOWNSTREAM_PEER_URI_SAN",
        "REQUESTED_SERVER_NAME",
        "PROTOCOL",
        "ROUTE_NAME",
        "UPSTREAM_CLUSTER",
        "RESPONSE_CODE",
        "RESPONSE_CODE_DETAILS",
    )
)
# An operator without its percent signs, a percent sign, or (last) one that stands alone.
_PERCENT = re.compile(r"%%|%([A-Z_]+(?:\([^)]*\)(?::\d+)?)?)%|%")
_HEADER_OPERATOR = re.compile(r"(?:REQ|RESP)\(([^)]+)\)(?::\d+)?")
_CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def check_header_text(value: str, at: Scope) -> None:
    """Of a value, or a part of one, that is sent as it is."""
    at.require(not _CONTROL_CHARACTER.search(value), "must not contain control characters")


def check_header_value(value: str, at: Scope) -> None:
    """Of a value with operators; `%%` is a percent sign."""
    check_header_text(value, at)
    for match in _PERCENT.finditer(value):
        if match[0] == "%%" or match[1] in OPERATORS or (match[1] and _is_header(match[1])):
            continue
        if match[1]:
            at.fail(f"pymesh does not implement the operator {match[0]}")
        else:
            at.fail("has a single '%'; a percent sign is written %%")


def _is_header(operator: str) -> bool:
    """`REQ(A?B)`: header A, or B where A is absent."""
    found = _HEADER_OPERATOR.fullmatch(operator)
    names = found[1].split("?") if found is not None else [":"]
    return all(not name.startswith(":") or name.lower() == ":authority" for name in names)
