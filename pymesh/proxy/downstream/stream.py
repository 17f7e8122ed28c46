"""One request and its response, seen from the client: what the filters and the router act on."""

from collections.abc import Iterator, Mapping
from time import time as unix_time
from typing import Any

from pymesh.names import PEER_METADATA
from pymesh.proxy.codec.grpc import GRPC_TIMEOUT, format_timeout, parse_timeout
from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.message import HTTP_10, RequestHead
from pymesh.proxy.codec.serializer import CONTINUE as CONTINUE_RESPONSE
from pymesh.proxy.downstream.forwarded_client_cert import XFCC
from pymesh.proxy.downstream.request_headers import XFF, XFP
from pymesh.proxy.downstream.response_half import OwnTimeouts, ResponseHalf
from pymesh.proxy.http_filters.filter import CONTINUE, STOP
from pymesh.proxy.http_filters.local_replies import (
    ABSOLUTE_PATH_REJECTED,
    CONNECTION_HEADER_REJECTED,
    INTERNAL_ERROR,
    MAX_DURATION,
    PATH_REJECTED,
    REQUEST_TIMEOUT,
    STREAM_IDLE_TIMEOUT_REQUEST,
    STREAM_IDLE_TIMEOUT_RESPONSE,
    UPGRADE_FAILED,
)
from pymesh.proxy.routing.route import ClusterAction
from pymesh.proxy.routing.route_table import RouteTable
from pymesh.proxy.telemetry.stream_info import StreamInfo
from pymesh.proxy.telemetry.workload import parse_workload
from pymesh.proxy.tls.peer_identity import PeerIdentity

# A filter that waits holds this much of a request's body before the client is stopped.
_EARLY_BODY_LIMIT = 64 * 1024


_NO_FILTERS: Iterator[Any] = iter(())


