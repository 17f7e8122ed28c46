"""Bytes of a client -> requests. Closes the holes that llhttp leaves open; a request that passes has one meaning.

RFC 9112; where it leaves a choice, Envoy's.
"""

import re
from typing import Protocol

from httptools import HttpParserError, HttpRequestParser

from pymesh.proxy.codec.first_line import FirstLine
from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.joined_fields import OF_REQUEST
from pymesh.proxy.codec.known_head import PATIENCE, REQUEST_LINE, KnownHead, note_request
from pymesh.proxy.codec.message import (
    BAD_MESSAGE,
    HTTP_10,
    HTTP_11,
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    CodecError,
    RequestHead,
)
from pymesh.proxy.codec.message_parser import MessageParser, RawData, new_header_map

LOW_VERSION = CodecError(426, "low_version")
MISSING_HOST = CodecError(400, "missing_host_header")
BAD_HOST = CodecError(400, "http.invalid_authority")
BAD_TARGET = CodecError(400, "http1.invalid_url")
FRAGMENT = CodecError(400, "path_with_fragment")
BAD_TRANSFER_ENCODING = CodecError(501, "http1.invalid_transfer_encoding")
TRANSFER_ENCODING_ON_10 = CodecError(400, "http1.transfer_encoding_not_allowed")

# host[:port] of RFC 3986: no userinfo, no space, no delimiter that would end an authority.
AUTHORITY = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::\d{0,5})?")
_ABSOLUTE = re.compile(rb"(https?)://([^/?#]+)([/?].*)?", re.IGNORECASE)
_match_line = REQUEST_LINE.fullmatch
_PORT = re.compile(rb"(?::(\d{1,5}))?\Z")
_CODING_REFUSED = re.compile(r"invalid `Transfer-Encoding`|empty Transfer-Encoding", re.IGNORECASE)
# CONNECT is a method: as an upgrade, it would pass for one.
_IGNORED_UPGRADES = (b"", b"h2c", b"connect")


class RequestSink(Protocol):
    """Who hears of requests: a head, then any number of bodies, then the end. After an upgrade only `on_raw_data`."""

    def on_request_head(self, head: RequestHead) -> None: ...

    def on_request_body(self, data: bytes) -> None: ...

    def on_request_end(self, trailers: HeaderMap | None) -> None: ...

    def on_raw_data(self, data: bytes) -> None: ...


