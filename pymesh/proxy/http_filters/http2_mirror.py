"""A copy of a request to a cluster that is spoken to with HTTP/2. Import this only for who needs it: h2 is memory."""

from typing import Any

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.http2.heads import request_fields
from pymesh.proxy.http_filters.mirror import MirrorRequest
from pymesh.proxy.upstream.cluster import Cluster
from pymesh.proxy.upstream.endpoint import Endpoint


class Http2MirrorRequest(MirrorRequest):
    """`_connection` is an Http2Stream."""

    __slots__ = ("_fields", "_trailers")

    is_http2 = True
    _connection: Any

    def __init__(self, stream: Any, cluster: Cluster, endpoint: Endpoint, headers: HeaderMap) -> None:
        super().__init__(stream, cluster, endpoint, headers)
        self._fields = request_fields(stream.method, stream.scheme, stream.path, headers)
        self._trailers: HeaderMap | None = None
        self._is_chunked = False  # frames are the session's

    def on_request_end(self, trailers: HeaderMap | None) -> None:
        self._trailers = trailers
        super().on_request_end(trailers)

    def _flush(self) -> None:
        stream = self._connection
        if stream is None or stream.is_closed or stream.exchange is not self:
            return
        pending, self._pending = self._pending, []
        for data in pending:
            stream.send_body(data)
        if self._is_complete:
            stream.send_end(self._trailers)
        stream.flush()
        self._pending_size = stream.pending_bytes

    def on_connection(self, connection: Any) -> None:
        self._is_waiting = False
        self._connection = connection
        connection.start(self, self._fields, False)
        self._flush()
