"""One HTTP/1.1 connection of a client: requests one after the other, and when it is over."""

from typing import Any

from pymesh.proxy.codec.first_line import HTTP_2_PREFACE
from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.message import HTTP_11, CodecError, RequestHead
from pymesh.proxy.codec.request_parser import RequestParser
from pymesh.proxy.downstream.client_connection import ClientConnection, codec_reply
from pymesh.proxy.downstream.connection_info import ConnectionInfo
from pymesh.proxy.downstream.hcm_config import AUTO
from pymesh.proxy.downstream.pipeline import Event, Pipeline
from pymesh.proxy.downstream.stream import Stream
from pymesh.proxy.net import end_writing, has_unread

# Holds the reading from a client that does not read: its pipelined requests would fill our memory with responses.
_UNREAD_RESPONSES = object()


class HttpConnection(ClientConnection):
    """At most one Stream at a time: responses leave in the order of the requests because a request that comes early
    waits, and the client is not read meanwhile. A client that turns out to speak HTTP/2 is handed over."""

    __slots__ = ("_holds", "_is_head_timed", "_parser", "_requests", "pipeline", "stream")

    def __init__(self, manager: Any, info: ConnectionInfo) -> None:
        super().__init__(manager, info)
        self._parser = RequestParser(self, manager.config.accept_http_10, manager.config.default_host_for_http_10)
        self.stream: Stream | None = None
        self._requests = 0
        self.pipeline: Pipeline | None = None  # None: nothing waits
        self._holds: set[object] = set()  # who does not want the client to be read
        self._is_head_timed = False

    def __repr__(self) -> str:
        state = "closing" if self.is_closing else "busy" if self.stream is not None else "idle"
        return f"<HttpConnection {self.info.remote_address} {state} requests={self._requests}>"

    @property
    def active_requests(self) -> int:
        return int(self.stream is not None)

    # asyncio's callbacks

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        manager = self.manager
        if manager.idle_watch is not None:
            manager.idle_watch.watch(self)
        if manager.stream_idle_watch is not None:
            manager.stream_idle_watch.watch(self)
        if manager.duration_timeouts is not None:
            manager.duration_timeouts.start(self)

    def data_received(self, data: bytes) -> None:
        try:
            if not self.is_closing:
                error = self._parser.feed(data)
                stream = self.stream
                if error is not None:
                    if error is HTTP_2_PREFACE and self.manager.config.codec_type == AUTO:
                        self._hand_over(data)
                    else:
                        self.on_codec_error(error)
                elif stream is None:
                    self._time_head()
                elif stream.has_request_body:
                    stream.on_read_end()
        except Exception:  # the one place where a bug on the way of a request is caught
            self._on_bug()

    def eof_received(self) -> bool:
        """An HTTP client that closes its sending side is gone, as in Envoy, unless it is the client of a CONNECT. True
        keeps the other direction going; a TLS transport closes in any case, and wants to hear False."""
        if self.stream is None or not self._transport.can_write_eof():
            return False
        try:
            return self.stream.on_client_eof()
        except Exception:
            self._on_bug()
            return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closing = True
        self._parser.close()
        self.pipeline = None
        self._stop_timers()
        self.manager.on_connection_lost(self)
        self.info.on_close()
        if self.stream is not None:
            self.stream.on_client_gone()

    def pause_writing(self) -> None:
        self.is_write_paused = True
        if self.stream is None:
            self.hold_reading(_UNREAD_RESPONSES)
        elif self.stream.upstream is not None:
            self.stream.upstream.pause_response()

    def resume_writing(self) -> None:
        self.is_write_paused = False
        self.release_reading(_UNREAD_RESPONSES)
        if self.stream is not None and self.stream.upstream is not None:
            self.stream.upstream.resume_response()

    def _hand_over(self, data: bytes) -> None:
        """The first line of the connection, which ends in `data`, is that of HTTP/2."""
        self.is_closing = True
        self._stop_timers()
        self._parser.close()
        transport, connection = self._transport, self.manager.new_http2_connection(self.info)
        transport.set_protocol(connection)
        connection.connection_made(transport)
        self.manager.on_connection_lost(self)
        connection.data_received(b"PRI * HTTP/2.0\r\n" + data.partition(b"\n")[2])

    def _time_head(self) -> None:
        """A head has begun and is not there yet: it has a time of its own, so that slow ones do not stay for ever."""
        if self._parser.is_in_head and not self._is_head_timed and self.manager.head_timeouts is not None:
            self._is_head_timed = True
            self.manager.head_timeouts.start(self)

    # the parser's callbacks

    def on_request_head(self, head: RequestHead) -> None:
        if self.pipeline is not None or self.stream is not None:
            self._wait(head)
            return
        if self.is_closing:
            return
        self._requests += 1
        if self._is_head_timed:
            self._is_head_timed = False
            self.manager.head_timeouts.stop(self)
        limit = self.manager.config.max_requests_per_connection
        if limit and self._requests >= limit:
            self.is_last_request = True
        stream = self.stream = Stream(self, head)
        stream.start()

    def on_request_body(self, data: bytes) -> None:
        if self.pipeline is not None:
            self.pipeline.add(data)
        elif self.stream is not None:
            self.stream.on_request_body(data)

    def on_request_end(self, trailers: HeaderMap | None) -> None:
        if self.pipeline is not None:
            self.pipeline.add((trailers,))
        elif self.stream is not None and self.stream.has_request_body:
            self.stream.on_request_end(trailers)

    def on_raw_data(self, data: bytes) -> None:
        if self.pipeline is not None:
            self.pipeline.add(data)
        elif self.stream is not None:
            self.stream.on_raw_data(data)

    def on_codec_error(self, error: CodecError) -> None:
        stream = self.stream
        if self.pipeline is not None or (stream is not None and stream.is_request_complete):
            self._wait(error)  # what was asked properly is answered first
            return
        if stream is None:
            stream = self.stream = Stream(self, RequestHead(b"", b"", HTTP_11, HeaderMap(), keep_alive=False))
        stream.is_request_complete = False
        stream.send_local_reply(codec_reply(error))

    def _wait(self, event: Event) -> None:
        if self.pipeline is None:
            self.pipeline = Pipeline(self)
        self.pipeline.add(event)

    def _go_on(self) -> None:
        try:
            if self.pipeline is not None:
                self.pipeline.go_on()
        except Exception:
            self._on_bug()

    # for the stream

    def hold_reading(self, owner: object) -> None:
        """Do not read from the client until `owner` releases it."""
        if not self._holds:
            self._transport.pause_reading()
        self._holds.add(owner)

    def release_reading(self, owner: object) -> None:
        if owner in self._holds:
            self._holds.discard(owner)
            if not self._holds:
                self._transport.resume_reading()

    def end_writing(self) -> bool:
        """Nothing more comes for the client, which may still be sending. False: there is no way to say so."""
        if self.is_closing or not self._transport.can_write_eof():
            return False
        end_writing(self._transport)
        return True

    def on_stream_end(self, stream: Stream) -> None:
        """The response is written, as far as it will be."""
        if self.stream is not stream:
            return
        self.stream = None
        self.idle_since = stream.info.end
        if self._holds:
            self.release_reading(stream)
        if self.is_write_paused:
            self.hold_reading(_UNREAD_RESPONSES)
        if not stream.keep_alive:
            # Who hears only now that this was the last request may have sent the next one.
            is_surprised = self.is_last_request and stream.head.keep_alive
            self._close(is_unread=is_surprised or not stream.is_request_complete)
        elif not stream.is_request_complete:
            self._close(is_unread=True)
        elif self.pipeline is not None:
            # Not before the server's connection is free again: the next request would open another in vain.
            self.manager.context.loop.call_soon(self._go_on)

    # closing

    def retire(self) -> None:
        """This request is the last one, or the next: who is just sending it would lose it if we closed."""
        self.is_last_request = True

    def drain(self, idle_seconds: float = 0.0) -> None:
        """This request is the last one; without one for so long, close."""
        self.is_last_request = True
        is_idle = self.stream is None and self.pipeline is None and not self._parser.is_in_head
        if is_idle and self.manager.time() - self.idle_since >= idle_seconds:
            self.on_idle_timeout()

    def on_idle_timeout(self) -> None:
        """A request that came while the loop was busy elsewhere would be lost; its connection is not idle."""
        if not has_unread(self._transport):
            self._close(is_unread=False)

    def on_stream_idle_timeout(self) -> None:
        assert self.stream is not None
        self.stream.on_idle_timeout()

    def on_head_timeout(self) -> None:
        self._is_head_timed = False
        if self.stream is None and not self.is_closing:
            self.stream = stream = Stream(self, RequestHead(b"", b"", HTTP_11, HeaderMap(), keep_alive=False))
            stream.is_request_complete = False
            stream.send_local_reply(self.manager.head_timeout_reply)

    def _read_on(self) -> None:
        if self._holds:
            self._holds.clear()
            self._transport.resume_reading()

    def _stop_timers(self) -> None:
        manager = self.manager
        for watch in (manager.idle_watch, manager.stream_idle_watch):
            if watch is not None:
                watch.forget(self)
        for timeouts in (manager.head_timeouts, manager.duration_timeouts, manager.delayed_closes):
            if timeouts is not None:
                timeouts.stop(self)

    def _on_bug(self) -> None:
        if self.stream is not None:
            self.stream.on_bug()
        else:
            self.manager.on_bug(repr(self))
        self.is_closing = True
        self._transport.close()


def idle_since(connection: HttpConnection) -> float | None:
    return connection.idle_since if connection.stream is None else None


def stream_idle_since(connection: HttpConnection) -> float | None:
    return None if connection.stream is None else connection.stream.active_at
