"""One HTTP/2 connection, for either side: bytes in, what they say to the sink and the streams' receivers, bytes out."""

from collections.abc import Callable
from typing import Any, Protocol

from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    InformationalResponseReceived,
    PriorityUpdated,
    RemoteSettingsChanged,
    RequestReceived,
    ResponseReceived,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)

from pymesh.proxy.codec.header_map import HeaderMap, Pair
from pymesh.proxy.codec.http2.engine import Engine
from pymesh.proxy.codec.http2.flood import FloodGuard
from pymesh.proxy.codec.http2.heads import MALFORMED, read_request_head, read_response_head, read_trailers
from pymesh.proxy.codec.http2.limits import MAX_AT_ONCE, MAX_CONCURRENT_STREAMS
from pymesh.proxy.codec.http2.stream import Receiver, SessionStream
from pymesh.proxy.codec.message import CodecError, RequestHead

CODEC_ERROR = CodecError(400, "http2.codec_error")
FRAME_TOO_LARGE = CodecError(400, "http2.frame_size_error")

_LAST_POSSIBLE_ID = 2**31 - 1


class SessionSink(Protocol):
    """Who hears of what is no stream's, or not yet. The first two are for the server's side."""

    def on_request(self, stream: SessionStream, head: RequestHead) -> None:
        """`stream.receiver` must be set. The body's parts and the end follow, the end without a body, too."""

    def on_bad_request(self, stream: SessionStream, error: CodecError) -> None:
        """The same, of one that is to have an answer and nothing else."""

    def on_goaway(self, last_stream_id: int, code: int) -> None:
        """The peer takes no new streams. It has not seen, and will not, those above `last_stream_id`: they have been
        reset with REFUSED_STREAM. It may say so again, with a lower id."""


