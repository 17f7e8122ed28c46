"""A stream's way upstream where HTTP/2 is spoken: what differs from HTTP/1.1 is what is written.

Import this only for who needs it: h2 is memory.
"""

from typing import Any

from pymesh.proxy.codec.http2.heads import request_fields
from pymesh.proxy.http_filters.upstream_request import UpstreamRequest
from pymesh.proxy.upstream.failure import CLOSED_AT_ONCE
from pymesh.proxy.upstream.http2_stream import Http2Stream


class Http2UpstreamRequest(UpstreamRequest):
    """`_connection` is an Http2Stream, which is of one try only."""

    __slots__ = ()

    is_http2 = True
    _connection: Any

    def flush(self) -> None:
        """A read of the downstream connection has been handed on."""
        if self._connection is not None:
            self._connection.flush()

    def pause_response(self) -> None:
        """The client reads too slowly."""
        if self._connection is not None:
            self._is_response_paused = True
            self._connection.hold()

    def resume_response(self) -> None:
        if self._is_response_paused:
            self._is_response_paused = False
            if self._connection is not None:
                self._connection.release()

    def _use(self, connection: Any) -> None:
        """Send what there is of the request; a request with a body leaves with the next `flush`."""
        if not isinstance(connection, Http2Stream):  # the cluster's protocol has changed since the stream began
            connection.close()
            self.on_upstream_failure(CLOSED_AT_ONCE)
            return
        stream = self._stream
        self._connection = connection
        self._is_waiting = False
        stream.info.upstream_local_address = connection.local_address
        self._prepare_headers(stream, connection)
        if self._has_timers:
            self._start_try_timeouts()
        fields = request_fields(stream.method, stream.scheme, stream.path, stream.headers)
        connection.start(self, fields, not stream.has_request_body)
        if stream.has_request_body:
            self._write_buffered(connection)

    def _write_body(self, connection: Any, data: bytes) -> None:
        connection.send_body(data)

    def _write_end(self, connection: Any) -> None:
        connection.send_end(self._trailers)
