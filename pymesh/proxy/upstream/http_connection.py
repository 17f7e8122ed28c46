"""One HTTP/1.1 connection to an endpoint: a request at a time, its response to whoever sent it."""

import asyncio
import logging
from typing import Any, Protocol

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.message import ResponseHead
from pymesh.proxy.codec.response_parser import ResponseParser
from pymesh.proxy.timers import IdleWatch, TimerQueue
from pymesh.proxy.tls.peer_identity import peer_identity
from pymesh.proxy.upstream.endpoint import Endpoint
from pymesh.proxy.upstream.failure import (
    CONNECTION_TERMINATION,
    CONNECTION_TERMINATION_IN_RESPONSE,
    INTERNAL_ERROR,
    PROTOCOL_ERROR,
    PROTOCOL_ERROR_IN_RESPONSE,
    UpstreamFailure,
)
from pymesh.xds import Address

log = logging.getLogger(__name__)

# Up to here, what is written is joined: copying costs less than a second TLS record (of 16 KB) on both sides.
_ONE_WRITE = 16_000


class Exchange(Protocol):
    """Who has sent a request, and hears of its response or, once, of its failure."""

    def on_interim_head(self, head: ResponseHead) -> None: ...

    def on_response_head(self, head: ResponseHead) -> None: ...

    def on_response_body(self, data: bytes) -> None: ...

    def on_response_end(self, trailers: HeaderMap | None) -> None: ...

    def on_response(self, head: ResponseHead, body: bytes, trailers: HeaderMap | None) -> None:
        """All of one at once: the connection is free again, or closes."""

    def on_raw_data(self, data: bytes) -> None: ...

    def on_read_end(self) -> None:
        """All that came with one read has been handed on, and it was not the end: time to write what is held back."""

    def on_upstream_failure(self, failure: UpstreamFailure) -> None: ...

    def on_upstream_paused(self) -> None:
        """The connection takes no more for now: stop writing."""

    def on_upstream_resumed(self) -> None: ...


class ConnectionOwner(Protocol):
    """The pool."""

    def on_idle(self, connection: "HttpConnection") -> None: ...

    def on_closed(self, connection: "HttpConnection") -> None: ...