class Session:
    """After `start`, each read goes to `receive`; then, and after whatever was sent on streams, `take` has the bytes to
    be written. An error is a value, and the session is dead then: what `take` has is the last."""

    __slots__ = (
        "_error",
        "_is_client",
        "_is_paused",
        "_last_stream_id",
        "_sink",
        "engine",
        "guard",
        "has_goaway",
        "sending",
        "streams",
    )

    def __init__(self, sink: SessionSink, is_client: bool) -> None:
        self._sink = sink
        self._is_client = is_client
        self._is_paused = False
        self._error: CodecError | None = None
        self._last_stream_id = _LAST_POSSIBLE_ID  # that we take
        self.has_goaway = False  # of the peer: no new stream
        self.engine = Engine(is_client)
        self.guard = FloodGuard()
        self.streams: dict[int, SessionStream] = {}
        self.sending: dict[SessionStream, None] = {}  # in the order of their turns

    def __repr__(self) -> str:
        return f"<Session {'client' if self._is_client else 'server'} streams={len(self.streams)}>"

    def start(self) -> None:
        """To be called once, before anything else."""
        self.engine.start()

    def receive(self, data: bytes) -> CodecError | None:
        """What came. None, or why the connection must end: GOAWAY is in `take` then."""
        if self._error is not None:
            return self._error
        engine = self.engine
        for event in engine.receive(data):
            handle = _HANDLERS.get(event.__class__)
            if handle is not None:
                handle(self, event)
        if engine.has_failed:
            self._error = CODEC_ERROR
            return self._error
        if (flood := self.guard.find_flood()) is not None:
            return self._die(flood, ErrorCodes.ENHANCE_YOUR_CALM)
        if engine.is_frame_overlong:
            return self._die(FRAME_TOO_LARGE, ErrorCodes.FRAME_SIZE_ERROR)
        return None

    def take(self) -> bytes:
        """What is to be written now, and there may be more until it is nothing. May tell receivers to pause or to go
        on."""
        if self._error is not None:
            return self.engine.data_to_send()
        sending = self.sending
        if sending and not self._is_paused:
            self._send_in_turns()
        for stream in tuple(sending):
            if self.streams.get(stream.id) is stream:
                stream.tell_pressure()
            if not stream.has_pending:
                sending.pop(stream, None)
        return self.engine.data_to_send()

    def pause(self) -> None:
        """The transport takes no more: what streams send waits."""
        self._is_paused = True

    def resume(self) -> None:
        self._is_paused = False

    @property
    def is_dead(self) -> bool:
        return self._error is not None

    def close(self) -> list[Any]:
        """The connection is gone, or the session is dead: the receivers of the streams that there were. They hear
        nothing more, and what they do has no effect. Breaks the reference cycles."""
        receivers = [stream.receiver for stream in self.streams.values()]
        self.sending.clear()
        self.streams.clear()
        return receivers

    def say_goaway(self, is_final: bool, code: int = ErrorCodes.NO_ERROR) -> None:
        """RFC 9113 6.8. Not final: the client learns that it should go, but what it sends meanwhile is still served.
        Final: streams that open from now on are refused. Many clients hear nothing behind it: what goes into one
        write goes before, and who has more takes it first."""
        if not self._is_paused and self._error is None:
            self._send_in_turns()
        if is_final:
            self._last_stream_id = self.engine.highest_inbound_stream_id
        self.engine.say_goaway(self._last_stream_id, code)

    # for the client's side

    @property
    def can_open(self) -> bool:
        """Another stream, as far as the peer's limit and GOAWAY go."""
        engine = self.engine
        return (
            self._error is None
            and not self.has_goaway
            and len(self.streams) < engine.remote_settings.max_concurrent_streams
            and engine.highest_outbound_stream_id < _LAST_POSSIBLE_ID - 2
        )

    def open_stream(self, receiver: Receiver, fields: list[Pair], is_end: bool) -> SessionStream:
        """Send a request's head, where `can_open`; `fields` of `heads.request_fields`, so the method is the first."""
        engine = self.engine
        stream_id = engine.get_next_available_stream_id()
        stream = self.streams[stream_id] = SessionStream(self, stream_id, fields[0][1])
        stream.receiver = receiver
        self.guard.streams += 1
        stream.send_request_head(fields, is_end)
        return stream

    # for streams

    def on_local_end(self, stream: SessionStream) -> None:
        if stream.is_remote_ended:
            self.forget(stream)
        elif (
            not self._is_client and not stream.is_half_closable
        ):  # RFC 9113 8.1: there is an answer, and the rest of the request makes no difference
            stream.reset(ErrorCodes.NO_ERROR)

    def forget(self, stream: SessionStream) -> None:
        self.streams.pop(stream.id, None)
        self.sending.pop(stream, None)
        stream.on_forgotten()

    # what h2 says

    def _on_request(self, event: Any) -> None:
        self.guard.streams += 1
        self.guard.empty_frames = 0
        stream_id, is_end = event.stream_id, event.stream_ended is not None
        if len(self.streams) >= MAX_CONCURRENT_STREAMS or stream_id > self._last_stream_id:
            self.engine.reset_stream(stream_id, ErrorCodes.REFUSED_STREAM)
            return
        head = read_request_head(event.headers, is_end)
        if head is MALFORMED:
            self.guard.malformed += 1
            self.engine.reset_stream(stream_id, ErrorCodes.PROTOCOL_ERROR)
            return
        stream = self.streams[stream_id] = SessionStream(self, stream_id, b"")
        stream.is_remote_ended = is_end
        if isinstance(head, CodecError):
            self._sink.on_bad_request(stream, head)
            return
        stream.method = head.method
        stream.expect_body(head.content_length)
        self._sink.on_request(stream, head)
        if is_end and self.streams.get(stream_id) is stream:
            stream.receiver.on_end(None)

    def _on_response(self, event: Any) -> None:
        self.guard.empty_frames = 0
        stream = self.streams.get(event.stream_id)
        if stream is None:
            return
        is_end = event.stream_ended is not None
        head = read_response_head(event.headers, is_end, stream.method)
        if isinstance(head, CodecError):
            self._refuse(stream)
            return
        is_bodiless = stream.method == b"HEAD" or head.status in (204, 304)
        stream.expect_body(0 if is_bodiless else head.content_length)
        stream.receiver.on_head(head)
        if is_end:
            self._end(stream, None)

    def _on_interim_response(self, event: Any) -> None:
        stream = self.streams.get(event.stream_id)
        if stream is None:
            return
        head = read_response_head(event.headers, False, stream.method)
        if isinstance(head, CodecError):
            self._refuse(stream)
        else:
            stream.receiver.on_interim_head(head)

    def _on_data(self, event: Any) -> None:
        is_end = event.stream_ended is not None
        self.guard.empty_frames = 0 if event.data or is_end else self.guard.empty_frames + 1
        stream = self.streams.get(event.stream_id)
        if stream is None:
            self.engine.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif not stream.take_body(event.data, event.flow_controlled_length):
            self._refuse(stream)
        elif is_end:
            self._end(stream, None)

    def _on_trailers(self, event: Any) -> None:
        self.guard.empty_frames = 0
        stream = self.streams.get(event.stream_id)
        if stream is None:
            return
        trailers = read_trailers(event.headers)
        if isinstance(trailers, CodecError):
            self._refuse(stream)
        else:
            self._end(stream, trailers)

    def _end(self, stream: SessionStream, trailers: HeaderMap | None) -> None:
        """Of what the peer sends; the receiver may have lost interest meanwhile."""
        if self.streams.get(stream.id) is not stream:
            return
        if stream.is_short:
            self._refuse(stream)
            return
        stream.is_remote_ended = True
        if stream.is_local_ended:
            self.forget(stream)
        stream.receiver.on_end(trailers)

    def _refuse(self, stream: SessionStream) -> None:
        """RFC 9113 8.1.1: a malformed message is a stream error."""
        self.guard.malformed += 1
        stream.reset(ErrorCodes.PROTOCOL_ERROR)
        if stream.receiver is not None:
            stream.receiver.on_reset(ErrorCodes.PROTOCOL_ERROR, True)

    def _on_reset(self, event: Any) -> None:
        stream = self.streams.get(event.stream_id)
        if stream is not None:
            self.forget(stream)
            stream.receiver.on_reset(int(event.error_code), False)

    def _on_settings(self, event: Any) -> None:
        self.guard.settings += 1
        self.engine.limit_header_table()

    def _on_window_update(self, event: Any) -> None:
        self.guard.window_updates += 1

    def _on_priority(self, event: Any) -> None:
        self.guard.priority_frames += 1

    def _on_goaway(self, event: Any) -> None:
        self.has_goaway = True
        if self._is_client:
            for stream in [stream for stream in self.streams.values() if stream.id > event.last_stream_id]:
                self.forget(stream)
                stream.receiver.on_reset(ErrorCodes.REFUSED_STREAM, False)
        self._sink.on_goaway(event.last_stream_id, event.error_code)

    def _send_in_turns(self) -> None:
        """A frame each, so that one that has much does not keep the others waiting; as much as goes into one write."""
        engine, sending = self.engine, self.sending
        is_going_on = True
        while is_going_on:
            is_going_on = False
            for stream in tuple(sending):
                if engine.unsent_bytes >= MAX_AT_ONCE:
                    return
                if stream in sending and stream.send_some():
                    is_going_on = True
                    if stream in sending:  # its next turn is behind the others', also where that is another write
                        sending[stream] = sending.pop(stream)

    def _die(self, error: CodecError, code: int) -> CodecError:
        self._error = error
        self.say_goaway(True, code)
        return error


_HANDLERS: dict[type, Callable[[Session, Any], None]] = {
    RequestReceived: Session._on_request,
    ResponseReceived: Session._on_response,
    InformationalResponseReceived: Session._on_interim_response,
    DataReceived: Session._on_data,
    TrailersReceived: Session._on_trailers,
    StreamReset: Session._on_reset,
    RemoteSettingsChanged: Session._on_settings,
    WindowUpdated: Session._on_window_update,
    PriorityUpdated: Session._on_priority,
    ConnectionTerminated: Session._on_goaway,
}
