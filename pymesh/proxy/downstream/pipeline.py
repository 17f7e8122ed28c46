"""Requests that a client sent before the response to the one before: they wait, and have their turn one by one."""

from collections import deque
from typing import Any

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.message import CodecError, RequestHead

# A head, a piece of a body, an end with its trailers, or nonsense.
Event = RequestHead | bytes | tuple[HeaderMap | None] | CodecError


class Pipeline:
    """What of an HttpConnection came early. Bounded by one read: nothing more is read until it is its turn."""

    __slots__ = ("_connection", "_events", "add")

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._events: deque[Event] = deque()
        self.add = self._events.append
        connection.hold_reading(connection)

    def go_on(self) -> None:
        """The stream before has ended: let the next request have its events, up to the head of the one after it."""
        connection, events = self._connection, self._events
        if connection.pipeline is not self:
            return
        while events and not connection.is_closing and self._is_due(events[0]):
            connection.pipeline = None  # for the moment: what is handed on does not wait again
            self._hand_on(events.popleft())
            connection.pipeline = self
        if not events and not connection.is_closing:
            connection.pipeline = None
            connection.release_reading(connection)
        if connection.stream is not None:
            connection.stream.on_read_end()

    def _is_due(self, event: Event) -> bool:
        """A head, and nonsense behind a request, wait for the response before."""
        stream = self._connection.stream
        if isinstance(event, RequestHead):
            return stream is None
        return stream is None or not isinstance(event, CodecError) or not stream.is_request_complete

    def _hand_on(self, event: Event) -> None:
        connection = self._connection
        stream = connection.stream
        if isinstance(event, RequestHead):
            connection.on_request_head(event)
        elif isinstance(event, CodecError):
            connection.on_codec_error(event)
        elif stream is None:
            pass  # it was answered before its body was complete
        elif isinstance(event, bytes):
            (stream.on_raw_data if stream.upgrade else stream.on_request_body)(event)
        elif stream.has_request_body:
            stream.on_request_end(event[0])
