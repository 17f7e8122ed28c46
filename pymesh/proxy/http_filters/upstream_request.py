"""A stream's way upstream: its tries, one after the other, until one of them brings a response that is final."""

from time import time as unix_time
from typing import Any

from pymesh.proxy.codec.grpc import GRPC_STATUS, http_status, is_grpc
from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.message import ResponseHead
from pymesh.proxy.http_filters.discarded_response import discard_response
from pymesh.proxy.http_filters.downstream_half import DownstreamHalf
from pymesh.proxy.http_filters.filter import FilterContext, LocalReply
from pymesh.proxy.http_filters.local_replies import (
    BUFFER_EXCEEDED,
    try_timed_out,
    upstream_failed,
)
from pymesh.proxy.http_filters.mirror import MirrorRequest
from pymesh.proxy.http_filters.request_timeouts import RequestTimeouts
from pymesh.proxy.http_filters.retry_state import RetryDecision, RetryState, is_final_response
from pymesh.proxy.http_filters.upstream_try import ATTEMPT_COUNT, IDEMPOTENT, MAX_BODY_PIECES, PENDING_BUFFER_LIMIT
from pymesh.proxy.routing.retry_policy import RetryPolicy
from pymesh.proxy.routing.route import ClusterAction
from pymesh.proxy.upstream.cluster import Cluster
from pymesh.proxy.upstream.failure import CONNECTION_TERMINATION, OVERFLOW, UpstreamFailure
from pymesh.proxy.upstream.http_connection import HttpConnection

SERVICE_TIME = b"x-envoy-upstream-service-time"
EXPECTED_TIMEOUT = b"x-envoy-expected-rq-timeout-ms"

# The usual service times in milliseconds, ready-made: to format one costs a hundredth of a request.
_SHORT_TIMES = [b"%d" % milliseconds for milliseconds in range(256)]


