"""One request and its response, seen from the client: what the filters and the router act on.

Nothing is written before its time: `send_response_*` collect, and `flush` writes once for what came with one read of
the server's connection.
"""

import time
from typing import Any

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.message import HTTP_10, HTTP_11, RequestHead, ResponseHead
from pymesh.proxy.codec.serializer import CONTINUE as CONTINUE_RESPONSE
from pymesh.proxy.codec.serializer import STATUS_LINES, STATUS_LINES_10, write_head, write_last_chunk
from pymesh.proxy.downstream.forwarded_client_cert import XFCC
from pymesh.proxy.downstream.request_headers import XFF, XFP
from pymesh.proxy.http_filters.filter import CONTINUE, STOP, LocalReply
from pymesh.proxy.http_filters.local_replies import (
    ABSOLUTE_PATH_REJECTED,
    INTERNAL_ERROR,
    PATH_REJECTED,
    REQUEST_TIMEOUT,
    STREAM_IDLE_TIMEOUT_REQUEST,
    STREAM_IDLE_TIMEOUT_RESPONSE,
    UPGRADE_FAILED,
)
from pymesh.proxy.routing.route import ClusterAction, RouteMatch, WeightedCluster
from pymesh.proxy.routing.route_table import RouteTable
from pymesh.proxy.telemetry.stream_info import StreamInfo
from pymesh.proxy.telemetry.workload import parse_workload

PEER_METADATA = b"x-envoy-peer-metadata"

# A filter that waits holds this much of a request's body before the client is stopped.
_EARLY_BODY_LIMIT = 64 * 1024
# From here on, three pieces in one writev are cheaper than one joined chunk.
_LARGE_CHUNK = 4096


