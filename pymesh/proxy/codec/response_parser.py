"""Bytes of a server -> responses, one for each request that `expect` announced."""

from collections.abc import Callable
from typing import Any, Protocol

from httptools import HttpParserError, HttpResponseParser

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.joined_fields import OF_RESPONSE
from pymesh.proxy.codec.known_head import PATIENCE, KnownHead, note_response
from pymesh.proxy.codec.message import BAD_MESSAGE, MAX_HEAD_BYTES, MAX_HEADERS, CodecError, ResponseHead
from pymesh.proxy.codec.message_parser import MessageParser, RawData, new_header_map

# Of one response, with the final one: Envoy takes any number, but a flood of them is no progress.
MAX_HEADS = 256
UNSOLICITED = CodecError(502, "http1.unsolicited_response")


class ResponseSink(Protocol):
    """Who hears of responses: any number of interim heads, then a head, bodies, the end, or all of this at once. After
    a head of 101 there is no end, only `on_raw_data`."""

    def on_interim_head(self, head: ResponseHead) -> None:
        """1xx, except 101."""

    def on_response_head(self, head: ResponseHead) -> None: ...

    def on_response_body(self, data: bytes) -> None: ...

    def on_response_end(self, trailers: HeaderMap | None) -> None: ...

    def on_response(self, head: ResponseHead, body: bytes, trailers: HeaderMap | None) -> None:
        """One of which the head, the end and at most one piece of a body came in one read, as most do."""

    def on_close_announced(self) -> None:
        """In a trailer: nothing can be read of this connection behind the end, which follows."""

    def on_raw_data(self, data: bytes) -> None: ...


class PiecewiseSink:
    """Mixed into a sink that has no use for a response as a whole."""

    __slots__ = ()

    def on_response(self: Any, head: ResponseHead, body: bytes, trailers: HeaderMap | None) -> None:
        self.on_response_head(head)
        if body:
            self.on_response_body(body)
        self.on_response_end(trailers)


