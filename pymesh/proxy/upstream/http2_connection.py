"""One HTTP/2 connection to an endpoint: many requests at once, each of them an Http2Stream.

What comes with one read is handed on when all of it has been read, so a small response is one to its exchange.
"""

import asyncio
import logging
from operator import attrgetter
from typing import Any, Protocol

from pymesh.proxy.codec.http2.limits import MAX_UNREAD
from pymesh.proxy.codec.http2.session import Session
from pymesh.proxy.timers import IdleWatch, TimerQueue, Timers
from pymesh.proxy.tls.peer_identity import peer_identity
from pymesh.proxy.upstream.endpoint import Endpoint
from pymesh.proxy.upstream.failure import CONNECTION_TERMINATION, INTERNAL_ERROR, PROTOCOL_ERROR, UpstreamFailure
from pymesh.proxy.upstream.http2_options import Http2Options
from pymesh.proxy.upstream.http2_stream import Http2Stream
from pymesh.xds import Address

log = logging.getLogger(__name__)

_PING = b"pymesh-1"  # eight bytes (RFC 9113 6.7)
_USUAL_STREAMS = 100  # RFC 9113 6.5.2: no server should allow fewer
_IDLE_SINCE = attrgetter("idle_since")


class Http2Owner(Protocol):
    """The pool."""

    def on_free(self, connection: "Http2Connection") -> None:
        """A stream has ended, or the server allows more of them."""

    def on_draining(self, connection: "Http2Connection") -> None:
        """It takes no new streams."""

    def on_closed(self, connection: "Http2Connection") -> None: ...