class HttpConnection(asyncio.Protocol):
    """The pool decides who gets it. Between `start` and the end of the exchange it belongs to one Exchange."""

    __slots__ = (
        "_ended",
        "_parser",
        "_pool",
        "endpoint",
        "exchange",
        "has_head",
        "idle_since",
        "idle_watch",
        "is_closed",
        "keep_alive",
        "lifetime",
        "local_address",
        "opened_at",
        "out",
        "principal",
        "request_sent",
        "requests",
        "response_started",
        "transport",
        "write",
    )

    def __init__(self, endpoint: Endpoint, pool: ConnectionOwner) -> None:
        # per connection
        self.endpoint = endpoint
        self.transport: Any = None
        self.write: Any = None  # the transport's, a lookup less
        self.local_address = ""
        self.principal = ""  # the server's SPIFFE URI, with mTLS
        self.opened_at = 0.0
        self.requests = 0
        self.is_closed = False
        self.idle_since: float | None = None  # None: it is not idle
        self.idle_watch: IdleWatch | None = None
        self.lifetime: TimerQueue | None = None
        self._pool = pool
        self._parser = ResponseParser(self)
        # per request
        self.exchange: Any = None
        self.request_sent = False
        self.response_started = False
        self.has_head = False
        self.keep_alive = True
        self.out: list[bytes] = []  # written with the next `flush`
        self._ended = False

    def __repr__(self) -> str:
        state = "closed" if self.is_closed else "busy" if self.exchange is not None else "idle"
        return f"<HttpConnection {self.endpoint.address} {state} requests={self.requests}>"

    # for the exchange

    def start(self, exchange: Exchange, head: bytes, method: bytes, wants_upgrade: bool, is_complete: bool) -> None:
        """Send a request's head. `is_complete`: no body follows; else it waits for `flush`, to go with the body."""
        self.exchange = exchange
        self.requests += 1
        self.request_sent = is_complete
        self.response_started = False
        self.has_head = False
        self.keep_alive = not wants_upgrade
        self._parser.expect(method, wants_upgrade)
        if is_complete:
            write = self.write
            write(head)
        else:
            self.out.append(head)

    def flush(self) -> None:
        """Write what is in `out`, in one go."""
        out = self.out
        if not out or self.is_closed:
            return
        self.out = []
        if len(out) == 1:
            self.write(out[0])
        elif sum(map(len, out)) < _ONE_WRITE:
            self.write(b"".join(out))
        else:
            self.transport.writelines(out)

    @property
    def is_reused(self) -> bool:
        return self.requests > 1

    def abandon(self) -> None:
        """The exchange has lost interest: what still comes can only be thrown away with the connection."""
        self.exchange = None
        if not self.is_closed:
            self.transport.abort()

    def close(self) -> None:
        """What was written still goes out."""
        if not self.is_closed:
            self.transport.close()

    # for the pool

    def on_ready(self, now: float) -> None:
        """Connected, and the peer is who it should be. `now` of the timers' clock."""
        self.opened_at = now
        ssl_object = self.transport.get_extra_info("ssl_object")
        identity = None if ssl_object is None else peer_identity(ssl_object)
        self.principal = "" if identity is None else identity.principal

    def on_idle_timeout(self) -> None:
        self.close()

    def on_max_duration(self) -> None:
        """One that is busy ends with its response."""
        if self.idle_since is not None:
            self.close()

    # asyncio's callbacks

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.write = transport.write
        address = transport.get_extra_info("sockname")
        self.local_address = str(Address(*address[:2])) if isinstance(address, tuple) else ""

    def data_received(self, data: bytes) -> None:
        exchange = self.exchange
        if exchange is None:  # nothing was asked: what this answers nobody knows
            self.close()
            return
        self.response_started = True
        try:
            error = self._parser.feed(data)
            if error is not None:
                self._fail_protocol()
                self.close()
            elif self._ended:
                # Only now: what came behind the response in the same read would have become the next one's.
                self._ended = False
                self._pool.on_idle(self)
            elif self.exchange is exchange:
                exchange.on_read_end()
        except Exception:
            self._on_bug(exchange)

    def eof_received(self) -> None:
        exchange = self.exchange
        try:
            if not self._parser.feed_eof():
                self._fail_unfinished()
        except Exception:
            self._on_bug(exchange)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed = True
        exchange = self.exchange
        try:
            self._parser.close()
            self._fail_unfinished()
            self._fail(CONNECTION_TERMINATION_IN_RESPONSE if self.response_started else CONNECTION_TERMINATION)
        except Exception:
            self._on_bug(exchange)
        finally:  # or its slot in the pool would be lost
            self._pool.on_closed(self)

    def pause_writing(self) -> None:
        if self.exchange is not None:
            self.exchange.on_upstream_paused()

    def resume_writing(self) -> None:
        if self.exchange is not None:
            self.exchange.on_upstream_resumed()

    # the parser's callbacks

    def on_interim_head(self, head: ResponseHead) -> None:
        if self.exchange is not None:
            self.exchange.on_interim_head(head)

    def on_response_head(self, head: ResponseHead) -> None:
        self.has_head = True
        if not head.keep_alive:
            self.keep_alive = False
        if self.exchange is not None:
            self.exchange.on_response_head(head)

    def on_response_body(self, data: bytes) -> None:
        if self.exchange is not None:
            self.exchange.on_response_body(data)

    def on_response_end(self, trailers: HeaderMap | None) -> None:
        exchange, self.exchange = self.exchange, None
        if exchange is None:
            return
        if self.keep_alive and self.request_sent:
            self._ended = True
        else:
            self.close()
        exchange.on_response_end(trailers)

    def on_response(self, head: ResponseHead, body: bytes, trailers: HeaderMap | None) -> None:
        exchange, self.exchange = self.exchange, None
        if exchange is None:
            return
        self.has_head = True
        if head.keep_alive and self.keep_alive and self.request_sent:
            self._ended = True
        else:
            self.keep_alive = False
            self.close()
        exchange.on_response(head, body, trailers)

    def on_close_announced(self) -> None:
        self.keep_alive = False

    def on_raw_data(self, data: bytes) -> None:
        if self.exchange is not None:
            self.exchange.on_raw_data(data)

    def _on_bug(self, exchange: Exchange | None) -> None:
        """Called in an `except`: the catch point of all that happens behind this connection."""
        log.exception("bug while handling a response of %s", self.endpoint.address)
        self.abandon()
        if exchange is not None:
            exchange.on_upstream_failure(INTERNAL_ERROR)

    def _fail_unfinished(self) -> None:
        """As Envoy, however the connection has ended: half a response is none."""
        if self._parser.is_in_message:
            self._fail_protocol()

    def _fail_protocol(self) -> None:
        self._fail(PROTOCOL_ERROR_IN_RESPONSE if self.has_head else PROTOCOL_ERROR)

    def _fail(self, failure: UpstreamFailure) -> None:
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.on_upstream_failure(failure)
