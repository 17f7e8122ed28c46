"""A stream's way upstream: endpoint, connection, request, response, and the next try where one came to nothing.

Envoy's router keeps one object for each try; here one object lives as long as the stream, because there is never more
than one try at a time and an abandoned one cannot speak any more.
"""

import time
from typing import Any, Protocol

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.message import ResponseHead
from pymesh.proxy.codec.serializer import write_chunk, write_head, write_last_chunk
from pymesh.proxy.http_filters.discarded_response import discard_response
from pymesh.proxy.http_filters.filter import FilterContext, LocalReply
from pymesh.proxy.http_filters.local_replies import NO_HEALTHY_UPSTREAM, RESPONSE_TIMEOUT, upstream_failed
from pymesh.proxy.http_filters.mirror import MirrorRequest
from pymesh.proxy.http_filters.retry_state import RetryDecision, RetryState
from pymesh.proxy.routing.route import ClusterAction, RouteMatch
from pymesh.proxy.telemetry.stream_info import StreamInfo
from pymesh.proxy.upstream.cluster import Cluster
from pymesh.proxy.upstream.connection_pool import ConnectionPool
from pymesh.proxy.upstream.endpoint import Endpoint
from pymesh.proxy.upstream.failure import CONNECTION_TERMINATION, OVERFLOW, PER_TRY_TIMEOUT, UpstreamFailure
from pymesh.proxy.upstream.http_connection import HttpConnection
from pymesh.proxy.upstream.load_balancer import LoadBalancerContext

PEER_METADATA = b"x-envoy-peer-metadata"
ATTEMPT_COUNT = b"x-envoy-attempt-count"
SERVICE_TIME = b"x-envoy-upstream-service-time"

# What is kept of a request's body to send it again; a longer one is sent once (Envoy: per_request_buffer_limit_bytes,
# whose default is the connection's buffer limit of 1 MiB).
RETRY_BUFFER_LIMIT = 1 << 20
# What is held of a body while the connection is being opened, before the client is stopped.
PENDING_BUFFER_LIMIT = 64 * 1024

_IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))  # RFC 9110 9.2.2


class DownstreamHalf(Protocol):
    """What the upstream half asks of the stream: downstream.Stream is one."""

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