class Http2Connection(asyncio.Protocol):
    """The pool decides who gets a stream of it."""

    __slots__ = (
        "_is_delivering",
        "_is_write_paused",
        "_options",
        "_ping_queue",
        "_pong_queue",
        "_pool",
        "_touched",
        "endpoint",
        "idle_since",
        "idle_watch",
        "is_closed",
        "is_draining",
        "lifetime",
        "local_address",
        "opened_at",
        "principal",
        "requests",
        "session",
        "transport",
    )

    def __init__(self, endpoint: Endpoint, pool: Http2Owner, options: Http2Options) -> None:
        self.endpoint = endpoint
        self.transport: Any = None
        self.session = Session(self, is_client=True)
        self.local_address = ""
        self.principal = ""  # the server's SPIFFE URI, with mTLS
        self.opened_at = 0.0
        self.requests = 0
        self.is_closed = False
        self.is_draining = False
        self.idle_since: float | None = None  # None: it is not idle
        self.idle_watch: IdleWatch | None = None
        self.lifetime: TimerQueue | None = None
        self._pool = pool
        self._options = options
        self._ping_queue: TimerQueue | None = None
        self._pong_queue: TimerQueue | None = None
        self._touched: dict[Http2Stream, None] = {}  # by what came with the read that is going on
        self._is_delivering = False
        self._is_write_paused = False

    def __repr__(self) -> str:
        state = "closed" if self.is_closed else "draining" if self.is_draining else "open"
        return f"<Http2Connection {self.endpoint.address} {state} {self.session!r} requests={self.requests}>"

    # for the pool

    def on_ready(self, now: float, timers: Timers) -> None:
        """Connected, and the peer is who it should be. `now` of the timers' clock."""
        self.opened_at = now
        ssl_object = self.transport.get_extra_info("ssl_object")
        identity = None if ssl_object is None else peer_identity(ssl_object)
        self.principal = "" if identity is None else identity.principal
        self.session.start()
        self.flush()
        self.transport.resume_reading()
        if self._options.keepalive_interval:
            self._ping_queue = timers.queue(self._options.keepalive_interval, Http2Connection.ping)
            self._pong_queue = timers.queue(self._options.keepalive_timeout, Http2Connection.on_silent)
            self._ping_queue.start(self)

    @property
    def can_take(self) -> bool:
        """Another request. A server that does not read gets none: their heads would not wait, as bodies do."""
        session = self.session
        is_open = not (self.is_draining or self.is_closed or self._is_write_paused) and session.can_open
        return is_open and len(session.streams) < self._most_streams

    @property
    def is_known(self) -> bool:
        """The server has said how many requests it takes at once."""
        return self.session.guard.settings > 0

    @property
    def _most_streams(self) -> int:
        """What exceeds the server's limit is refused: before it is told, nobody should count on more than the usual."""
        most = self._options.max_concurrent_streams
        return most if self.is_known else min(most, _USUAL_STREAMS)

    def new_stream(self) -> Http2Stream:
        """Where `can_take`, for who uses it at once."""
        self.requests += 1
        self.idle_since = None
        return Http2Stream(self)

    def drain(self) -> None:
        """Let what is on its way finish, and close then."""
        self.is_draining = True
        if not self.session.streams:
            self.close()

    def close(self) -> None:
        """With nothing on its way; what was written still goes out."""
        self.is_draining = True
        if not self.is_closed:
            self.session.say_goaway(is_final=True)
            self._write()
            self.transport.close()

    def on_idle_timeout(self) -> None:
        self._pool.on_draining(self)
        self.drain()

    on_max_duration = on_idle_timeout

    # for the streams

    def flush(self) -> None:
        """Write what they have sent; at the end of a read, if one is going on."""
        if not self._is_delivering and not self.is_closed:
            self._write()

    def touch(self, stream: Http2Stream) -> None:
        """Something for its exchange came."""
        self._touched[stream] = None

    def on_stream_end(self) -> None:
        """One is over, by whosever will."""
        if not self._is_delivering:
            self._on_free()

    # asyncio's callbacks

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        address = transport.get_extra_info("sockname")
        self.local_address = str(Address(*address[:2])) if isinstance(address, tuple) else ""
        transport.pause_reading()  # a server speaks first, and must not be answered before it has the preface

    def data_received(self, data: bytes) -> None:
        if self._pong_queue is not None:
            self._pong_queue.stop(self)
        try:
            self._is_delivering = True
            error = self.session.receive(data)
            self._deliver()
            self._is_delivering = False
            self._write()
            if error is not None:
                self._fail_all(PROTOCOL_ERROR)
                self.transport.close()
            else:
                self._on_free()
        except Exception:
            self._on_bug()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed = True
        for queue in (self._ping_queue, self._pong_queue):
            if queue is not None:
                queue.stop(self)
        try:
            self._fail_all(CONNECTION_TERMINATION)
        finally:  # or its slot in the pool would be lost
            self._pool.on_closed(self)

    def pause_writing(self) -> None:
        self._is_write_paused = True
        self.session.pause()

    def resume_writing(self) -> None:
        self._is_write_paused = False
        self.session.resume()
        self.flush()
        if not self._is_delivering and not self.is_draining:
            self._on_free()

    # the session's callbacks; those of the server's side never come

    def on_request(self, stream: Any, head: Any) -> None:
        raise NotImplementedError

    def on_bad_request(self, stream: Any, error: Any) -> None:
        raise NotImplementedError

    def on_goaway(self, last_stream_id: int, code: int) -> None:
        self.is_draining = True

    # the keepalive

    def ping(self) -> None:
        if self.is_closed or self._ping_queue is None or self._pong_queue is None:
            return
        self.session.engine.ping(_PING)
        self.flush()
        self._pong_queue.start(self)
        self._ping_queue.start(self)

    def on_silent(self) -> None:
        """Nobody has answered."""
        if not self.is_closed:
            self.transport.abort()

    def _on_bug(self) -> None:
        """Called in an `except`."""
        log.exception("bug on an HTTP/2 connection to %s", self.endpoint.address)
        self._fail_all(INTERNAL_ERROR)
        self.transport.abort()

    def _deliver(self) -> None:
        """Each stream's bugs are its own."""
        while self._touched:
            touched, self._touched = self._touched, {}
            for stream in touched:
                stream.deliver()

    def _on_free(self) -> None:
        if self.is_closed:
            return
        if self.is_draining:
            self._pool.on_draining(self)
            self.drain()
        else:
            self._pool.on_free(self)

    def _fail_all(self, failure: UpstreamFailure) -> None:
        self.is_draining = True
        self._pool.on_draining(self)
        for stream in self.session.close():
            stream.fail(failure)

    def _write(self) -> None:
        while data := self.session.take():
            if not self.is_closed:
                self.transport.write(data)
        if self._is_write_paused and self.transport.get_write_buffer_size() > MAX_UNREAD:
            self.transport.abort()  # it has us answer what it does not read


def idle_watch(timers: Timers, timeout: float) -> IdleWatch | None:
    return timers.idle_watch(timeout, _IDLE_SINCE, Http2Connection.on_idle_timeout) if timeout else None