class Stream:
    """Made for each request head. Over, for everybody, once `is_done`: telemetry has heard of it exactly once."""

    __slots__ = (
        "_early_body",
        "_early_end",
        "_filter_index",
        "_idle_timeouts",
        "_is_chunked",
        "_manager",
        "_out",
        "authority",
        "connection",
        "has_request_body",
        "head",
        "headers",
        "info",
        "is_done",
        "is_request_chunked",
        "is_request_complete",
        "is_tunnel",
        "keep_alive",
        "match",
        "method",
        "path",
        "response_started",
        "scheme",
        "upgrade",
        "upstream",
        "weighted_cluster",
    )

    def __init__(self, connection: Any, head: RequestHead) -> None:
        self.connection = connection
        self._manager = connection.manager
        # the request
        self.head = head
        self.method = head.method
        self.path = head.path
        self.headers = head.headers
        self.authority = head.headers.get(b"host", b"")
        self.scheme = head.scheme
        self.upgrade = head.upgrade
        self.is_request_chunked = head.is_chunked
        self.has_request_body = head.is_chunked or bool(head.content_length)
        self.is_request_complete = not self.has_request_body
        self.match: RouteMatch | None = None
        self.weighted_cluster: WeightedCluster | None = None
        self._early_body: list[bytes] | None = None  # what came before the router was reached
        self._early_end: tuple[HeaderMap | None] | None = None
        # the response
        self.keep_alive = head.keep_alive
        self.response_started = False
        self._is_chunked = False
        self._out: list[bytes] = []
        # both
        self.upstream: Any = None
        self.is_tunnel = False
        self.is_done = False
        self._filter_index = 0
        self._idle_timeouts = self._manager.stream_idle_timeouts
        info = self.info = StreamInfo(time.monotonic(), time.time())
        client = connection.info
        info.downstream_local_address = client.local_address
        info.downstream_remote_address = client.remote_address
        info.requested_server_name = client.sni
        info.method = head.method
        info.path = head.path
        info.protocol = head.version
        info.request_headers = head.headers

    def __repr__(self) -> str:
        return f"<Stream {self.method!r} {self.path!r} {self.info.response_code} {self.upstream!r}>"

    # what routes and filters look at

    @property
    def is_tls(self) -> bool:
        is_tls: bool = self.connection.info.is_tls
        return is_tls

    @property
    def remote_address(self) -> str:
        return self.info.downstream_remote_address

    @property
    def local_address(self) -> str:
        return self.info.downstream_local_address

    # the request

    def start(self) -> None:
        """The head is here."""
        manager, head, headers = self._manager, self.head, self.headers
        if self._idle_timeouts is not None:
            self._idle_timeouts.start(self)
        if manager.request_timeouts is not None and not self.is_request_complete:
            manager.request_timeouts.start(self)
        if b"expect" in headers and head.version is HTTP_11:
            self._continue_expected()
        if self.path == b"*":
            self.send_local_reply(ABSOLUTE_PATH_REJECTED)
            return
        if manager.normalize_path is not None and self.path:
            path = manager.normalize_path(self.path)
            if path is None:
                self.send_local_reply(PATH_REJECTED)
                return
            self.path = path
        connection = self.connection
        if connection.info.peer is not None or PEER_METADATA in headers or XFF in headers:
            self._set_client(headers)
        manager.request_headers.apply(head, connection.remote_ip, connection.scheme)
        if connection.client_cert is not None or XFCC in headers:
            connection.apply_client_cert(headers)
        if not self.scheme:
            self.scheme = headers[XFP]
        manager.start_trace(self.info, headers)
        table = manager.inline_routes or manager.find_routes(manager.config.route_config_name)
        if table is not None:
            self._find_route(table)
        if self.upgrade and not self._is_upgrade_allowed():
            self.send_local_reply(UPGRADE_FAILED)
        else:
            self._run_filters(0)

    def _continue_expected(self) -> None:
        """RFC 9110 10.1.1, as Envoy does: it is the proxy that wants the body."""
        if (self.headers.get(b"expect") or b"").lower() == b"100-continue":
            self.connection.write(CONTINUE_RESPONSE)

    def _set_client(self, headers: HeaderMap) -> None:
        """Who it is that asks. What a client says of its workload counts only where a certificate stands behind it."""
        info, connection = self.info, self.connection
        metadata = headers.get(PEER_METADATA)
        if metadata is not None:
            headers.remove(PEER_METADATA)
        if connection.info.peer is not None:
            info.downstream_principal = connection.principal
            if self._manager.is_inbound:
                info.is_mtls = True
                if metadata is not None:
                    info.downstream_peer = parse_workload(metadata.decode("latin-1"))
        if XFF in headers:
            address = self._manager.request_headers.client_address(headers)
            if address is not None:
                info.downstream_remote_address = address

    def _find_route(self, table: RouteTable) -> None:
        random_value = self._manager.context.random()
        self.match = match = table.route(self, random_value)
        if match is None:
            return
        route, info = match.route, self.info
        info.route_name = route.name
        if info.sampled:
            info.operation = route.decorator
        action = route.action
        if type(action) is ClusterAction:
            self.weighted_cluster = action.choose_cluster(random_value)
            if action.idle_timeout is not None:
                self._set_idle_timeout(action.idle_timeout)

    def _set_idle_timeout(self, duration: float) -> None:
        """The route's own, instead of the connection manager's."""
        if self._idle_timeouts is not None:
            self._idle_timeouts.stop(self)
        timers = self._manager.context.timers
        self._idle_timeouts = timers.queue(duration, Stream.on_idle_timeout) if duration else None
        if self._idle_timeouts is not None:
            self._idle_timeouts.start(self)

    def _is_upgrade_allowed(self) -> bool:
        if self.match is None:
            return True  # the router answers 404
        upgrade = self.upgrade.decode("latin-1")
        action = self.match.route.action
        if isinstance(action, ClusterAction) and (upgrade in action.upgrades or action.is_connect):
            return True
        allowed: bool = upgrade in self._manager.config.upgrades
        return allowed

    def _run_filters(self, index: int) -> None:
        filters = self._manager.filters
        while True:
            status = filters[index].on_request(self)
            index += 1
            if status is CONTINUE:
                continue
            self._filter_index = index
            if status is not STOP:
                self.send_local_reply(status)
            return

    def continue_request(self) -> None:
        """Go on after STOP, with the next filter. No effect on a stream that is over."""
        if self.is_done:
            return
        try:
            self._run_filters(self._filter_index)
            if self.upstream is not None:
                self._send_early_body()
        except Exception:
            self.on_bug()

    def _send_early_body(self) -> None:
        early, self._early_body = self._early_body, None
        for data in early or ():
            self.upstream.on_request_body(data)
        if self._early_end is not None:
            self.is_request_complete = True
            self.upstream.on_request_end(self._early_end[0])
        self.upstream.flush()
        self.resume_request()

    def on_request_body(self, data: bytes) -> None:
        self.info.bytes_received += len(data)
        if self._idle_timeouts is not None:
            self._idle_timeouts.start(self)
        if self.upstream is not None:
            self.upstream.on_request_body(data)
            return
        if self._early_body is None:
            self._early_body = []
        self._early_body.append(data)
        if self.info.bytes_received > _EARLY_BODY_LIMIT:
            self.pause_request()

    def on_request_end(self, trailers: HeaderMap | None) -> None:
        if self._manager.request_timeouts is not None:
            self._manager.request_timeouts.stop(self)
        if self.upstream is None:
            self._early_end = (trailers,)
            return
        self.is_request_complete = True
        self.upstream.on_request_end(trailers)

    def on_raw_data(self, data: bytes) -> None:
        """After an upgrade, or bytes that came right behind the request for one."""
        if self.is_tunnel:
            self.info.bytes_received += len(data)
            if self._idle_timeouts is not None:
                self._idle_timeouts.start(self)
            self.upstream.send_raw_data(data)
            return
        if self._early_body is None:
            self._early_body = []
        self._early_body.append(data)
        self.pause_request()

    def on_read_end(self) -> None:
        """A read of the client's connection has been handed on."""
        if self.upstream is not None:
            self.upstream.flush()

    def on_client_gone(self) -> None:
        """The client has closed its connection."""
        if self.is_done:
            return
        self.info.add_flag("DC")
        self.info.response_code_details = "downstream_remote_disconnect"
        self._finish()

    def pause_request(self) -> None:
        self.connection.hold_reading(self)

    def resume_request(self) -> None:
        self.connection.release_reading(self)

    # the response

    def send_interim_head(self, head: ResponseHead) -> None:
        if self.head.version is HTTP_11:
            self._out.append(write_head(STATUS_LINES[head.status], head.headers))
            self.flush()

    def send_response_head(self, head: ResponseHead) -> None:
        """Of the server. Framing is the connection's own, whatever the server's was."""
        status, headers, info = head.status, head.headers, self.info
        weighted, match = self.weighted_cluster, self.match
        if weighted is not None and weighted.response_headers.changes:
            weighted.response_headers.apply(headers, info)
        if match is not None and match.route.response_headers.changes:
            match.route.response_headers.apply(headers, info)
        info.response_code = status
        info.response_code_details = "via_upstream"
        info.response_headers = headers
        self.response_started = True
        if self.upgrade:
            self._begin_tunnel(status)
        self._manager.response_headers.apply(headers, self.headers, self.is_tunnel)
        if (head.content_length is None or status == 204) and not self.is_tunnel:
            self._frame(status, headers)
        self._write_head(status, headers)

    def _frame(self, status: int, headers: HeaderMap) -> None:
        """RFC 9112 6, where the server gave no length."""
        if status == 204:
            headers.remove(b"content-length")
        elif status != 304 and self.method != b"HEAD":
            if self.head.version is HTTP_11:
                self._is_chunked = True
                headers[b"transfer-encoding"] = b"chunked"
            else:
                self.keep_alive = False  # the body ends where the connection does

    def _write_head(self, status: int, headers: HeaderMap) -> None:
        if self.connection.is_last_request:
            self.keep_alive = False
        if not self.keep_alive and not self.is_tunnel:
            headers.set(b"connection", b"close")
        lines = STATUS_LINES
        if self.head.version is HTTP_10:
            lines = STATUS_LINES_10
            if self.keep_alive:
                headers.set(b"connection", b"keep-alive")
        self._out.append(write_head(lines[status], headers))

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
        if self._idle_timeouts is not None:
            self._idle_timeouts.start(self)
        self.flush()

    def flush(self) -> None:
        """Write what has been collected, in one go."""
        out = self._out
        if not out:
            return
        self._out = []
        connection = self.connection
        if len(out) == 1:
            connection.write(out[0])
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
        headers = self._local_reply_headers(reply)
        info.response_code = reply.status
        info.response_code_details = reply.details
        info.response_headers = headers
        if reply.flag:
            info.add_flag(reply.flag)
        if not self.is_request_complete or self.upgrade:
            self.keep_alive = False  # what is left of the request will not be read
        self._out.clear()
        self.response_started = True
        self._write_head(reply.status, headers)
        if not reply.body:
            self._out[0] = _with_empty_body(self._out[0], reply.status)
        elif self.method != b"HEAD":
            self._out.append(reply.body)
            info.bytes_sent += len(reply.body)
        self.flush()
        self._finish()

    def _local_reply_headers(self, reply: LocalReply) -> HeaderMap:
        headers = HeaderMap()
        if reply.body:
            headers[b"content-length"] = b"%d" % len(reply.body)
            headers[b"content-type"] = b"text/plain"
        for name, value in reply.headers:
            headers.set(name, value)
        if reply.details == "direct_response" and self.match is not None:
            self.match.route.response_headers.apply(headers, self.info)
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

    def _begin_tunnel(self, status: int) -> None:
        """The server has agreed to the upgrade; otherwise its answer is an ordinary one, and the last."""
        self.keep_alive = False
        if status != (200 if self.upgrade == b"connect" else 101):
            return
        self.is_tunnel = True
        self._manager.context.loop.call_soon(self._open_tunnel)

    def _open_tunnel(self) -> None:
        """After the head has been written."""
        if self.is_done:
            return
        self.flush()
        early, self._early_body = self._early_body, None
        for data in early or ():
            self.on_raw_data(data)
        self.resume_request()

    def send_raw_data(self, data: bytes) -> None:
        self.info.bytes_sent += len(data)
        if self._idle_timeouts is not None:
            self._idle_timeouts.start(self)
        self._out.append(data)
        self.flush()

    def end_tunnel(self) -> None:
        if not self.is_done:
            self.flush()
            self._finish()

    # the end

    def on_idle_timeout(self) -> None:
        if self.response_started:
            self.reset("stream_idle_timeout", "SI")
        else:
            self.send_local_reply(
                STREAM_IDLE_TIMEOUT_RESPONSE if self.is_request_complete else STREAM_IDLE_TIMEOUT_REQUEST
            )

    def on_request_timeout(self) -> None:
        if not self.response_started:
            self.send_local_reply(REQUEST_TIMEOUT)

    def on_bug(self) -> None:
        """Called in an `except`: the catch point of this stream."""
        self._manager.on_bug(repr(self))
        try:
            self.send_local_reply(INTERNAL_ERROR)
        except Exception:
            self._manager.on_bug(repr(self))
            self.connection.abort()

    def _finish(self) -> None:
        self.is_done = True
        info = self.info
        info.end = time.monotonic()
        if self._idle_timeouts is not None:
            self._idle_timeouts.stop(self)
        if self._manager.request_timeouts is not None:
            self._manager.request_timeouts.stop(self)
        upstream, self.upstream = self.upstream, None  # no cycle is left for the garbage collector
        if upstream is not None:
            upstream.close()
        self._manager.on_request_complete(info, self._manager.direction)
        self.connection.on_stream_end(self)


def _with_empty_body(head: bytes, status: int) -> bytes:
    """Envoy writes the length of an empty body last."""
    return head if status in (204, 304) or status < 200 else head[:-2] + b"content-length: 0\r\n\r\n"