class UpstreamRequest(RequestTimeouts):
    """The tries of one stream: its route's timeouts, retries and mirrors, and what becomes of a response."""

    __slots__ = ("_adds_envoy_headers", "_mirrors", "_retry", "_timer", "_was_resent")

    def __init__(
        self,
        stream: DownstreamHalf,
        cluster: Cluster,
        action: ClusterAction,
        context: FilterContext,
        adds_envoy_headers: bool,
    ) -> None:
        """Of its bases too: a call for each of them would cost a fiftieth of a request."""
        # for the load balancer
        self.authority = stream.authority
        self.hash = action.hash(stream) if action.hash_policies else None
        self.tried = ()
        # of all tries
        self._stream = stream
        self._cluster = cluster
        self._breakers = cluster.high_priority_breakers if action.is_high_priority else cluster.circuit_breakers
        self._action = action
        self._context = context
        self._is_done = False
        self._has_timers = False
        if action.has_timeouts:
            self._expect_timers()
        # the body
        self._body = []
        self._body_size = 0
        self._trailers = None
        self._is_replayable = action.is_retried or (stream.has_request_body and stream.method in IDEMPOTENT)
        # of a try
        self._endpoint = self._pool = self._connection = self._completed_at = None
        self._is_waiting = self._has_request_slot = self._response_started = False
        self._is_paused = self._is_response_paused = False
        # its own
        self._adds_envoy_headers = adds_envoy_headers
        self._mirrors: list[MirrorRequest] | None = None
        self._retry: RetryState | None = None  # made when there is something to decide
        self._was_resent = False
        self._timer: Any = None  # of the back-off

    def __repr__(self) -> str:
        return f"<UpstreamRequest {self._cluster.name} {self._endpoint} {self._connection}>"

    # the request, from the stream

    def start(self) -> None:
        """The stream's head is final."""
        if self._action.mirrors:
            self._mirrors = MirrorRequest.start_all(self._action.mirrors, self._stream, self._context)
        if self._stream.is_request_complete:
            self._on_complete()
        self._try()

    def on_request_body(self, data: bytes) -> None:
        self._body_size += len(data)
        if self._mirrors is not None:
            for mirror in self._mirrors:
                mirror.on_request_body(data)
        connection = self._connection
        if self._is_replayable and self._body_size > self._action.buffer_limit:
            self._is_replayable = False
            if self._timer is not None:
                self._reply(BUFFER_EXCEEDED)
                return
            if connection is not None:
                self._body.clear()
        if self._is_replayable or connection is None:
            self._body.append(data)
            if len(self._body) > MAX_BODY_PIECES:
                self._body = [b"".join(self._body)]
        if connection is not None:
            self._write_body(connection, data)
        elif self._body_size > PENDING_BUFFER_LIMIT and not self._is_paused:
            self._is_paused = True
            self._stream.pause_request()

    def on_request_end(self, trailers: HeaderMap | None) -> None:
        self._trailers = trailers
        if self._mirrors is not None:
            for mirror in self._mirrors:
                mirror.on_request_end(trailers)
        self._on_complete()
        if self._has_timers and self._connection is not None and not self._response_started:
            self._start_try_timeouts()
        if self._connection is not None:
            self._write_end(self._connection)
            self._connection.flush()

    def on_raw_data(self, data: bytes) -> None:
        """From upstream, after an upgrade."""
        self._stream.send_raw_data(data)

    def on_client_eof(self) -> bool:
        """Envoy: a client that ends its half of an upgraded connection has left."""
        return False

    def close(self) -> None:
        """The stream is over, one way or the other: let go of everything. What is in flight is abandoned."""
        if self._is_done:
            return
        self._is_done = True
        if self._has_timers:
            self._stop_timeouts()
            if self._timer is not None:
                self._timer.cancel()
        if self._retry is not None:
            self._retry.release()
        connection = self._connection
        self._end_try()
        if connection is not None and connection.exchange is self:
            connection.abandon()
        if self._mirrors is not None and not self._stream.is_request_complete:
            for mirror in self._mirrors:
                mirror.close()

    # the response, from the connection

    def on_interim_head(self, head: ResponseHead) -> None:
        self._is_replayable = False  # as in Envoy: what the client has been told of this try could not be taken back
        self._stream.send_interim_head(head)

    def on_response_head(self, head: ResponseHead) -> None:
        connection = self._connection
        assert connection is not None
        if self._accept(head):
            if self._has_timers:
                self._on_try_answered()
            self._stream.send_response_head(head)
        else:
            discard_response(connection, head)
            self._retry_later()

    def on_response(self, head: ResponseHead, body: bytes, trailers: HeaderMap | None) -> None:
        if self._accept(head):
            self._stream.send_response(head, body, trailers)  # which closes us
        else:
            self._retry_later()

    def _accept(self, head: ResponseHead) -> bool:
        """True: it is for the client, and ready for it. False: there will be another try."""
        endpoint = self._endpoint
        assert endpoint is not None
        is_status_known = GRPC_STATUS not in head.headers or not is_grpc(self._stream.headers)
        status = head.status if is_status_known else http_status(head.headers[GRPC_STATUS])
        self._cluster.on_result(endpoint, status, None)
        policy = self._action.retry_policy
        if policy is not None and not is_final_response(policy, head.status, head.headers):
            decide = self._retry_state(policy).on_response
            if self._is_replayable and self._is_retried(decide(head.status, head.headers, unix_time())):
                return False
        elif self._retry is not None:
            self._retry.release()
        self._response_started = True
        if self._completed_at is None:
            self._stream.keep_alive = False  # as in Envoy: whether the rest of the request will be read is not certain
        elif self._adds_envoy_headers:
            time = self._context.timers.time
            milliseconds = int(1000.0 * (time() - self._completed_at))
            head.headers[SERVICE_TIME] = _SHORT_TIMES[milliseconds] if milliseconds < 256 else b"%d" % milliseconds
        if self._stream.match.virtual_host.include_attempt_count_in_response:
            head.headers[ATTEMPT_COUNT] = b"%d" % self._stream.info.attempt_count
        if self._action.hash_policies:
            self._set_cookies(head.headers)
        return True

    def _set_cookies(self, headers: HeaderMap) -> None:
        """Those by which a client comes back to the endpoint that its hash has chosen."""
        for cookie in self._action.generated_cookies(self._stream):
            headers.add(b"set-cookie", cookie)

    def on_response_body(self, data: bytes) -> None:
        self._stream.send_response_body(data)

    def on_response_end(self, trailers: HeaderMap | None) -> None:
        self._stream.send_response_end(trailers)  # which closes us

    def on_read_end(self) -> None:
        if self._action.per_try_idle_timeout:
            self._on_try_activity()
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
            return
        policy = self._action.retry_policy if self._is_replayable else None
        if policy is not None and self._is_retried(self._retry_state(policy).on_failure(failure)):
            self._retry_later()
        else:
            self._give_up(failure)

    def _on_broken_response(self, failure: UpstreamFailure) -> None:
        if failure.status == 504:
            self._reply(try_timed_out(failure))
            return
        if self._stream.is_tunnel:
            failure = CONNECTION_TERMINATION  # a tunnel has no end that it could miss
        detail = failure.reason.replace(" ", "_")
        self._stream.reset(f"upstream_reset_after_response_started{{{detail}}}", failure.flag)

    def _give_up(self, failure: UpstreamFailure) -> None:
        info = self._stream.info
        info.upstream_transport_failure_reason = failure.transport_failure
        self._reply(upstream_failed(failure, was_retried=info.attempt_count > 1))

    def _reply(self, reply: LocalReply) -> None:
        """As the answer to all tries. A response that has begun is reset."""
        if reply.status == 504:
            reply = self._timeout_reply(reply)
        if self._stream.match.virtual_host.include_attempt_count_in_response:
            count = (ATTEMPT_COUNT, b"%d" % self._stream.info.attempt_count)
            reply = reply._replace(headers=(count, *reply.headers))
        self._stream.send_local_reply(reply)

    def _timeout_reply(self, reply: LocalReply) -> LocalReply:
        if reply.flag == "UMSDR":
            return reply if self._stream.is_request_complete else reply._replace(status=408)
        status = self._action.timeout_status
        return reply if status == 504 else reply._replace(status=status, body=b"")

    # another try

    def _retry_state(self, policy: RetryPolicy) -> RetryState:
        if self._retry is None:
            self._retry = RetryState(policy, self._breakers.retries, self._stream)
        return self._retry

    def _may_resend(self, connection: HttpConnection, failure: UpstreamFailure) -> bool:
        """A kept-alive connection that the server closed before a byte of response: it most likely closed an idle
        connection at the moment we chose it, and never saw the request. Beyond Envoy, which answers 503 UC."""
        return (
            failure is CONNECTION_TERMINATION
            and connection.is_reused
            and not self._was_resent
            and self._stream.method in IDEMPOTENT
            and (self._is_replayable or not self._body_size)
            and not self._stream.upgrade
        )

    def _resend(self) -> None:
        """On a new connection to the same endpoint; it is the same try."""
        endpoint = self._endpoint
        self._was_resent = True
        self._end_try()
        self._stream.resume_request()
        self._endpoint = endpoint
        self._stream.info.attempt_count -= 1
        self._try(fresh=True)
        self.flush()

    def _is_retried(self, decision: RetryDecision) -> bool:
        if decision is RetryDecision.NO:
            return False
        if decision is RetryDecision.RETRY:
            return True
        self._stream.info.add_flag("URX" if decision is RetryDecision.LIMIT else "UO")
        return False

    def _retry_later(self) -> None:
        policy = self._action.retry_policy
        assert policy is not None
        assert self._retry is not None
        if policy.avoid_previous_hosts and self._endpoint is not None:
            self.tried = (*self.tried, self._endpoint)
        if self._has_timers:
            self._stop_try_timeouts()
        else:
            self._expect_timers()
        self._end_try()
        if not self._is_paused:
            self._stream.resume_request()  # the connection that held the client up is no longer ours
        self._cluster.stats.upstream_rq_retry += 1
        delay = self._retry.back_off(self._context.random())
        self._timer = self._context.timers.call_later(delay, self._retry_now)

    def _retry_now(self) -> None:
        self._timer = None
        if not self._is_done:
            try:
                if self._action.expected_timeout and self._adds_envoy_headers:
                    self._expect_rest()
                self._try()
                self.flush()
            except Exception:
                self._stream.on_bug()

    def _expect_rest(self) -> None:
        """Tell the server how much time there is left. Envoy: FilterUtility::setTimeoutHeaders."""
        expected, timeout, completed_at = self._action.expected_timeout, self._action.timeout, self._completed_at
        if timeout and completed_at is not None:
            left = timeout - (self._context.timers.time() - completed_at)
            expected = max(min(expected, left), 0.001)
        self._stream.headers.set(EXPECTED_TIMEOUT, b"%d" % (expected * 1000))
