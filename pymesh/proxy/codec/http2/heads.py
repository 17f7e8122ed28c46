"""Field lists of HTTP/2 <-> heads and trailers, and what makes a message malformed (RFC 9113 8.1.1 to 8.3).

A proxy must not forward a malformed message (8.1.1): to HTTP/1.1, some of it would be another request.
"""

import re
from collections.abc import Iterable

from hpack import NeverIndexedHeaderTuple

from pymesh.proxy.codec.header_map import HeaderMap, Pair
from pymesh.proxy.codec.joined_fields import OF_REQUEST, OF_RESPONSE
from pymesh.proxy.codec.message import (
    HTTP_2,
    MAX_CONTENT_LENGTH,
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    CodecError,
    RequestHead,
    ResponseHead,
)
from pymesh.proxy.codec.request_parser import AUTHORITY, FRAGMENT, MISSING_HOST
from pymesh.proxy.codec.trailers import drop_forbidden

# Of a stream: it is reset with PROTOCOL_ERROR. All other errors have an answer.
MALFORMED = CodecError(400, "http2.violation.of.messaging.rule")
HEAD_TOO_LARGE = CodecError(431, "http2.headers_too_large")
TOO_MANY_HEADERS = CodecError(431, "http2.too_many_headers")

Fields = Iterable[Pair]

# Stricter than 8.2.1, which would let pass what no field name is (RFC 9110 5.6.2).
_is_name = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+").fullmatch
# RFC 9110 5.5: no control characters, and no blanks around it.
_is_value = re.compile(rb"(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?").fullmatch
_is_method = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_is_path = re.compile(rb"/[!-~\x80-\xff]*").fullmatch
_is_port_given = re.compile(rb".+:\d{1,5}").fullmatch
_is_length = re.compile(rb"\d{1,19}").fullmatch
_is_status = re.compile(rb"[1-9]\d\d").fullmatch

_OF_REQUEST = frozenset((b":method", b":scheme", b":authority", b":path", b":protocol"))
_OF_RESPONSE = frozenset((b":status",))
_OF_TRAILERS: frozenset[bytes] = frozenset()
# 8.2.2
_OF_CONNECTION = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"))
_NOT_SENT = _OF_CONNECTION | {b"host", b"http2-settings"}
# RFC 7541 7.1.3: whoever shares the connection must not find them out by how well they compress.
_SECRET = frozenset((b"authorization", b"proxy-authorization", b"cookie", b"set-cookie"))


class _MalformedError(Exception):
    """Leaves what reads a field list."""


def read_request_head(fields: Fields, is_end: bool) -> RequestHead | CodecError:
    """`is_end`: there is no body. The head says `is_chunked` where there is one whose length nobody knows."""
    try:
        pseudo, headers = _split(fields, _OF_REQUEST)
        head = _read_target(pseudo, headers)
        head.content_length = _read_length(headers, is_end)
    except _MalformedError:
        return MALFORMED
    head.is_chunked = not is_end and head.content_length is None
    if head.upgrade == b"connect":
        head.is_chunked = False
        if head.content_length is not None or is_end:
            return MALFORMED
    if b"host" not in headers:
        return MISSING_HOST
    if b"#" in head.path:
        return FRAGMENT
    return _find_excess(head.path, headers, OF_REQUEST) or head


def read_response_head(fields: Fields, is_end: bool, method: bytes) -> ResponseHead | CodecError:
    """Of a final response, or of an interim one. `method` of its request: HEAD may be told of a body."""
    try:
        pseudo, headers = _split(fields, _OF_RESPONSE)
        status = pseudo.get(b":status", b"")
        if _is_status(status) is None or status == b"101":  # 8.6: there are no upgrades
            return MALFORMED
        head = ResponseHead(int(status), headers, keep_alive=True)
        is_bodiless = method == b"HEAD" or status == b"304"
        head.content_length = _read_length(headers, is_end and not is_bodiless)
    except _MalformedError:
        return MALFORMED
    if head.status < 200:
        if is_end:
            return MALFORMED
        head.content_length = None
        headers.remove(b"content-length")  # RFC 9110 8.6: to HTTP/1.1, there could be a body
    return _find_excess(b"", headers, OF_RESPONSE) or head


def read_trailers(fields: Fields) -> HeaderMap | CodecError | None:
    """None where nothing is left of them that may be forwarded."""
    try:
        _, trailers = _split(fields, _OF_TRAILERS)
    except _MalformedError:
        return MALFORMED
    return _find_excess(b"", trailers, frozenset()) or drop_forbidden(trailers)