class UpstreamRequest(LoadBalancerContext):
    """An Exchange of its connection, a Waiter of the pool and the context of the load balancer, all in one."""

    __slots__ = (
        "_action",
        "_adds_envoy_headers",
        "_body",
        "_body_size",
        "_cluster",
        "_connection",
        "_context",
        "_endpoint",
        "_has_request_slot",
        "_has_timers",
        "_head_sent_at",
        "_is_done",
        "_is_paused",
        "_is_replayable",
        "_is_response_paused",
        "_is_waiting",
        "_mirrors",
        "_pool",
        "_response_started",
        "_retry",
        "_stream",
        "_timer",
        "_trailers",
        "_was_resent",
    )

    def __init__(
        self, stream: Any, cluster: Cluster, action: ClusterAction, context: FilterContext, adds_envoy_headers: bool
    ) -> None:
        self._stream = stream
        self._adds_envoy_headers = adds_envoy_headers
        self._cluster = cluster
        self._action = action
        self._context = context
        # for the load balancer
        self.authority = stream.authority
        self.hash = action.hash(stream) if action.hash_policies else None
        self.tried = ()
        # the request's body: kept for another try, or until there is a connection
        self._body: list[bytes] = []
        self._body_size = 0
        self._trailers: HeaderMap | None = None
        self._mirrors: list[MirrorRequest] | None = None
        # of all tries
        policy = action.retry_policy
        self._retry = None if policy is None else RetryState(policy, cluster.circuit_breakers.retries)
        self._is_replayable = policy is not None
        self._was_resent = False
        self._has_timers = bool(action.timeout) or (policy is not None and bool(policy.per_try_timeout))
        self._timer: Any = None
        self._is_done = False
        self._is_paused = False
        self._is_response_paused = False
        # of this try
        self._endpoint: Endpoint | None = None
        self._pool: Any = None
        self._connection: HttpConnection | None = None
        self._is_waiting = False
        self._has_request_slot = False
        self._head_sent_at = 0.0
        self._response_started = False

    def __repr__(self) -> str:
        return f"<UpstreamRequest {self._cluster.name} {self._endpoint} {self._connection}>"

    # the request, from the stream

    def start(self) -> None:
        """The stream's head is final."""
        if self._action.mirrors:
            self._mirrors = MirrorRequest.start_all(self._action.mirrors, self._stream, self._context)
        if self._has_timers and self._stream.is_request_complete:
            self._start_timeout()
        self._try()

    def on_request_body(self, data: bytes) -> None:
        self._body_size += len(data)
        if self._mirrors is not None:
            for mirror in self._mirrors:
                mirror.on_request_body(data)
        connection = self._connection
        if self._is_replayable and self._body_size > RETRY_BUFFER_LIMIT:
            self._is_replayable = False
            if connection is not None:
                self._body.clear()
        if self._is_replayable or connection is None:
            self._body.append(data)
        if connection is not None:
            self._write_body(connection, data)
        elif self._body_size > PENDING_BUFFER_LIMIT and not self._is_paused:
            self._is_paused = True
            self._stream.pause_request()

    def on_request_end(self, trailers: HeaderMap | None) -> None:
        self._trailers = trailers
        if self._mirrors is not None:
            for mirror in self._mirrors:
                mirror.on_request_end()
        if not self._response_started:
            self._start_timeout()
            self._start_per_try_timeout()
        if self._connection is not None:
            self._write_end(self._connection)
            self._connection.flush()

    def on_raw_data(self, data: bytes) -> None:
        """From upstream, after an upgrade."""
        self._stream.send_raw_data(data)

    def send_raw_data(self, data: bytes) -> None:
        """From downstream, after an upgrade."""
        if self._connection is not None:
            self._connection.write(data)

    def flush(self) -> None:
        """A read of the downstream connection has been handed on."""
        if self._connection is not None and self._connection.out:
            self._connection.flush()

    def close(self) -> None:
        """The stream is over, one way or the other: let go of everything. What is in flight is abandoned."""
        if self._is_done:
            return
        self._is_done = True
        if self._has_timers:
            self._stop_timers()
        if self._retry is not None and self._retry.is_holding:
            self._retry.release()
        connection = self._connection
        if self._endpoint is not None:
            self._end_try()
        if connection is not None and connection.exchange is self:
            connection.abandon()
        if self._mirrors is not None and not self._stream.is_request_complete:
            for mirror in self._mirrors:
                mirror.close()

    def pause_response(self) -> None:
        """The client reads too slowly."""
        if self._connection is not None and not self._connection.is_closed:
            self._is_response_paused = True
            self._connection.transport.pause_reading()

    def resume_response(self) -> None:
        if self._is_response_paused:
            self._is_response_paused = False
            if self._connection is not None and not self._connection.is_closed:
                self._connection.transport.resume_reading()

    # a try

    def _try(self, fresh: bool = False) -> None:
        endpoint = self._endpoint if fresh else self._cluster.choose_endpoint(self)
        if endpoint is None:
            self._stream.send_local_reply(NO_HEALTHY_UPSTREAM)
            return
        info = self._stream.info
        info.upstream_host = self._endpoint = endpoint
        info.attempt_count += 1
        endpoint.active_requests += 1
        self._response_started = False
        if not self._cluster.circuit_breakers.requests.try_acquire():
            self.on_upstream_failure(OVERFLOW)
            return
        self._has_request_slot = True
        pool: Any = endpoint.pool or self._new_pool(endpoint)
        self._pool = pool
        if self._has_timers and self._stream.is_request_complete:
            self._start_per_try_timeout()
        got = pool.acquire(self, fresh)
        if type(got) is HttpConnection:
            self._use(got)
        elif got is None:
            self._is_waiting = True
        else:
            self.on_upstream_failure(got)

    def _new_pool(self, endpoint: Endpoint) -> ConnectionPool:
        pool = ConnectionPool(self._cluster, endpoint, self._context.timers, self._context.tasks, self._context.connect)
        endpoint.pool = pool
        return pool

    def on_connection(self, connection: HttpConnection) -> None:
        try:
            self._use(connection)
            connection.flush()
        except Exception:  # another stream's response may have freed the connection: the bug is this stream's
            self._stream.on_bug()

    def _use(self, connection: HttpConnection) -> None:
        """Send what there is of the request; a request with a body leaves with the next `flush`."""
        stream = self._stream
        self._connection = connection
        self._is_waiting = False
        stream.info.upstream_local_address = connection.local_address
        self._prepare_headers(stream, connection)
        head = write_head(b"%b %b HTTP/1.1\r\n" % (stream.method, stream.path), stream.headers)
        self._head_sent_at = time.monotonic()
        if stream.has_request_body:
            connection.start(self, head, stream.method, False, False)
            self._write_buffered(connection)
        else:
            connection.start(self, head, stream.method, bool(stream.upgrade), True)

    def _prepare_headers(self, stream: Any, connection: HttpConnection) -> None:
        """What depends on the endpoint or on the number of the try."""
        headers: HeaderMap = stream.headers
        endpoint = connection.endpoint
        if endpoint.is_mtls:
            stream.info.is_mtls = True
            stream.info.upstream_principal = connection.principal
            headers[PEER_METADATA] = self._context.peer_metadata
        elif PEER_METADATA in headers:
            headers.remove(PEER_METADATA)
        if self._action.auto_host_rewrite and endpoint.hostname:
            headers.set(b"host", endpoint.hostname.encode())
        if stream.match.virtual_host.include_request_attempt_count:
            headers[ATTEMPT_COUNT] = b"%d" % stream.info.attempt_count

    def _write_buffered(self, connection: HttpConnection) -> None:
        for data in self._body:
            self._write_body(connection, data)
        if not self._is_replayable:
            self._body = []
        if self._stream.is_request_complete:
            self._write_end(connection)
        if self._is_paused:
            self._is_paused = False
            self._stream.resume_request()

    def _write_body(self, connection: HttpConnection, data: bytes) -> None:
        connection.out.append(write_chunk(data) if self._stream.is_request_chunked else data)

    def _write_end(self, connection: HttpConnection) -> None:
        if self._stream.is_request_chunked:
            connection.out.append(write_last_chunk(self._trailers))
        connection.request_sent = True

    def _end_try(self) -> None:
        """Give back what the try has taken. The connection, if any, is no longer ours."""
        endpoint = self._endpoint
        if endpoint is None:
            return
        if self._is_response_paused:
            self.resume_response()  # whoever gets the connection next expects it to be read
        self._endpoint = None
        endpoint.active_requests -= 1
        if self._has_request_slot:
            self._has_request_slot = False
            self._cluster.circuit_breakers.requests.release()
        if self._is_waiting:
            self._is_waiting = False
            self._pool.cancel(self)
        self._connection = None

    # the response, from the connection

    def on_interim_head(self, head: ResponseHead) -> None:
        # RFC 9110 10.1.1: the 100 has been answered by ourselves.
        if head.status != 100:
            self._stream.send_interim_head(head)

    def on_response_head(self, head: ResponseHead) -> None:
        connection = self._connection
        assert connection is not None
        self._cluster.on_result(connection.endpoint, head.status, None)
        if self._retry is not None and self._is_retried(self._retry.on_response(head.status, head.headers)):
            discard_response(connection, head)
            self._retry_later()
            return
        self._response_started = True
        if self._has_timers and self._retry is not None:
            self._stop_per_try_timeout()
        if self._adds_envoy_headers:
            head.headers[SERVICE_TIME] = b"%d" % (1000 * (time.monotonic() - self._head_sent_at))
        if self._stream.match.virtual_host.include_attempt_count_in_response:
            head.headers[ATTEMPT_COUNT] = b"%d" % self._stream.info.attempt_count
        if self._action.hash_policies:
            self._set_cookies(head.headers)
        self._stream.send_response_head(head)

    def _set_cookies(self, headers: HeaderMap) -> None:
        """Those by which a client comes back to the endpoint that its hash has chosen."""
        for cookie in self._action.generated_cookies(self._stream):
            headers.add(b"set-cookie", cookie)

    def on_response_body(self, data: bytes) -> None:
        self._stream.send_response_body(data)

    def on_response_end(self, trailers: HeaderMap | None) -> None:
        self._end_try()
        self._stream.send_response_end(trailers)

    def on_read_end(self) -> None:
        self._stream.on_response_read_end()

    def on_upstream_paused(self) -> None:
        self._stream.pause_request()

    def on_upstream_resumed(self) -> None:
        self._stream.resume_request()

    def on_upstream_failure(self, failure: UpstreamFailure) -> None:
        if self._is_done:
            return
        try:
            self._on_failure(failure)
        except Exception:  # pools and connections of other streams call this
            self._stream.on_bug()

    def _on_failure(self, failure: UpstreamFailure) -> None:
        if self._response_started:
            self._on_broken_response(failure)
            return
        connection, endpoint = self._connection, self._endpoint
        if endpoint is not None and failure is not OVERFLOW:
            self._cluster.on_result(endpoint, None, failure.reason)
        if connection is not None and self._may_resend(connection, failure):
            self._resend()
        elif self._retry is not None and self._is_retried(self._retry.on_failure(failure)):
            self._retry_later()
        else:
            self._give_up(failure)

    def _on_broken_response(self, failure: UpstreamFailure) -> None:
        if self._stream.is_tunnel:
            self._stream.end_tunnel()
            return
        detail = failure.reason.replace(" ", "_")
        self._stream.reset(f"upstream_reset_after_response_started{{{detail}}}", failure.flag)

    def _give_up(self, failure: UpstreamFailure) -> None:
        info = self._stream.info
        info.upstream_transport_failure_reason = failure.transport_failure
        reply = upstream_failed(failure, was_retried=info.attempt_count > 1)
        self._stream.send_local_reply(reply)

    # another try

    def _may_resend(self, connection: HttpConnection, failure: UpstreamFailure) -> bool:
        """A kept-alive connection that the server closed before a byte of response: it most likely closed an idle
        connection at the moment we chose it, and never saw the request. Beyond Envoy, which answers 503 UC."""
        return (
            failure is CONNECTION_TERMINATION
            and connection.is_reused
            and not self._was_resent
            and self._stream.method in _IDEMPOTENT
            and (self._is_replayable or not self._body_size)
            and not self._stream.upgrade
        )

    def _resend(self) -> None:
        """On a new connection to the same endpoint; it is the same try."""
        endpoint = self._endpoint
        self._was_resent = True
        self._end_try()
        self._endpoint = endpoint
        self._stream.info.attempt_count -= 1
        self._try(fresh=True)
        self.flush()

    def _is_retried(self, decision: RetryDecision) -> bool:
        if decision is RetryDecision.NO:
            return False
        if decision is RetryDecision.RETRY:
            if self._is_replayable:
                return True
            assert self._retry is not None
            self._retry.release()
            return False
        self._stream.info.add_flag("URX" if decision is RetryDecision.LIMIT else "UO")
        return False

    def _retry_later(self) -> None:
        policy = self._action.retry_policy
        assert policy is not None
        assert self._retry is not None
        if policy.avoid_previous_hosts and self._endpoint is not None:
            self.tried = (*self.tried, self._endpoint)
        self._stop_per_try_timeout()
        self._end_try()
        self._has_timers = True
        self._cluster.stats.upstream_rq_retry += 1
        delay = self._retry.back_off(self._context.random())
        self._timer = self._context.timers.call_later(delay, self._retry_now)

    def _retry_now(self) -> None:
        self._timer = None
        if not self._is_done:
            try:
                self._try()
                self.flush()
            except Exception:
                self._stream.on_bug()

    # timeouts

    def _start_timeout(self) -> None:
        """Envoy: the route's timeout begins when the whole request is there."""
        if self._action.timeout:
            self._context.timers.queue(self._action.timeout, UpstreamRequest.on_timeout).start(self)

    def _start_per_try_timeout(self) -> None:
        policy = self._action.retry_policy
        if policy is not None and policy.per_try_timeout and self._endpoint is not None:
            self._per_try_timeouts().start(self)

    def _per_try_timeouts(self) -> Any:
        policy = self._action.retry_policy
        assert policy is not None
        return self._context.timers.queue(policy.per_try_timeout or 0.0, UpstreamRequest.on_per_try_timeout)

    def _stop_timers(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._action.timeout:
            self._context.timers.queue(self._action.timeout, UpstreamRequest.on_timeout).stop(self)
        self._stop_per_try_timeout()

    def _stop_per_try_timeout(self) -> None:
        if self._action.retry_policy is not None and self._action.retry_policy.per_try_timeout:
            self._per_try_timeouts().stop(self)

    def on_timeout(self) -> None:
        if self._endpoint is not None:
            self._cluster.on_result(self._endpoint, None, "timeout")
        if self._response_started:
            self._stream.reset("response_timeout", "UT")
        else:
            self._stream.send_local_reply(RESPONSE_TIMEOUT)

    def on_per_try_timeout(self) -> None:
        connection = self._connection
        self.on_upstream_failure(PER_TRY_TIMEOUT)
        if connection is not None and connection.exchange is self:
            connection.abandon()
