"""One request on an HTTP/2 connection, and its response: what HttpConnection is for its only one."""

import logging
from typing import Any

from h2.errors import ErrorCodes

from pymesh.proxy.codec.header_map import HeaderMap, Pair
from pymesh.proxy.codec.http2.stream import SessionStream
from pymesh.proxy.codec.message import ResponseHead
from pymesh.proxy.upstream.endpoint import Endpoint
from pymesh.proxy.upstream.failure import (
    INTERNAL_ERROR,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    REMOTE_RESET,
    UpstreamFailure,
)

log = logging.getLogger(__name__)


class Http2Stream:
    """Between `start` and the end it belongs to one Exchange, which hears of all that came with one read at its end."""

    __slots__ = (
        "_body",
        "_connection",
        "_failure",
        "_has_head",
        "_head",
        "_interim_heads",
        "_is_ended",
        "_stream",
        "_trailers",
        "exchange",
    )

    out: tuple[bytes, ...] = ()  # what is sent waits in the session
    is_reused = False  # who is refused hears of it
    request_sent = False  # a response that nobody wants is reset, and costs the connection nothing

    def __init__(self, connection: Any) -> None:
        self.exchange: Any = None
        self._connection = connection
        self._stream: SessionStream | None = None
        self._has_head = False
        # of the read that is going on
        self._interim_heads: list[ResponseHead] | None = None
        self._head: ResponseHead | None = None
        self._body: list[bytes] = []
        self._is_ended = False
        self._trailers: HeaderMap | None = None
        self._failure: UpstreamFailure | None = None

    def __repr__(self) -> str:
        return f"<Http2Stream {self._stream!r} of {self._connection!r}>"

    @property
    def endpoint(self) -> Endpoint:
        endpoint: Endpoint = self._connection.endpoint
        return endpoint

    @property
    def principal(self) -> str:
        principal: str = self._connection.principal
        return principal

    @property
    def local_address(self) -> str:
        address: str = self._connection.local_address
        return address

    @property
    def is_closed(self) -> bool:
        is_closed: bool = self._connection.is_closed
        return is_closed

    # for the exchange

    def start(self, exchange: Any, fields: list[Pair], is_complete: bool) -> None:
        """Send a request's head, `fields` of `heads.request_fields`. `is_complete`: no body follows."""
        self.exchange = exchange
        self._stream = self._connection.session.open_stream(self, fields, is_complete)
        if is_complete:
            self._connection.flush()

    def send_body(self, data: bytes) -> None:
        if self._stream is not None:
            self._stream.send_body(data)

    def send_end(self, trailers: HeaderMap | None) -> None:
        if self._stream is not None:
            self._stream.send_end(trailers)

    @property
    def pending_bytes(self) -> int:
        """Of the body, that the server does not take yet."""
        return self._stream.pending_bytes if self._stream is not None else 0

    def flush(self) -> None:
        self._connection.flush()

    def hold(self) -> None:
        """The response is read too slowly: the server may send one window more."""
        if self._stream is not None:
            self._stream.hold()

    def release(self) -> None:
        if self._stream is not None:
            self._stream.release()
            self._connection.flush()

    def abandon(self) -> None:
        """The exchange has lost interest."""
        self.exchange = None
        self._reset(ErrorCodes.CANCEL)

    # the session's callbacks

    def on_interim_head(self, head: ResponseHead) -> None:
        if self._interim_heads is None:
            self._interim_heads = []
        self._interim_heads.append(head)
        self._connection.touch(self)

    def on_head(self, head: ResponseHead) -> None:
        self._head = head
        self._connection.touch(self)

    def on_body(self, data: bytes) -> None:
        self._body.append(data)
        self._connection.touch(self)

    def on_end(self, trailers: HeaderMap | None) -> None:
        self._is_ended = True
        self._trailers = trailers
        self._connection.touch(self)

    def on_reset(self, code: int, is_malformed: bool) -> None:
        if is_malformed:
            self._failure = PROTOCOL_ERROR
        else:
            self._failure = REFUSED_STREAM if code == ErrorCodes.REFUSED_STREAM else REMOTE_RESET
        self._connection.touch(self)

    def on_sending_paused(self) -> None:
        if self.exchange is not None:
            self.exchange.on_upstream_paused()

    def on_sending_resumed(self) -> None:
        if self.exchange is not None:
            self.exchange.on_upstream_resumed()

    # for the connection

    def deliver(self) -> None:
        """Hand on what came with a read."""
        exchange = self.exchange
        if exchange is None:
            self._body.clear()
            return
        try:
            self._deliver(exchange)
        except Exception:
            log.exception("bug while handling a response of %s", self.endpoint.address)
            self.abandon()
            exchange.on_upstream_failure(INTERNAL_ERROR)

    def fail(self, failure: UpstreamFailure) -> None:
        """The connection's."""
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.on_upstream_failure(failure._replace(before_response=not self._has_head))

    def _deliver(self, exchange: Any) -> None:
        interim_heads, self._interim_heads = self._interim_heads, None
        for interim in interim_heads or ():
            exchange.on_interim_head(interim)
        head, self._head = self._head, None
        body, self._body = self._body, []
        if self.exchange is not exchange:
            return
        if head is not None:
            self._has_head = True
            if self._is_ended:
                self._end()
                exchange.on_response(head, b"".join(body), self._trailers)
                return
            exchange.on_response_head(head)
        if body and self.exchange is exchange:
            exchange.on_response_body(b"".join(body))
        if self.exchange is exchange:
            self._deliver_end(exchange)

    def _deliver_end(self, exchange: Any) -> None:
        if self._is_ended:
            self._end()
            exchange.on_response_end(self._trailers)
        elif self._failure is not None:
            self.fail(self._failure)
        else:
            exchange.on_read_end()

    def _end(self) -> None:
        """The response is whole: what is left of the request makes no difference."""
        self.exchange = None
        self._reset(ErrorCodes.NO_ERROR)

    def _reset(self, code: int) -> None:
        """No effect on one that has come to its end."""
        if self._stream is not None:
            self._stream.reset(code)
            self._stream = None
            self._connection.flush()
            self._connection.on_stream_end()