class ResponseParser(MessageParser):
    """One per upstream connection. A head is held until the read ends that brought it, or its response does."""

    __slots__ = ("_head", "_heads_left", "_held_body", "_is_head_request", "_is_interim", "_is_plain", "_wants_upgrade")

    _joined = OF_RESPONSE

    def __init__(self, sink: ResponseSink) -> None:
        super().__init__(sink)
        self._head: ResponseHead | None = None
        self._held_body = b""
        self._heads_left = 0  # how many may still come of the response that is due
        self._is_head_request = False
        self._is_interim = False
        self._is_plain = False  # what was asked for: no answer to a HEAD, whose head looks like any other
        self._wants_upgrade = False
        self._parser = HttpResponseParser(self)

    def feed(self, data: bytes) -> CodecError | None:
        """Parse what came; the sink hears of it. None, or why the server's bytes are not HTTP."""
        known = self._known
        if known is not None:
            text = known.text
            if len(data) == known.size and self._is_plain and self._heads_left and data.startswith(text):
                model = known.head
                self._patience = PATIENCE
                self._heads_left = 0
                headers = new_header_map(HeaderMap)
                headers.update(model.headers)
                head = ResponseHead(model.status, headers, True)
                head.content_length = model.content_length
                self._sink.on_response(head, data[len(text) :], None)
                return None
            self._known = None
        return self._parse_and_note(data)

    def expect(self, method: bytes, wants_upgrade: bool = False) -> None:
        """A request has been sent: one final response is due, and without this none is allowed."""
        self._heads_left = MAX_HEADS
        self._is_head_request = method == b"HEAD"
        self._wants_upgrade = wants_upgrade
        self._is_plain = not wants_upgrade and not self._is_head_request
        if self._is_head_request and not wants_upgrade:
            self._parser = _LineByLine(self._parser, self._is_answered)

    @property
    def is_in_message(self) -> bool:
        """A response, or an interim one, has begun and is not complete."""
        return self._head is not None or self._unaccounted > 0

    def feed_eof(self) -> bool:
        """The server has closed. True if that ended the response properly, and the sink has heard of the end."""
        head = self._head
        if head is None or not head.ends_at_close or self._error is not None:
            return False
        self._complete(None)
        return True

    # llhttp's callbacks

    def on_message_begin(self) -> None:
        # Not only where it is complete: the rest of it would be taken for the answer to the next request.
        if not self._heads_left:
            self._reject(UNSOLICITED)
        self._in_message = True

    def on_headers_complete(self) -> None:
        parser = self._parser
        fields, status = self._fields, parser.get_status_code()
        self._fields = new_header_map(HeaderMap)
        if fields.repeated or len(fields) > MAX_HEADERS or self._unaccounted > MAX_HEAD_BYTES:
            self._check_unusual(fields)
        self._unaccounted = 0
        head = ResponseHead(status, fields, parser.should_keep_alive())
        if status != 200:
            if status < 200:
                return self._on_informational(head)
            if status == 204:
                self._refuse_framing(head)
        length = fields.get(b"content-length")
        if length is not None and b"transfer-encoding" not in fields:
            head.content_length = (
                int(length) if length >= b"1" and len(length) < 19 else self._read_unusual_length(fields, length)
            )
            # A 304 has the length of what it does not bring: llhttp expects no body, whatever stands behind it.
            if self._is_noting and head.keep_alive and self._is_plain and status != 304:
                self._noted = head.copy()
        else:
            self._read_framing(head)
        self._head = head
        self._in_body = True
        if self._is_head_request:
            self._sink.on_response_head(head)
            self._complete_without_body()
        else:
            self._held_head = head
        return None

    def on_body(self, data: bytes) -> None:
        self._unaccounted = 0
        if self._held_head is not None:
            if not self._held_body:
                self._held_body = data
                return
            self._release_head()
        elif self._head is None:
            self._reject(UNSOLICITED)
        self._sink.on_response_body(data)

    def on_message_complete(self) -> None:
        self._unaccounted = 0
        self._in_message = False
        if self._is_interim:
            self._is_interim = False
        elif self._head is not None:
            self._complete(self._end_trailers() if self._fields else None)

    def _complete(self, trailers: HeaderMap | None) -> None:
        self._head = None
        self._in_body = False
        self._heads_left = 0
        head, body = self._held_head, self._held_body
        if head is None:
            self._sink.on_response_end(trailers)
        else:
            self._held_head, self._held_body = None, b""
            self._sink.on_response(head, body, trailers)

    def _release_head(self) -> None:
        """The rest of the response comes later."""
        head, body = self._held_head, self._held_body
        self._held_head, self._held_body = None, b""
        self._sink.on_response_head(head)
        if body:
            self._sink.on_response_body(body)

    def _note(self, data: bytes, head: ResponseHead) -> KnownHead[ResponseHead] | None:
        return note_response(data, head)

    # the rules

    def _is_answered(self) -> bool:
        return not self._heads_left

    def _end_trailers(self) -> HeaderMap | None:
        if not self._parser.should_keep_alive():  # it counts what stands in a trailer
            if self._held_head is not None:
                self._release_head()
            self._sink.on_close_announced()
        return self._take_trailers()

    def _on_informational(self, head: ResponseHead) -> None:
        """RFC 9110 15.2: any number of them before the final response. 101 is final, and must have been asked for."""
        self._is_interim = True
        self._heads_left -= 1
        if head.status < 100 or not self._heads_left:
            self._reject(BAD_MESSAGE)
        self._refuse_framing(head)
        if head.status != 101:
            self._sink.on_interim_head(head)
            return
        if not self._wants_upgrade or not self._parser.should_upgrade():
            self._reject(BAD_MESSAGE)
        self._heads_left = 0
        self._sink.on_response_head(head)

    def _refuse_framing(self, head: ResponseHead) -> None:
        """RFC 9112 6.1, 6.2: of 1xx and 204, which have no body. Who sends it may send a body too."""
        fields = head.headers
        if b"transfer-encoding" in fields or int(fields.get(b"content-length", b"0")):
            self._reject(BAD_MESSAGE)

    def _read_framing(self, head: ResponseHead) -> None:
        """RFC 9112 6.3, where there is no Content-Length."""
        fields = head.headers
        encoding = fields.get(b"transfer-encoding")
        if encoding is not None:
            if encoding.lower() != b"chunked" or (fields.repeated and b"transfer-encoding" in fields.repeated):
                self._reject(BAD_MESSAGE)
            head.is_chunked = True
            # RFC 9112 6.1: framing that a 1.0 server cannot mean. llhttp keeps such a connection only if it is told to.
            if b"connection" in fields and self._parser.get_http_version() != "1.1":
                head.keep_alive = False
        elif self._is_head_request:
            head.keep_alive = self._is_kept_by(fields)  # llhttp waits for a body that only the end would end
        else:
            head.ends_at_close = head.status not in (204, 304)

    def _is_kept_by(self, fields: HeaderMap) -> bool:
        """RFC 9112 9.3."""
        options = fields.get_members(b"connection")
        return b"close" not in options and (self._parser.get_http_version() == "1.1" or b"keep-alive" in options)

    def _complete_without_body(self) -> None:
        """To HEAD, whatever the head says of a body. llhttp does not know the request and waits for one: a fresh parser
        takes over, and what else comes now is refused by `on_body` or as unsolicited."""
        self._parser = HttpResponseParser(self)
        self._complete(None)

    def _on_upgrade(self, rest: bytes) -> CodecError | None:
        self._parser = RawData(self._on_raw_data)
        if rest:
            self._on_raw_data(rest)
        return None

    def _on_raw_data(self, data: bytes) -> None:
        self._unaccounted = 0
        self._sink.on_raw_data(data)


class _LineByLine:
    """In llhttp's place for the answer to a HEAD: llhttp waits for a body there, and swallows the beginning of what is
    none. So it gets nothing of what comes behind the head."""

    __slots__ = (
        "_feed_line",
        "_is_answered",
        "get_http_version",
        "get_status_code",
        "should_keep_alive",
        "should_upgrade",
    )

    def __init__(self, parser: Any, is_answered: Callable[[], bool]) -> None:
        self._feed_line = parser.feed_data
        self._is_answered = is_answered
        self.get_status_code = parser.get_status_code
        self.get_http_version = parser.get_http_version
        self.should_keep_alive = parser.should_keep_alive
        self.should_upgrade = parser.should_upgrade

    def feed_data(self, data: bytes) -> None:
        for line in data.splitlines(keepends=True):
            if not self._is_answered():
                self._feed_line(line)
            elif line.strip(b"\r\n"):  # llhttp skips empty lines too
                raise HttpParserError("bytes behind the answer to a HEAD")
