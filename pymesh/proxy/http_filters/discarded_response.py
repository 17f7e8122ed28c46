"""A response that nobody wants any more: of a try that is made again, or of a mirrored request."""

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.message import ResponseHead
from pymesh.proxy.upstream.failure import UpstreamFailure
from pymesh.proxy.upstream.http_connection import HttpConnection

# A longer rest of a response costs more than a new connection.
MAX_DISCARDED_BYTES = 64 * 1024


class Discard:
    """Swallows a response's rest so that its connection can be used again. An Exchange."""

    __slots__ = ("_connection", "_left")

    def __init__(self, connection: HttpConnection) -> None:
        self._connection = connection
        self._left = MAX_DISCARDED_BYTES

    def on_interim_head(self, head: ResponseHead) -> None:
        pass

    def on_response_head(self, head: ResponseHead) -> None:
        pass

    def on_response_body(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            self._connection.abandon()

    def on_response_end(self, trailers: HeaderMap | None) -> None:
        pass

    def on_response(self, head: ResponseHead, body: bytes, trailers: HeaderMap | None) -> None:
        pass

    def on_raw_data(self, data: bytes) -> None:
        self._connection.abandon()

    def on_read_end(self) -> None:
        pass

    def on_upstream_failure(self, failure: UpstreamFailure) -> None:
        pass

    def on_upstream_paused(self) -> None:
        pass

    def on_upstream_resumed(self) -> None:
        pass


def discard_response(connection: HttpConnection, head: ResponseHead) -> None:
    """The response that begins with `head` is not wanted."""
    if head.ends_at_close or not connection.request_sent or (head.content_length or 0) > MAX_DISCARDED_BYTES:
        connection.abandon()
    else:
        connection.exchange = Discard(connection)