def request_fields(method: bytes, scheme: bytes, path: bytes, headers: HeaderMap) -> list[Pair]:
    """What frames HTTP/1.1 is left out; `host` becomes :authority. Of CONNECT there is neither scheme nor path."""
    target = [] if method == b"CONNECT" else [(b":scheme", scheme), (b":path", path)]
    fields = [(b":method", method), *target, (b":authority", headers.get(b"host", b"")), *_sendable(headers)]
    if b"te" in headers:  # 8.2.2: of all that it may list, trailers alone
        fields = [pair for pair in fields if pair[0] != b"te"]
        if b"trailers" in headers.get_members(b"te"):
            fields.append((b"te", b"trailers"))
    return fields


def response_fields(status: int, headers: HeaderMap) -> list[Pair]:
    fields = _sendable(headers)
    if status < 200:  # RFC 9110 8.6
        fields = [pair for pair in fields if pair[0] != b"content-length"]
    return [(b":status", b"%d" % status), *fields]


def trailer_fields(trailers: HeaderMap) -> list[Pair]:
    return _sendable(trailers)


def _sendable(headers: HeaderMap) -> list[Pair]:
    pairs = [pair for pair in headers.pairs() if pair[0] not in _NOT_SENT]
    if _SECRET.isdisjoint(headers):
        return pairs
    return [NeverIndexedHeaderTuple(*pair) if pair[0] in _SECRET else pair for pair in pairs]


def _split(fields: Fields, allowed: frozenset[bytes]) -> tuple[dict[bytes, bytes], HeaderMap]:
    """Pseudo-header fields and the others, all of them checked. `host` is the first of them, as in HTTP/1.1: the
    authority; a Host that says something else is for a smuggler (8.3.1)."""
    pseudo: dict[bytes, bytes] = {}
    headers = HeaderMap()
    is_pseudo = True  # 8.3: they come before all others, each of them once
    for name, value in fields:
        if _is_value(value) is None:
            raise _MalformedError
        if is_pseudo and name in allowed and name not in pseudo:
            pseudo[bytes(name)] = bytes(value)
            if name == b":authority":
                headers[b"host"] = bytes(value)
            continue
        is_pseudo = False
        if _is_name(name) is None or name in _OF_CONNECTION or (name == b"te" and value != b"trailers"):
            raise _MalformedError
        if name == b"cookie" and name in headers:
            headers[b"cookie"] += b"; " + value  # 8.2.3
        elif name != b"host" or name not in headers:
            headers.add(bytes(name), bytes(value))
        elif headers[b"host"].lower() != value.lower():
            raise _MalformedError
    return pseudo, headers


def _read_target(pseudo: dict[bytes, bytes], headers: HeaderMap) -> RequestHead:
    """8.3.1, and 8.5 for CONNECT; :protocol (RFC 8441) is for who was told that he may."""
    method, scheme, path = (pseudo.get(name, b"") for name in (b":method", b":scheme", b":path"))
    if _is_method(method) is None or b":protocol" in pseudo:
        raise _MalformedError
    host = headers.get(b"host")
    if host is not None and AUTHORITY.fullmatch(host) is None:
        raise _MalformedError
    head = RequestHead(method, path, HTTP_2, headers, keep_alive=True)
    if method == b"CONNECT":
        if b":scheme" in pseudo or b":path" in pseudo or _is_port_given(host or b"") is None:
            raise _MalformedError
        head.upgrade = b"connect"
        return head
    head.scheme = scheme.lower()
    if head.scheme not in (b"http", b"https"):
        raise _MalformedError
    if _is_path(path) is None and (path != b"*" or method != b"OPTIONS"):
        raise _MalformedError
    return head


def _read_length(headers: HeaderMap, is_end: bool) -> int | None:
    """8.1.1. Whether it is kept is seen when the body has come."""
    length = headers.get(b"content-length")
    if length is None:
        return None
    if _is_length(length) is None or (headers.repeated and b"content-length" in headers.repeated):
        raise _MalformedError
    value = int(length)
    if value > MAX_CONTENT_LENGTH or (is_end and value):
        raise _MalformedError
    headers[b"content-length"] = b"%d" % value  # 007 may be octal for somebody
    return value


def _find_excess(path: bytes, headers: HeaderMap, joined: frozenset[bytes]) -> CodecError | None:
    """As of HTTP/1.1; then fields of which there is only one line become one."""
    if headers.count() > MAX_HEADERS:
        return TOO_MANY_HEADERS
    if len(path) + sum(len(name) + len(value) + 4 for name, value in headers.pairs()) > MAX_HEAD_BYTES:
        return HEAD_TOO_LARGE
    headers.join(joined)
    return None
