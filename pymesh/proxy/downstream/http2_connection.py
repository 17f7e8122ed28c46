"""One HTTP/2 connection of a client: its streams, and when it is over.

Envoy: ConnectionManagerImpl with the codec of HTTP/2. A connection that is to end says so by a GOAWAY which takes
nothing away from the client (RFC 9113 6.8), serves what comes meanwhile, and says where it ends some seconds later.
"""

from typing import Any

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.http2.limits import MAX_UNREAD
from pymesh.proxy.codec.http2.session import Session
from pymesh.proxy.codec.http2.stream import SessionStream
from pymesh.proxy.codec.message import HTTP_2, CodecError, RequestHead
from pymesh.proxy.downstream.client_connection import ClientConnection, codec_reply
from pymesh.proxy.downstream.connection_info import ConnectionInfo
from pymesh.proxy.downstream.http2_stream import DONE, Http2Stream

# Between the two GOAWAYs. Envoy: drain_timeout.
DRAIN_SECONDS = 5.0

# Of a connection with so many requests at least half of which were reset before there was a response, or with half as
# many such resets (Envoy: overload.premature_reset_total_stream_count, ..._min_stream_lifetime_seconds).
PREMATURE_RESETS_OF = 500
PREMATURE_SECONDS = 2.0  # Envoy counts whole seconds, and takes more than one for long enough

HEAD_TIMEOUT = CodecError(408, "request_header_timeout")
RESET_FLOOD = CodecError(400, "http2.too_many_premature_resets")
CONTROL_FLOOD = CodecError(400, "http2.outbound_control_flood")
# RFC 9113 7
_CANCEL = 8
_ENHANCE_YOUR_CALM = 11


class Http2Timeouts:
    """Those of one connection manager; None where disabled."""

    __slots__ = ("drains", "durations", "flushes", "heads", "idle_watch", "stream_idle_watch")

    def __init__(self, manager: Any) -> None:
        config = manager.config
        self.idle_watch = manager.watch(config.idle_timeout, _idle_since, Http2Connection.on_idle_timeout)
        self.stream_idle_watch = manager.watch(
            config.stream_idle_timeout, _stream_idle_since, Http2Stream.on_idle_timeout
        )
        self.durations = manager.timeouts(config.max_connection_duration, Http2Connection.retire)
        head_duration = 0.0 if manager.head_timeouts is None else manager.head_timeouts.duration
        self.heads = manager.timeouts(head_duration, Http2Connection.on_head_timeout)
        self.flushes = manager.timeouts(config.stream_idle_timeout, Http2Connection.on_flush_timeout)
        self.drains = manager.timeouts(DRAIN_SECONDS, Http2Connection.on_drain_timeout)