class RequestParser(MessageParser):
    """One per downstream connection. `accept_http_10` as in Envoy's http_protocol_options; 426 otherwise."""

    __slots__ = ("_accept_http_10", "_default_host", "_known_host", "_replay", "_target")

    _joined = OF_REQUEST

    def __init__(self, sink: RequestSink, accept_http_10: bool = True, default_host: str = "") -> None:
        """`default_host` is for requests of HTTP/1.0 without a Host."""
        super().__init__(sink)
        self._accept_http_10 = accept_http_10
        self._default_host = default_host.encode()
        self._target = b""
        self._known_host = b""  # the last one that was valid: clients repeat it
        self._replay: bytes | None = None
        self._parser = FirstLine(self, HttpRequestParser(self))

    def feed(self, data: bytes) -> CodecError | None:
        """Parse what came; the sink hears of it. None, or why the client's bytes are not HTTP."""
        known = self._known
        if known is not None:
            start = len(data) - known.size
            if data.startswith(known.text, start) and (line := _match_line(data, 0, start)) is not None:
                self._repeat(known, line, data)
                return None
            self._known = None
        return self._parse_and_note(data)

    def _repeat(self, known: KnownHead[RequestHead], line: re.Match[bytes], data: bytes) -> None:
        """What llhttp would say of a whole message whose head is known but for its first line."""
        model = known.head
        self._patience = PATIENCE
        headers = new_header_map(HeaderMap)
        headers.update(model.headers)
        method, target = line.groups()
        head = RequestHead(method, target, HTTP_11, headers, True)
        head.content_length = model.content_length
        sink = self._sink
        sink.on_request_head(head)
        if body_size := known.size - len(known.text):
            sink.on_request_body(data[-body_size:])
        sink.on_request_end(None)

    @property
    def is_in_head(self) -> bool:
        """A head has begun and is not complete."""
        return not self._in_body and self._unaccounted > 0

    # llhttp's callbacks

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_headers_complete(self) -> None:
        if self._replay is not None:
            return self._on_replayed()
        parser = self._parser
        fields, target = self._fields, self._target
        self._fields, self._target = new_header_map(HeaderMap), b""
        if fields.repeated or len(fields) > MAX_HEADERS or self._unaccounted > MAX_HEAD_BYTES:
            self._check_unusual(fields, target)
        self._unaccounted = 0
        head = RequestHead(parser.get_method(), target, HTTP_11, fields, parser.should_keep_alive())
        if (version := parser.get_http_version()) != "1.1":
            self._check_old_version(version, head)
        if not target.startswith(b"/") or b"#" in target:
            self._check_target(head)
        host = fields.get(b"host")
        if host is None or host != self._known_host or fields.repeated:
            self._check_host(head)
        if b"transfer-encoding" in fields:
            self._check_transfer_encoding(head)
        elif (length := fields.get(b"content-length")) is not None:
            head.content_length = (
                int(length) if length >= b"1" and len(length) < 19 else self._read_unusual_length(fields, length)
            )
        if parser.should_upgrade():
            self._check_upgrade(head)
        elif self._is_noting and head.keep_alive and not head.is_chunked:
            self._noted = head.copy()
        self._in_body = True
        self._sink.on_request_head(head)
        return None

    def on_body(self, data: bytes) -> None:
        self._unaccounted = 0
        self._sink.on_request_body(data)

    def on_message_complete(self) -> None:
        self._in_message = False
        if self._replay is not None:
            return
        self._unaccounted = 0
        self._in_body = False
        self._sink.on_request_end(self._take_trailers() if self._fields else None)

    def _note(self, data: bytes, head: RequestHead) -> KnownHead[RequestHead] | None:
        return note_request(data, head)

    # the rules

    def _check_old_version(self, version: str, head: RequestHead) -> None:
        if version != "1.0" or not self._accept_http_10:
            self._reject(LOW_VERSION)
        head.version = HTTP_10
        if b"transfer-encoding" in head.headers:
            self._reject(TRANSFER_ENCODING_ON_10)  # RFC 9112 6.1: framing that a 1.0 hop cannot know
        if b"proxy-connection" in head.headers:  # llhttp takes it for another name of Connection
            wants_more = b"keep-alive" in head.headers.get_members(b"connection")
            head.keep_alive = wants_more and b"close" not in head.headers.get_members(b"proxy-connection")

    def _check_target(self, head: RequestHead) -> None:
        """Absolute form, `*`, and the authority form of CONNECT (RFC 9112 3.2)."""
        target = head.path
        if b"#" in target:
            self._reject(FRAGMENT)
        if head.method == b"CONNECT":
            if not 0 < int(_PORT.search(target)[1] or 0) < 65536:  # type: ignore[index]  # it always matches
                self._reject(BAD_TARGET)  # RFC 9110 9.3.6
            self._take_authority(head, target, b"")
            return
        if target == b"*":
            if head.method != b"OPTIONS":
                self._reject(BAD_TARGET)
            return
        match = _ABSOLUTE.fullmatch(target)
        if match is None:
            self._reject(BAD_TARGET)
        head.scheme = match[1].lower()
        path = match[3] or b"/"
        self._take_authority(head, match[2], path if path.startswith(b"/") else b"/" + path)

    def _take_authority(self, head: RequestHead, authority: bytes, path: bytes) -> None:
        """RFC 9112 3.2.2: the target's authority replaces Host, which still may not be there twice."""
        if AUTHORITY.fullmatch(authority) is None or not authority:
            self._reject(BAD_TARGET)
        if head.headers.repeated and b"host" in head.headers.repeated:
            self._reject(BAD_HOST)
        head.headers.set(b"host", authority)
        head.path = path

    def _check_host(self, head: RequestHead) -> None:
        host = head.headers.get(b"host")
        if host is None and head.version is HTTP_10 and self._default_host:
            host = head.headers[b"host"] = self._default_host
        if host is None:
            self._reject(MISSING_HOST)
        if head.headers.repeated and b"host" in head.headers.repeated:
            self._reject(BAD_HOST)  # RFC 9112 3.2: more than one Host -> 400
        if AUTHORITY.fullmatch(host) is None:
            self._reject(BAD_HOST)
        self._known_host = host

    def _check_transfer_encoding(self, head: RequestHead) -> None:
        """RFC 9112 6.3. llhttp has refused it together with Content-Length, and a Content-Length that is no number or
        there twice. A coding that we do not know would leave the end of the body to guesswork."""
        fields = head.headers
        if fields[b"transfer-encoding"].lower() != b"chunked" or len(fields.get_all(b"transfer-encoding")) > 1:
            self._reject(BAD_TRANSFER_ENCODING)
        head.is_chunked = True

    def _check_upgrade(self, head: RequestHead) -> None:
        """llhttp has stopped at the end of the head, for CONNECT and for `Connection: upgrade`.

        RFC 9110 7.8 lets a server ignore an upgrade: h2c, as Envoy does, and one with a body, whose end would be in
        doubt; it makes a server ignore one of HTTP/1.0.
        """
        if head.method == b"CONNECT":
            if head.has_body or head.path:  # a target of `/x` looks like an ordinary one until here
                self._reject(BAD_MESSAGE)
            head.upgrade = b"connect"
            return
        upgrade = (head.headers.get_joined(b"upgrade") or b"").strip().lower()
        if upgrade in _IGNORED_UPGRADES or head.has_body or head.version is HTTP_10:
            self._replay = _framing_head(head)
        else:
            head.upgrade = upgrade

    # after llhttp stopped

    def _fail(self, error: HttpParserError) -> CodecError:
        """RFC 9112 6.1: 501 for a coding that we do not know. llhttp tells it by its words only."""
        if self._error is None and not self._in_body and _CODING_REFUSED.search(str(error)):
            self._error = BAD_TRANSFER_ENCODING
        return super()._fail(error)

    def _on_upgrade(self, rest: bytes) -> CodecError | None:
        if self._replay is not None:
            self._parser = HttpRequestParser(self)
            error = self._parse(self._replay)
            return error or self._parse(rest)
        self._parser = RawData(self._on_raw_data)
        if rest:
            self._on_raw_data(rest)
        return None

    def _on_raw_data(self, data: bytes) -> None:
        self._unaccounted = 0
        self._sink.on_raw_data(data)

    def _on_replayed(self) -> None:
        """The head that only brings a fresh llhttp to the body of a request whose upgrade is ignored."""
        self._replay = None
        self._fields = new_header_map(HeaderMap)
        self._target = b""
        self._unaccounted = 0


def _framing_head(head: RequestHead) -> bytes:
    framing = b"transfer-encoding: chunked" if head.is_chunked else b"content-length: %d" % (head.content_length or 0)
    return b"POST / HTTP/1.1\r\nhost: a\r\n%b\r\n\r\n" % framing
