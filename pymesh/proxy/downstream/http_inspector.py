"""The http_inspector listener filter: whether a connection's first bytes are those of an HTTP request. Pure.

https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/listener_filters/http_inspector
"""

import re
from typing import NamedTuple

from pymesh.proxy.downstream.client_hello import INCOMPLETE, NotClientHello

TYPE_URL = "type.googleapis.com/envoy.extensions.filters.listener.http_inspector.v3.HttpInspector"

MAX_REQUEST_LINE = 8 * 1024

_HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_METHOD = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # RFC 9110 5.6.2: token
_REQUEST_LINE = re.compile(_METHOD + rb" [^ \r\n]+ HTTP/1\.([01])\r?")
_BEGINNING = re.compile(_METHOD + rb"( ([^ \r\n]+( (H(T(T(P(/(1(\.([01]\r?)?)?)?)?)?)?)?)?)?)?)?")
_LONGEST_METHOD = 32


class HttpPreface(NamedTuple):
    """`protocol` is http/1.0, http/1.1 or h2c."""

    protocol: str


def parse_http_preface(data: bytes) -> HttpPreface | NotClientHello | None:
    """INCOMPLETE: more bytes may still make it one. None: no further byte will."""
    line, newline, _ = data.partition(b"\n")
    if _HTTP2_PREFACE.startswith(data[: len(_HTTP2_PREFACE)]):
        return HttpPreface("h2c") if len(data) >= len(_HTTP2_PREFACE) else INCOMPLETE
    if newline:
        found = _REQUEST_LINE.fullmatch(line)
        return HttpPreface("http/1." + found[1].decode()) if found is not None else None
    if len(data) > MAX_REQUEST_LINE or (b" " not in data[: _LONGEST_METHOD + 1] and len(data) > _LONGEST_METHOD):
        return None
    return INCOMPLETE if _BEGINNING.fullmatch(data) else None
