"""One request and its response on a session, for either side: what is to be sent waits here for the peer's windows, and
what came is credited to the peer when somebody has taken it."""

from collections import deque
from typing import Any, Protocol

from pymesh.proxy.codec.header_map import HeaderMap, Pair
from pymesh.proxy.codec.http2.heads import trailer_fields
from pymesh.proxy.codec.http2.limits import SEND_BUFFER
from pymesh.proxy.codec.message import ResponseHead


class Receiver(Protocol):
    """Who hears of a stream. Heads are for the client's side; the server's hears of them before it is the receiver.

    The last that comes is `on_end` or `on_reset`, or `on_reset` after `on_end`. An exception is a bug of the receiver,
    and leaves `Session.receive`.
    """

    def on_interim_head(self, head: ResponseHead) -> None: ...

    def on_head(self, head: ResponseHead) -> None: ...

    def on_body(self, data: bytes) -> None: ...

    def on_end(self, trailers: HeaderMap | None) -> None: ...

    def on_reset(self, code: int, is_malformed: bool) -> None:
        """`code` of RFC 9113 7. `is_malformed`: it was us, because what came is no message."""

    def on_sending_paused(self) -> None:
        """The peer takes no more for now, and enough waits: stop `send_body`."""

    def on_sending_resumed(self) -> None: ...


