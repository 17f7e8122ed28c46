"""Bytes of a server -> responses, one for each request that `expect` announced."""

from typing import Any, Protocol

from httptools import HttpResponseParser

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.message import BAD_MESSAGE, MAX_HEAD_BYTES, MAX_HEADERS, CodecError, ResponseHead
from pymesh.proxy.codec.message_parser import MessageParser, RawData, new_header_map

UNSOLICITED = CodecError(502, "http1.unsolicited_response")


class ResponseSink(Protocol):
    """Who hears of responses: any number of interim heads, a head, bodies, the end. After a head of 101 there is no
    end, only `on_raw_data`."""

    def on_interim_head(self, head: ResponseHead) -> None:
        """1xx, except 101."""

    def on_response_head(self, head: ResponseHead) -> None: ...

    def on_response_body(self, data: bytes) -> None: ...

    def on_response_end(self, trailers: HeaderMap | None) -> None: ...

    def on_raw_data(self, data: bytes) -> None: ...


class ResponseParser(MessageParser):
    """One per upstream connection."""

    __slots__ = ("_head", "_is_expected", "_is_head_request", "_is_interim", "_sink", "_wants_upgrade")

    def __init__(self, sink: ResponseSink) -> None:
        super().__init__()
        self._sink: Any = sink
        self._head: ResponseHead | None = None
        self._is_expected = False
        self._is_head_request = False
        self._is_interim = False
        self._wants_upgrade = False
        self._parser = HttpResponseParser(self)

    def expect(self, method: bytes, wants_upgrade: bool = False) -> None:
        """A request has been sent: one final response is due, and without this none is allowed."""
        self._is_expected = True
        self._is_head_request = method == b"HEAD"
        self._wants_upgrade = wants_upgrade

    def feed_eof(self) -> bool:
        """The server has closed. True if that ended the response properly, and the sink has heard of the end."""
        head = self._head
        if head is None or not head.ends_at_close or self._error is not None:
            return False
        self._complete(None)
        return True

    # llhttp's callbacks

    def on_headers_complete(self) -> None:
        parser = self._parser
        fields, status = self._fields, parser.get_status_code()
        self._fields = new_header_map(HeaderMap)
        if fields.repeated or len(fields) > MAX_HEADERS or self._unaccounted > MAX_HEAD_BYTES:
            self._check_limits(fields)
        self._unaccounted = 0
        head = ResponseHead(status, fields, parser.should_keep_alive())
        if not self._is_expected:
            self._reject(UNSOLICITED)
        if status < 200:
            return self._on_informational(head)
        length = fields.get(b"content-length")
        if length is not None and b"transfer-encoding" not in fields:
            head.content_length = int(length)
        else:
            self._read_framing(head)
        self._head = head
        self._in_body = True
        self._sink.on_response_head(head)
        if self._is_head_request:
            self._complete_without_body()
        return None

    def on_body(self, data: bytes) -> None:
        self._unaccounted = 0
        if self._head is None:
            self._reject(UNSOLICITED)
        self._sink.on_response_body(data)

    def on_message_complete(self) -> None:
        self._unaccounted = 0
        if self._is_interim:
            self._is_interim = False
        elif self._head is not None:
            self._complete(self._take_trailers() if self._fields else None)

    def _complete(self, trailers: HeaderMap | None) -> None:
        self._head = None
        self._in_body = False
        self._is_expected = False
        self._sink.on_response_end(trailers)

    # the rules

    def _on_informational(self, head: ResponseHead) -> None:
        """RFC 9110 15.2: any number of them before the final response. 101 is final, and must have been asked for."""
        self._is_interim = True
        if head.status != 101:
            self._sink.on_interim_head(head)
            return
        if not self._wants_upgrade:
            self._reject(BAD_MESSAGE)
        self._is_expected = False
        self._sink.on_response_head(head)

    def _read_framing(self, head: ResponseHead) -> None:
        """RFC 9112 6.3, where there is no Content-Length."""
        fields = head.headers
        encoding = fields.get(b"transfer-encoding")
        if encoding is not None:
            if encoding.lower() != b"chunked" or (fields.repeated and b"transfer-encoding" in fields.repeated):
                self._reject(BAD_MESSAGE)
            head.is_chunked = True
        else:
            head.ends_at_close = head.status not in (204, 304) and not self._is_head_request

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