class Stream(ResponseHalf):
    """Made for each request head. Over, for everybody, once `is_done`: telemetry has heard of it exactly once."""

    __slots__ = (
        "_filters",
        "authority",
        "has_request_body",
        "is_request_chunked",
        "path",
        "scheme",
    )

    def __init__(self, connection: Any, head: RequestHead) -> None:
        self.connection = connection
        self._manager = manager = connection.manager
        time, client = manager.time, connection.info
        now = self.active_at = time()
        # the request
        self.head = head
        self.method = method = head.method
        self.path = path = head.path
        self.headers = headers = head.headers
        self.authority = headers.get(b"host", b"")
        self.scheme = head.scheme
        self.upgrade = head.upgrade
        self.is_request_chunked = head.is_chunked
        self.has_request_body = head.is_chunked or bool(head.content_length)
        self.is_request_complete = not self.has_request_body
        self.info = StreamInfo(
            now,
            unix_time(),
            method,
            path,
            head.version,
            headers,
            client.local_address,
            client.remote_address,
            client.sni,
        )
        # on its way
        self.match = self.weighted_cluster = self.upstream = None
        self._own_timeouts = self.edit_response = self._early_body = self._early_end = None
        self._filters = _NO_FILTERS
        # the response
        self.keep_alive = head.keep_alive
        self.response_started = self._is_chunked = self.is_tunnel = self.is_done = False
        self._out = []

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

    @property
    def direct_remote_address(self) -> str:
        """Of the connection's other end, whoever it speaks for."""
        address: str = self.connection.info.remote_address
        return address

    @property
    def peer(self) -> PeerIdentity | None:
        """None without mTLS."""
        peer: PeerIdentity | None = self.connection.info.peer
        return peer

    @property
    def requested_server_name(self) -> str:
        return self.info.requested_server_name

    @property
    def dynamic_metadata(self) -> Mapping[str, Any]:
        return self.info.dynamic_metadata

    # the request

    def start(self) -> None:
        """The head is here."""
        manager, head, headers = self._manager, self.head, self.headers
        if manager.has_stream_timeouts:
            self._start_timeouts()
        if b"expect" in headers and head.version is not HTTP_10 and not manager.config.proxy_100_continue:
            self._continue_expected()
        if self.path == b"*":
            self.send_local_reply(ABSOLUTE_PATH_REJECTED)
            return
        normalize = manager.normalize_path
        if normalize is not None and self.path:
            path = normalize(self.path)
            if path is None:
                self.keep_alive = False
                self.send_local_reply(PATH_REJECTED)
                return
            self.path = self.info.path = path
        connection = self.connection
        if connection.info.peer is not None or PEER_METADATA in headers or XFF in headers:
            self._set_client(headers)
        if not manager.request_headers.apply(head, connection.remote_ip, connection.scheme):
            self.keep_alive = False
            self.send_local_reply(CONNECTION_HEADER_REJECTED)
            return
        if connection.client_cert is not None or XFCC in headers:
            connection.apply_client_cert(headers)
        if not self.scheme:
            self.scheme = headers[XFP]
        start_trace = manager.start_trace  # as a local, CPython 3.11 finds it faster than as a method
        start_trace(self.info, headers)
        table = manager.inline_routes or manager.find_routes(manager.config.route_config_name)
        if table is not None:
            self._find_route(table)
        if self.upgrade and not self._is_upgrade_allowed():
            if self.weighted_cluster is not None:
                self.info.upstream_cluster = self.weighted_cluster.name
            self.send_local_reply(UPGRADE_FAILED)
        else:
            match = self.match
            filters = manager.filters_on.get(match) or manager.route_filters.choose(match)
            self._run_filters(iter(filters))

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
        split = self._manager.context.split  # a local is called faster
        random_value = split()
        self.match = match = table.route(self, random_value)
        if match is None:
            return
        route, info = match.route, self.info
        info.route_name = route.name
        if info.sampled:
            info.operation = route.decorator
        action = route.action
        if type(action) is ClusterAction:
            self.weighted_cluster = action.only_cluster or action.choose_cluster(random_value)
            if action.has_stream_timeouts:
                self._set_timeouts(action, action.max_stream_duration)
            if action.grpc_timeout_header_max is not None and GRPC_TIMEOUT in self.headers:
                self._set_deadline(action, action.grpc_timeout_header_max)

    def clear_route_cache(self) -> None:
        """A filter has found out what routes may ask for: choose anew."""
        manager = self._manager
        for timeouts in self._own_timeouts or ():
            if timeouts is not None:
                timeouts.stop(self)
        self.weighted_cluster, self.info.route_name = None, ""
        table = manager.inline_routes or manager.find_routes(manager.config.route_config_name)
        if table is not None:
            self._find_route(table)

    def _start_timeouts(self) -> None:
        manager = self._manager
        if manager.stream_durations is not None:
            manager.stream_durations.start(self)
        if manager.request_timeouts is not None and not self.is_request_complete:
            manager.request_timeouts.start(self)

    def _set_deadline(self, action: ClusterAction, longest: float) -> None:
        """What a gRPC client says of it holds instead of any other longest duration."""
        deadline = parse_timeout(self.headers)
        if deadline is None:
            return
        deadline = min(deadline, longest) if longest else deadline
        self.headers.set(GRPC_TIMEOUT, format_timeout(deadline))
        for timeouts in self._own_timeouts or ():
            if timeouts is not None:
                timeouts.stop(self)
        self._set_timeouts(action, max(deadline, 0.001))

    def _set_timeouts(self, action: ClusterAction, duration: float | None) -> None:
        """The route's own, instead of the connection manager's."""
        idle = action.idle_timeout
        if idle is not None:
            self.active_at = None
        if duration is not None and self._manager.stream_durations is not None:
            self._manager.stream_durations.stop(self)
        queue = self._manager.context.timers.queue
        self._own_timeouts = OwnTimeouts(
            queue(idle, Stream.on_idle_timeout) if idle else None,
            queue(duration, Stream.on_max_duration) if duration else None,
        )
        for timeouts in self._own_timeouts:
            if timeouts is not None:
                timeouts.start(self)

    def _is_upgrade_allowed(self) -> bool:
        if self.match is None:
            return True  # the router answers 404
        upgrade = self.upgrade.decode("latin-1")
        action = self.match.route.action
        if isinstance(action, ClusterAction):
            if upgrade in action.refused_upgrades:
                return False
            if upgrade in action.upgrades or action.is_connect:
                return True
        allowed: bool = upgrade in self._manager.config.upgrades
        return allowed

    def _run_filters(self, filters: Iterator[Any]) -> None:
        for live in filters:
            status = live.on_request(self)
            if status is CONTINUE:
                continue
            self._filters = filters  # those that are left
            if status is not STOP:
                if self.weighted_cluster is not None:  # it is logged, although nothing goes there
                    self.info.upstream_cluster = self.weighted_cluster.name
                self.send_local_reply(status)
            return

    def continue_request(self) -> None:
        """Go on after STOP, with the next filter. No effect on a stream that is over."""
        if self.is_done:
            return
        try:
            self._run_filters(self._filters)
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
        self._on_activity()
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
            self._on_activity()
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

    def on_client_eof(self) -> bool:
        """The client has ended its half. False: it is gone."""
        goes_on: bool = self.is_tunnel and self.upstream.on_client_eof()
        return goes_on

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

    # the end

    def on_idle_timeout(self) -> None:
        reply = STREAM_IDLE_TIMEOUT_RESPONSE if self.is_request_complete else STREAM_IDLE_TIMEOUT_REQUEST
        try:
            self.send_local_reply(reply)  # a response that has begun is reset
        except Exception:
            self.on_bug()

    def on_max_duration(self) -> None:
        reply = MAX_DURATION if self.is_request_complete else MAX_DURATION._replace(status=408)
        try:
            self.send_local_reply(reply)
        except Exception:
            self.on_bug()

    def on_request_timeout(self) -> None:
        if not self.response_started:
            try:
                self.send_local_reply(REQUEST_TIMEOUT)
            except Exception:
                self.on_bug()

    def on_bug(self) -> None:
        """Called in an `except`: the catch point of this stream."""
        self._manager.on_bug(repr(self))
        try:
            self.send_local_reply(INTERNAL_ERROR)
        except Exception:
            self._manager.on_bug(repr(self))
            self.connection.abort()