class Http2Connection(ClientConnection):
    """Each of its streams has a Stream as long as its request lives, and its session keeps what is left to be sent."""

    __slots__ = (
        "_has_final_goaway",
        "_is_draining",
        "_is_flush_timed",
        "_is_head_timed",
        "_is_reading",
        "_premature_resets",
        "_read_streams",
        "_requests",
        "_session",
        "_streams",
        "_timed_head",
        "_timeouts",
        "_unflushed",
    )

    def __init__(self, manager: Any, info: ConnectionInfo, timeouts: Http2Timeouts) -> None:
        super().__init__(manager, info)
        self._timeouts = timeouts
        self._session = Session(self, is_client=False)
        self._streams: set[Http2Stream] = set()
        self._read_streams: dict[Http2Stream, None] = {}  # those that this read has brought a body
        self._is_reading = False  # what there is to be written waits for the end of the read
        self._is_head_timed = False
        self._timed_head = 0  # how many there were before it
        self._is_flush_timed = False
        self._unflushed: dict[SessionStream, int] = {}  # of finished streams, what waited at the last look
        self._is_draining = False
        self._has_final_goaway = False
        self._requests = 0
        self._premature_resets = 0

    def __repr__(self) -> str:
        state = "closing" if self.is_closing else "draining" if self._is_draining else "open"
        return f"<Http2Connection {self.info.remote_address} {state} streams={len(self._streams)}>"

    @property
    def active_requests(self) -> int:
        return len(self._streams)

    # asyncio's callbacks

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        timeouts = self._timeouts
        if timeouts.idle_watch is not None:
            timeouts.idle_watch.watch(self)
        if timeouts.durations is not None:
            timeouts.durations.start(self)
        self._session.start()
        self.flush()

    def data_received(self, data: bytes) -> None:
        if self.is_closing:
            return
        try:
            self._is_reading = True
            error = self._session.receive(data)
            self._end_read()
            self._time_head()
            if error is not None:
                self._end(error)
            else:
                self.flush()
        except Exception:
            self._on_bug()

    def eof_received(self) -> bool:
        """A client that closes its sending side is gone."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closing = True
        self._session.close()
        self._unflushed.clear()
        self._stop_timers()
        self.manager.on_connection_lost(self)
        self.info.on_close()
        for stream in tuple(self._streams):
            try:
                stream.on_client_gone()
            except Exception:
                stream.on_bug()

    def pause_writing(self) -> None:
        self.is_write_paused = True
        self._session.pause()

    def resume_writing(self) -> None:
        self.is_write_paused = False
        self._session.resume()
        self.flush()

    # the session's callbacks

    def on_request(self, wire: SessionStream, head: RequestHead) -> None:
        self._open(wire, head).open()

    def on_bad_request(self, wire: SessionStream, error: CodecError) -> None:
        stream = self._open(wire, RequestHead(b"", b"", HTTP_2, HeaderMap(), keep_alive=True))
        stream.is_request_complete = False
        stream.send_local_reply(codec_reply(error))

    def on_goaway(self, last_stream_id: int, code: int) -> None:
        """The client will not send requests any more, and closes when it has its responses."""

    def _open(self, wire: SessionStream, head: RequestHead) -> Http2Stream:
        self._requests += 1
        stream = Http2Stream(self, head, wire)
        self._streams.add(stream)
        if self._timeouts.stream_idle_watch is not None:
            self._timeouts.stream_idle_watch.watch(stream)
        limit = self.manager.config.max_requests_per_connection
        if limit and self._requests >= limit:
            self.is_last_request = True
        return stream

    # for streams

    def on_request_read(self, stream: Http2Stream) -> None:
        self._read_streams[stream] = None

    def on_remote_reset(self, stream: Http2Stream) -> None:
        """A client that asks and takes it back, again and again, has us work for nothing (CVE-2023-44487)."""
        info = stream.info
        if not info.response_code and self.manager.time() - info.start < PREMATURE_SECONDS:
            self._premature_resets += 1

    def on_stream_end(self, stream: Http2Stream) -> None:
        """The response is on its way, as far as it will be."""
        self._streams.discard(stream)
        self.idle_since = stream.info.end
        if self._timeouts.stream_idle_watch is not None:
            self._timeouts.stream_idle_watch.forget(stream)
        wire = stream.wire
        wire.receiver = DONE  # of what is not sent yet
        wire.release()
        wire.finish()
        if self.is_last_request:
            self.retire()
        self.flush()
        if wire.id in self._session.streams:
            self._time_flush()

    def flush(self) -> None:
        """Write what there is to be written, until the transport is full."""
        if self._is_reading or self.is_closing:
            return
        session = self._session
        while data := session.take():
            self.write(data)
            if self.is_write_paused and self._transport.get_write_buffer_size() > MAX_UNREAD:
                self._end(CONTROL_FLOOD)
                return
        if self._has_final_goaway and not session.streams:
            self._close(is_unread=True)

    def _time_head(self) -> None:
        """As of HTTP/1.1: one that has begun has a time of its own, so that slow ones do not stay for ever."""
        heads, session = self._timeouts.heads, self._session
        if heads is None:
            return
        is_in_head, heads_read = session.engine.is_in_head, session.guard.streams
        # Where requests were read, it is another head that is not complete.
        if is_in_head != self._is_head_timed or (is_in_head and heads_read != self._timed_head):
            (heads.start if is_in_head else heads.stop)(self)
            self._is_head_timed, self._timed_head = is_in_head, heads_read

    def _time_flush(self) -> None:
        """A client may refuse for ever what is left of a response that nobody watches any more."""
        flushes = self._timeouts.flushes
        if flushes is not None and not self._is_flush_timed and not self.is_closing:
            self._is_flush_timed = True
            flushes.start(self)

    def on_flush_timeout(self) -> None:
        """What the client has taken nothing of since the last look ends. One timer looks at all of them, as most
        responses are gone long before. Envoy: the codec's pending flush timer, with stream_idle_timeout."""
        self._is_flush_timed = False
        wires = [wire for wire in self._session.streams.values() if wire.receiver is DONE]
        unflushed = {}
        for wire in wires:
            if self._unflushed.get(wire) == wire.pending_bytes:
                wire.reset(_CANCEL)
            else:
                unflushed[wire] = wire.pending_bytes
        self._unflushed = unflushed
        if unflushed:
            self._time_flush()
        self.flush()

    def _end_read(self) -> None:
        for stream in self._read_streams:
            stream.on_read_end()
        self._read_streams.clear()
        self._is_reading = False
        if self._premature_resets * 2 >= max(PREMATURE_RESETS_OF, self._requests - len(self._streams)):
            self._session.say_goaway(True, _ENHANCE_YOUR_CALM)
            self._end(RESET_FLOOD)

    # the end

    def retire(self) -> None:
        """Have the client leave; what it has sent, or is sending, is served."""
        if self._is_draining or self.is_closing:
            return
        self._is_draining = True
        self.flush()  # many clients hear nothing behind a GOAWAY
        self._session.say_goaway(is_final=False)
        self._timeouts.drains.start(self)
        self.flush()

    def drain(self, idle_seconds: float = 0.0) -> None:
        self.retire()
        if not self._streams and self.manager.time() - self.idle_since >= idle_seconds:
            self.on_drain_timeout()

    def on_drain_timeout(self) -> None:
        """The client knows. What it opens from now on is refused, and it knows that too."""
        if not self._has_final_goaway and not self.is_closing:
            self.flush()
            self._has_final_goaway = True
            self._session.say_goaway(is_final=True)
            self.flush()

    def on_head_timeout(self) -> None:
        self._session.say_goaway(True)
        self._end(HEAD_TIMEOUT)

    def on_idle_timeout(self) -> None:
        """After the last GOAWAY, there is only what the client does not take."""
        if self._has_final_goaway:
            self._close(is_unread=True)
        else:
            self.retire()

    def _end(self, error: CodecError) -> None:
        """Of the connection, with all that there is on it (RFC 9113 5.4.1). GOAWAY is what the session has to say."""
        if self.is_closing:
            return
        if data := self._session.take():
            self.write(data)
        self._close(is_unread=True)
        for stream in tuple(self._streams):
            stream.on_connection_error(error)

    def _stop_timers(self) -> None:
        timeouts = self._timeouts
        if timeouts.idle_watch is not None:
            timeouts.idle_watch.forget(self)
        for queue in (
            timeouts.durations,
            timeouts.heads,
            timeouts.flushes,
            timeouts.drains,
            self.manager.delayed_closes,
        ):
            if queue is not None:
                queue.stop(self)

    def _on_bug(self) -> None:
        self.manager.on_bug(repr(self))
        self.abort()


def _idle_since(connection: Http2Connection) -> float | None:
    return connection.idle_since if not connection.active_requests else None


def _stream_idle_since(stream: Http2Stream) -> float | None:
    return stream.active_at
