"""One try of a stream at an endpoint: the choice of the endpoint, the way to a connection, and what is written on it.

Envoy's router makes an object for each try; here one object lives as long as the stream, because there is never more
than one try at a time, and one that was given up cannot speak any more: its connection does not know it.
"""

from typing import Any

from pymesh.names import PEER_METADATA
from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.serializer import write_chunk, write_last_chunk, write_request_head
from pymesh.proxy.http_filters.filter import FilterContext, LocalReply
from pymesh.proxy.http_filters.local_replies import NO_HEALTHY_UPSTREAM
from pymesh.proxy.matchers.metadata_match import MetadataMatch
from pymesh.proxy.routing.route import ClusterAction, WeightedCluster
from pymesh.proxy.upstream.circuit_breaker import CircuitBreakers
from pymesh.proxy.upstream.cluster import Cluster
from pymesh.proxy.upstream.endpoint import Endpoint, Pool
from pymesh.proxy.upstream.failure import OVERFLOW, UpstreamFailure
from pymesh.proxy.upstream.http_connection import HttpConnection
from pymesh.proxy.upstream.load_balancer import LoadBalancerContext
from pymesh.proxy.upstream.protocol_pool import build_pool

ATTEMPT_COUNT = b"x-envoy-attempt-count"

IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))  # RFC 9110 9.2.2

# What is held of a body while the connection is being opened, before the client is stopped.
PENDING_BUFFER_LIMIT = 64 * 1024
# What is kept is joined beyond so many pieces: a body of tiny chunks would cost thirty times its length.
MAX_BODY_PIECES = 4096


class UpstreamTry(LoadBalancerContext):
    """A Waiter of the pool and the context of the load balancer; with what UpstreamRequest adds, an Exchange too. It is
    UpstreamRequest that makes one, in a single call."""

    __slots__ = (
        "_action",
        "_body",
        "_body_size",
        "_breakers",
        "_cluster",
        "_completed_at",
        "_connection",
        "_context",
        "_endpoint",
        "_has_request_slot",
        "_is_done",
        "_is_paused",
        "_is_replayable",
        "_is_response_paused",
        "_is_waiting",
        "_pool",
        "_response_started",
        "_stream",
        "_trailers",
    )

    is_http2 = False  # what the pool is to give

    # of all tries
    _stream: Any
    _cluster: Cluster
    _breakers: CircuitBreakers
    _action: ClusterAction
    _context: FilterContext
    _is_done: bool
    # the request's body: kept for another try, or until there is a connection
    _body: list[bytes]
    _body_size: int
    _trailers: HeaderMap | None
    _is_replayable: bool
    # of this try
    _endpoint: Endpoint | None
    _pool: Any
    _connection: HttpConnection | None
    _is_waiting: bool
    _has_request_slot: bool
    _completed_at: float | None  # when the whole request was there
    _response_started: bool
    _is_paused: bool
    _is_response_paused: bool

    def metadata_match(self) -> MetadataMatch:
        weighted: WeightedCluster = self._stream.weighted_cluster
        return weighted.metadata_match

    def avoided_priorities(self) -> set[int]:
        policy = self._action.retry_policy
        frequency = policy.avoid_priorities_after if policy is not None else 0
        if not frequency:
            return set()
        counted = len(self.tried) // frequency * frequency
        return {endpoint.config.priority for endpoint in tuple(self.tried)[:counted]}

    def original_destination(self) -> str:
        client = self._stream.connection.info
        return client.local_address if client.is_redirected else ""

    _has_timers: bool

    def on_upstream_failure(self, failure: UpstreamFailure) -> None:
        raise NotImplementedError

    def _start_try_timeouts(self) -> None:
        """Called where `_has_timers`."""
        raise NotImplementedError

    def _reply(self, reply: LocalReply) -> None:
        raise NotImplementedError

    def send_raw_data(self, data: bytes) -> None:
        """From downstream, after an upgrade."""
        if self._connection is not None:
            self._connection.write(data)

    def flush(self) -> None:
        """A read of the downstream connection has been handed on."""
        if self._connection is not None and self._connection.out:
            self._connection.flush()

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

    def _try(self, fresh: bool = False) -> None:
        choose = self._cluster.choose_endpoint  # a local is called faster
        endpoint = self._endpoint if fresh else choose(self)
        if endpoint is None:
            self._stream.info.attempt_count += 1
            self._reply(NO_HEALTHY_UPSTREAM)
            return
        info = self._stream.info
        info.upstream_host = self._endpoint = endpoint
        info.attempt_count += 1
        endpoint.active_requests += 1
        self._response_started = False
        if not self._breakers.requests.try_acquire():
            self.on_upstream_failure(OVERFLOW)
            return
        self._has_request_slot = True
        pool: Any = endpoint.high_priority_pool if self._action.is_high_priority else endpoint.pool
        if pool is None:
            pool = self._new_pool(endpoint)
        self._pool = pool
        got = pool.acquire(self, fresh)
        if got is None:
            self._is_waiting = True
        elif type(got) is UpstreamFailure:
            self.on_upstream_failure(got)
        else:
            self._use(got)

    def _new_pool(self, endpoint: Endpoint) -> Pool:
        context = self._context
        pool = build_pool(
            self._cluster, endpoint, context.timers, context.tasks, context.connect, breakers=self._breakers
        )
        if self._action.is_high_priority:
            endpoint.high_priority_pool = pool
        else:
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
        exchange: Any = self  # UpstreamRequest is one
        self._connection = connection
        self._is_waiting = False
        stream.info.upstream_local_address = connection.local_address
        self._prepare_headers(stream, connection)
        head = write_request_head(stream.method, stream.path, stream.headers)
        if self._has_timers:
            self._start_try_timeouts()
        if stream.has_request_body:
            connection.start(exchange, head, stream.method, False, False)
            self._write_buffered(connection)
        else:
            connection.start(exchange, head, stream.method, bool(stream.upgrade), True)

    def _prepare_headers(self, stream: Any, connection: Any) -> None:
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

    def _write_buffered(self, connection: Any) -> None:
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
            self._breakers.requests.release()
        if self._is_waiting:
            self._is_waiting = False
            self._pool.cancel(self)
        self._connection = None
