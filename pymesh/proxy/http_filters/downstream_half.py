"""What the upstream half of a stream asks of the downstream half."""

from typing import Protocol

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.message import ResponseHead
from pymesh.proxy.http_filters.filter import LocalReply
from pymesh.proxy.matchers.compiled import Request
from pymesh.proxy.routing.route import RouteMatch
from pymesh.proxy.telemetry.stream_info import StreamInfo


class DownstreamHalf(Request, Protocol):
    """downstream.Stream is one."""

    method: bytes
    path: bytes
    headers: HeaderMap
    info: StreamInfo
    match: RouteMatch
    authority: bytes
    has_request_body: bool
    is_request_chunked: bool
    is_request_complete: bool
    upgrade: bytes

    def send_interim_head(self, head: ResponseHead) -> None: ...

    def send_response_head(self, head: ResponseHead) -> None: ...

    def send_response_body(self, data: bytes) -> None: ...

    def send_response_end(self, trailers: HeaderMap | None) -> None: ...

    def send_response(self, head: ResponseHead, body: bytes, trailers: HeaderMap | None) -> None:
        """The three at once."""

    def send_raw_data(self, data: bytes) -> None: ...

    def on_response_read_end(self) -> None:
        """Write what `send_response_*` has collected; more will come."""

    def send_local_reply(self, reply: LocalReply) -> None: ...

    def reset(self, details: str, flag: str) -> None:
        """The response has begun and cannot be finished."""

    def end_tunnel(self) -> None:
        """The server has closed its end of a tunnel."""

    def on_bug(self) -> None:
        """Called in an `except`: log the traceback, count it, answer 500."""

    def pause_request(self) -> None:
        """Stop reading the request's body until `resume_request`."""

    def resume_request(self) -> None: ...
