"""The response half of a stream: heads and bodies on their way to the client, whoever they come from.

Nothing is written before its time: `send_response_*` collect, and `flush` writes once for what came with one read of
the server's connection.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from pymesh.proxy.codec.grpc import is_grpc
from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.message import HTTP_10, HTTP_11, RequestHead, ResponseHead
from pymesh.proxy.codec.serializer import STATUS_LINES, STATUS_LINES_10, write_head, write_last_chunk
from pymesh.proxy.http_filters.filter import LocalReply
from pymesh.proxy.http_filters.local_replies import as_grpc
from pymesh.proxy.http_filters.upstream_request import SERVICE_TIME
from pymesh.proxy.routing.route import RouteMatch, WeightedCluster
from pymesh.proxy.telemetry.stream_info import StreamInfo
from pymesh.proxy.timers import TimerQueue

# From here on, three pieces in one writev are cheaper than one joined chunk.
_LARGE_CHUNK = 4096
# Up to here, pieces are joined: copying costs less than a second TLS record on both sides (of 16 KB, RFC 8446 5.1).
_ONE_WRITE = 16_000


class OwnTimeouts(NamedTuple):
    """Of a stream's route, instead of the connection manager's; None where it has none."""

    idle: TimerQueue | None
    duration: TimerQueue | None


class ResponseHalf:
    """What of a stream the response depends on, and the response. Stream adds the request and makes both at once."""

    __slots__ = (
        "_early_body",
        "_early_end",
        "_is_chunked",
        "_manager",
        "_out",
        "_own_timeouts",
        "active_at",
        "connection",
        "edit_response",
        "head",
        "headers",
        "info",
        "is_done",
        "is_request_complete",
        "is_tunnel",
        "keep_alive",
        "match",
        "method",
        "response_started",
        "upgrade",
        "upstream",
        "weighted_cluster",
    )

    connection: Any
    _manager: Any
    info: StreamInfo
    head: RequestHead
    method: bytes
    headers: HeaderMap
    upgrade: bytes
    is_request_complete: bool
    match: RouteMatch | None
    weighted_cluster: WeightedCluster | None
    upstream: Any
    active_at: float | None  # for the connection manager's idle timeout; None: it does not apply
    _own_timeouts: OwnTimeouts | None
    edit_response: Callable[[HeaderMap], None] | None  # a filter's, for the response's fields
    _early_body: list[bytes] | None  # what came before the router was reached
    _early_end: tuple[HeaderMap | None] | None  # its trailers: it came while a filter waited
    # the response
    keep_alive: bool
    response_started: bool
    _is_chunked: bool
    _out: list[bytes]
    is_tunnel: bool
    is_done: bool

    def on_bug(self) -> None:
        raise NotImplementedError

    def on_raw_data(self, data: bytes) -> None:
        raise NotImplementedError

    def resume_request(self) -> None:
        raise NotImplementedError

    def send_interim_head(self, head: ResponseHead) -> None:
        """Not 100, which has been answered here already (RFC 9110 10.1.1), unless that is the server's to say."""
        if self.head.version is HTTP_11 and (head.status != 100 or self._manager.config.proxy_100_continue):
            self._out.append(write_head(STATUS_LINES[head.status], head.headers))
            self.flush()

    def send_response_head(self, head: ResponseHead) -> None:
        """Of the server. Framing is the connection's own, whatever the server's was."""
        self._out.append(self._response_head(head))

    def send_response(self, head: ResponseHead, body: bytes, trailers: HeaderMap | None) -> None:
        """A whole one of the server, in one write."""
        written = self._response_head(head)
        if self._is_chunked or len(body) >= _ONE_WRITE:
            self._out.append(written)
            if body:
                self.send_response_body(body)
            self.send_response_end(trailers)
            return
        self.info.bytes_sent += len(body)
        write = self.connection.write
        write(written + body)
        self._finish()

    def _response_head(self, head: ResponseHead) -> bytes:
        status, headers, info = head.status, head.headers, self.info
        info.response_code = status
        info.response_code_details = "via_upstream"
        info.response_headers = headers
        match = self.match
        if match is not None and match.changes_response:
            self._change_head(match, headers)
            if b"content-length" not in headers:
                head.content_length = None  # a change took it away: frame the body in another way
        if self.edit_response is not None:
            self.edit_response(headers)
        self.response_started = True
        if self.upgrade:
            self._begin_tunnel(status, headers)
        self._manager.response_headers.apply(headers, self.headers, self.is_tunnel)
        if (head.content_length is None or status == 204) and not self.is_tunnel:
            self._frame(status, headers)
        return self._write_head(status, headers)

    def _change_head(self, match: RouteMatch, headers: HeaderMap) -> None:
        if self.weighted_cluster is not None:
            self.weighted_cluster.response_headers.apply(headers, self.info)
        match.route.response_headers.apply(headers, self.info)

    def _frame(self, status: int, headers: HeaderMap) -> None:
        """RFC 9112 6, where the server gave no length."""
        if status == 204:
            headers.remove(b"content-length")
        elif status != 304:
            if self.head.version is HTTP_11:
                self._is_chunked = self.method != b"HEAD"
                headers[b"transfer-encoding"] = b"chunked"
            elif self.method != b"HEAD":
                self.keep_alive = False  # the body ends where the connection does

    def _write_head(self, status: int, headers: HeaderMap) -> bytes:
        if self.connection.is_last_request:
            self.keep_alive = False
        if not self.keep_alive and not self.is_tunnel:
            headers.set(b"connection", b"close")
        lines = STATUS_LINES
        if self.head.version is HTTP_10:
            lines = STATUS_LINES_10
            if self.keep_alive:
                headers.set(b"connection", b"keep-alive")
        return write_head(lines[status], headers)

    def send_response_body(self, data: bytes) -> None:
        self.info.bytes_sent += len(data)
        if not self._is_chunked:
            self._out.append(data)
        elif len(data) < _LARGE_CHUNK:
            self._out.append(b"%x\r\n%b\r\n" % (len(data), data))
        else:
            self._out += (b"%x\r\n" % len(data), data, b"\r\n")

    def send_response_end(self, trailers: HeaderMap | None) -> None:
        if self._is_chunked:
            self._out.append(write_last_chunk(trailers))
        self.flush()
        self._finish()

    def on_response_read_end(self) -> None:
        """There is more of the response to come, and time to write what is there."""
        self._on_activity()
        self.flush()

    def _on_activity(self) -> None:
        if self.active_at is not None:
            self.active_at = self._manager.time()
        elif self._own_timeouts is not None and self._own_timeouts.idle is not None:
            self._own_timeouts.idle.start(self)

    def flush(self) -> None:
        """Write what has been collected, in one go."""
        out = self._out
        if not out:
            return
        self._out = []
        connection = self.connection
        if len(out) == 1 or self.info.bytes_sent < _ONE_WRITE:
            write = connection.write
            write(b"".join(out))
        else:
            connection.writelines(out)
        if connection.is_write_paused and self.upstream is not None:
            self.upstream.pause_response()

    def send_local_reply(self, reply: LocalReply) -> None:
        """Answer in the server's place. No effect on a stream that is over."""
        if self.is_done:
            return
        if self.response_started:
            self.reset(reply.details, reply.flag)
            return
        info = self.info
        info.response_code_details = reply.details
        is_refused = reply.status == 400
        if is_grpc(self.headers):
            reply = as_grpc(reply, self.method)
        headers = self._local_reply_headers(reply)
        info.response_code = reply.status
        if reply.flag:
            info.add_flag(reply.flag)
        if self._early_end is not None:
            self.is_request_complete = True
        if not self.is_request_complete or self.upgrade or is_refused:
            self.keep_alive = False  # what is left of the request will not be read; or, as in Envoy, cannot be trusted
        self._out.clear()
        self.response_started = True
        self._write_local_reply(reply.status, headers, reply.body)
        self._finish()

    def _write_local_reply(self, status: int, headers: HeaderMap, body: bytes) -> None:
        written = self._write_head(status, headers)
        self._out.append(written if body else _with_empty_body(written, status, self.head))
        if body and self.method != b"HEAD":
            self._out.append(body)
            self.info.bytes_sent += len(body)
        self.flush()

    def _local_reply_headers(self, reply: LocalReply) -> HeaderMap:
        headers = self.info.response_headers = HeaderMap(reply.headers)
        if self.match is not None:
            self._change_head(self.match, headers)
        if self.edit_response is not None:
            self.edit_response(headers)
        if reply.body:
            headers.set(b"content-length", b"%d" % len(reply.body))
            if b"content-type" not in headers:
                headers[b"content-type"] = b"text/plain"
        self._manager.response_headers.apply(headers, self.headers, False)
        return headers

    def reset(self, details: str, flag: str) -> None:
        """The response has begun and cannot be finished: the client sees its connection close too early."""
        if self.is_done:
            return
        self.info.add_flag(flag)
        self.info.response_code_details = details
        self.keep_alive = False
        self.flush()
        self._finish()

    # tunnels

    def _begin_tunnel(self, status: int, headers: HeaderMap) -> None:
        """The server has agreed to the upgrade; otherwise its answer is an ordinary one, and the last."""
        self.keep_alive = False
        headers.remove(SERVICE_TIME)  # as in Envoy: a request for an upgrade is never complete
        if status != (200 if self.upgrade == b"connect" else 101):
            return
        self.is_tunnel = True
        self._manager.context.loop.call_soon(self._open_tunnel)

    def _open_tunnel(self) -> None:
        """After the head has been written."""
        if self.is_done:
            return
        try:
            self.flush()
            early, self._early_body = self._early_body, None
            for data in early or ():
                self.on_raw_data(data)
            self.resume_request()
        except Exception:  # nobody else stands behind the loop's call
            self.on_bug()

    def send_raw_data(self, data: bytes) -> None:
        self.info.bytes_sent += len(data)
        self._on_activity()
        self._out.append(data)
        self.flush()

    def end_response(self) -> bool:
        """The server has ended its half of a tunnel, and the client may go on. False: it cannot be told."""
        self.flush()
        told: bool = self.connection.end_writing()
        return told

    def end_tunnel(self) -> None:
        if not self.is_done:
            self.flush()
            self._finish()

    def _finish(self) -> None:
        self.is_done = True
        info, manager = self.info, self._manager
        time, on_request_complete = manager.time, manager.on_request_complete
        info.end = time()
        if self._own_timeouts is not None or manager.has_stream_timeouts:
            self._stop_timeouts()
        upstream, self.upstream = self.upstream, None  # no cycle is left for the garbage collector
        if upstream is not None:
            upstream.close()
        on_request_complete(info, manager.direction)
        self.connection.on_stream_end(self)

    def _stop_timeouts(self) -> None:
        manager = self._manager
        for timeouts in (*(self._own_timeouts or ()), manager.request_timeouts, manager.stream_durations):
            if timeouts is not None:
                timeouts.stop(self)


def _with_empty_body(written: bytes, status: int, request: RequestHead) -> bytes:
    """Envoy writes the length of an empty body last, and to HEAD what it would say of a body that it does not know."""
    if status in (204, 304) or status < 200:
        return written
    if request.method != b"HEAD":
        return written[:-2] + b"content-length: 0\r\n\r\n"
    return written[:-2] + b"transfer-encoding: chunked\r\n\r\n" if request.version is HTTP_11 else written