class SessionStream:
    """What it sends leaves with the session's next `take`, but for interim heads and those of requests, and not while
    the session is paused. After both ends, or a reset, nothing has an effect."""

    __slots__ = (
        "_head",
        "_is_held",
        "_is_paused",
        "_left",
        "_pending",
        "_pending_bytes",
        "_session",
        "_trailers",
        "_unread",
        "_wants_end",
        "id",
        "is_half_closable",
        "is_local_ended",
        "is_remote_ended",
        "method",
        "receiver",
    )

    def __init__(self, session: Any, stream_id: int, method: bytes) -> None:
        self._session = session
        self.id = stream_id
        self.method = method
        self.receiver: Any = None
        # what comes
        self.is_remote_ended = False
        self._left: int | None = None  # of the body, where its length was told
        self._unread = 0  # bytes that the peer has not been credited with
        self._is_held = False
        # what is sent
        self.is_local_ended = False
        self.is_half_closable = False  # it is a tunnel: one side's end is not that of the other
        self._head: list[Pair] | None = None
        self._pending: deque[bytes] = deque()
        self._pending_bytes = 0
        self._wants_end = False
        self._trailers: HeaderMap | None = None
        self._is_paused = False  # the receiver has been told

    def __repr__(self) -> str:
        return f"<SessionStream {self.id} pending={self._pending_bytes} unread={self._unread}>"

    # to send

    def send_interim_head(self, fields: list[Pair]) -> None:
        """1xx, at once."""
        if self._is_open:
            self._session.engine.send_headers(self.id, fields)

    def send_head(self, fields: list[Pair], is_end: bool = False) -> None:
        """Of the final response. It leaves with the end, where nothing else comes with the same `take`."""
        if self._is_open:
            self._head = fields
            self._session.sending[self] = None
            if is_end:
                self.send_end()

    def send_request_head(self, fields: list[Pair], is_end: bool) -> None:
        """At once: streams are opened in the order of their numbers."""
        self._session.engine.send_headers(self.id, fields, end_stream=is_end)
        if is_end:
            self._on_local_end()

    def send_body(self, data: bytes) -> None:
        if data and self._is_open:
            self._pending.append(data)
            self._pending_bytes += len(data)
            self._session.sending[self] = None

    def send_end(self, trailers: HeaderMap | None = None) -> None:
        if self._is_open:
            self._wants_end = True
            self._trailers = trailers
            self._session.sending[self] = None

    @property
    def pending_bytes(self) -> int:
        """Of the body, that the peer does not take yet."""
        return self._pending_bytes

    def finish(self) -> None:
        """Nothing more is sent, and nothing more is wanted."""
        self.is_half_closable = False
        if self.is_local_ended:
            self._session.on_local_end(self)
        else:
            self.send_end()

    def reset(self, code: int) -> None:
        """RFC 9113 7 says what `code` may be. Nothing more is heard of the stream."""
        session = self._session
        if session.streams.get(self.id) is self and not session.is_dead:
            if not session.engine.is_stream_closed(self.id):
                session.engine.reset_stream(self.id, code)
            session.forget(self)

    # to read

    def hold(self) -> None:
        """What comes is still handed on, but the peer may send only what it was allowed already: one window."""
        self._is_held = True

    def release(self) -> None:
        self._is_held = False
        self._credit()

    # for the session

    @property
    def _is_open(self) -> bool:
        session = self._session
        is_known = session.streams.get(self.id) is self and not session.is_dead
        return is_known and not self.is_local_ended and not self._wants_end

    def expect_body(self, length: int | None) -> None:
        self._left = length

    def take_body(self, data: bytes, size: int) -> bool:
        """`size` with padding. False: there is more of it than there was to be; its size is credited all the same."""
        self._unread += size
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                return False
        if data:
            self.receiver.on_body(data)
        if not self._is_held:
            self._credit()
        return True

    @property
    def is_short(self) -> bool:
        """The body has ended, and there was to be more of it."""
        return bool(self._left)

    def send_some(self) -> bool:
        """One frame of what waits. False: nothing could be sent."""
        engine = self._session.engine
        if self._head is not None:
            is_end = self._wants_end and not self._pending and self._trailers is None
            head, self._head = self._head, None
            engine.send_headers(self.id, head, end_stream=is_end)
        elif self._pending:
            room = min(engine.local_flow_control_window(self.id), engine.max_outbound_frame_size)
            if room <= 0:
                return False
            data = self._pop(room)
            is_end = self._wants_end and not self._pending and self._trailers is None
            engine.send_data(self.id, data, is_end)
            self._session.guard.data_frames_sent += 1
        elif self._wants_end and not self.is_local_ended:
            is_end = True
            if self._trailers is None:
                engine.end_stream(self.id)
            else:
                engine.send_headers(self.id, trailer_fields(self._trailers), end_stream=True)
        else:
            return False
        if is_end:
            self._on_local_end()
        return True

    def tell_pressure(self) -> None:
        """Stop whoever sends, or let him go on."""
        if self._is_paused:
            if self._pending_bytes <= SEND_BUFFER // 2:
                self._is_paused = False
                self.receiver.on_sending_resumed()
        elif self._pending_bytes > SEND_BUFFER:
            self._is_paused = True
            self.receiver.on_sending_paused()

    @property
    def has_pending(self) -> bool:
        return bool(self._pending) or self._head is not None or (self._wants_end and not self.is_local_ended)

    def on_forgotten(self) -> None:
        """What the peer was not credited with was of the connection's window too."""
        self._is_held = False
        self._head = None
        self._pending.clear()
        self._pending_bytes = 0
        self._credit()

    def _pop(self, room: int) -> bytes:
        """Up to `room` bytes; small pieces go together."""
        pending = self._pending
        data = pending.popleft()
        if len(data) > room:
            pending.appendleft(data[room:])
            data = data[:room]
        elif pending and len(data) + len(pending[0]) <= room:
            pieces, size = [data], len(data)
            while pending and size + len(pending[0]) <= room:
                pieces.append(pending.popleft())
                size += len(pieces[-1])
            data = b"".join(pieces)
        self._pending_bytes -= len(data)
        return data

    def _credit(self) -> None:
        if self._unread and not self._session.is_dead:
            unread, self._unread = self._unread, 0
            self._session.engine.acknowledge_received_data(unread, self.id)

    def _on_local_end(self) -> None:
        self.is_local_ended = True
        self._session.on_local_end(self)
