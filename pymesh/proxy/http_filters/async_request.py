"""A request of the proxy's own, to an external authorizer or a receiver of spans, and its answer as a whole.

Envoy: Http::AsyncClient.
"""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

from pymesh.names import PEER_METADATA
from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.message import ResponseHead
from pymesh.proxy.codec.response_parser import PiecewiseSink
from pymesh.proxy.codec.serializer import write_head
from pymesh.proxy.http_filters.envoy_headers import INTERNAL
from pymesh.proxy.http_filters.filter import FilterContext
from pymesh.proxy.http_filters.upstream_request import EXPECTED_TIMEOUT, SERVICE_TIME
from pymesh.proxy.upstream.cluster import Cluster
from pymesh.proxy.upstream.endpoint import Endpoint
from pymesh.proxy.upstream.failure import UpstreamFailure
from pymesh.proxy.upstream.http2_options import UpstreamProtocol
from pymesh.proxy.upstream.load_balancer import LoadBalancerContext
from pymesh.proxy.upstream.protocol_pool import build_pool

# A longer refusal is as good as none.
_LONGEST_BODY = 64 * 1024


class AsyncAnswer(NamedTuple):
    status: int
    headers: HeaderMap
    body: bytes
    trailers: HeaderMap | None = None


OnAnswer = Callable[[AsyncAnswer | None], None]


class AsyncRequest(PiecewiseSink):
    """An Exchange of its connection and a Waiter of the pool. `on_answer` is called once, with None for a failure, but
    never within `start`, which says itself whether the request could be sent."""

    __slots__ = (
        "_body",
        "_cluster",
        "_connection",
        "_content",
        "_endpoint",
        "_has_failed",
        "_headers",
        "_is_starting",
        "_method",
        "_on_answer",
        "_path",
        "_pool",
        "_response",
        "_started",
        "_time",
        "_timer",
        "is_http2",
    )

    def __init__(
        self,
        cluster: Cluster,
        method: bytes,
        path: bytes,
        headers: HeaderMap,
        on_answer: OnAnswer,
        content: bytes = b"",
        is_http2: bool = False,
    ) -> None:
        """`content` is its body; `is_http2`: it can go by HTTP/2 only."""
        self._cluster = cluster
        self._content = content
        self.is_http2 = is_http2 or cluster.protocol is UpstreamProtocol.HTTP2
        self._method = method
        self._path = path
        self._headers = headers
        self._on_answer = on_answer
        self._endpoint: Endpoint | None = None
        self._pool: Any = None
        self._connection: Any = None
        self._response: ResponseHead | None = None
        self._body = bytearray()
        self._timer: asyncio.TimerHandle | None = None
        self._time: Callable[[], float] = float
        self._started = 0.0
        self._is_starting = True
        self._has_failed = False

    def start(self, context: FilterContext, timeout: float) -> bool:
        if self.is_http2 and self._cluster.protocol is UpstreamProtocol.HTTP1:
            return False
        headers = self._headers
        headers.set(INTERNAL, b"true")
        if timeout:
            headers.set(EXPECTED_TIMEOUT, b"%d" % (timeout * 1000))
        endpoint = self._cluster.choose_endpoint(LoadBalancerContext(authority=headers[b"host"]))
        if endpoint is None or not self._cluster.circuit_breakers.requests.try_acquire():
            return False
        self._endpoint = endpoint
        endpoint.active_requests += 1
        if endpoint.is_mtls:
            headers.set(PEER_METADATA, context.peer_metadata)
        if timeout:
            self._timer = context.timers.call_later(timeout, self._fail)
        self._time, self._started = context.timers.time, context.timers.time()
        self._acquire(endpoint, context)
        self._is_starting = False
        return not self._has_failed

    def _acquire(self, endpoint: Endpoint, context: FilterContext) -> None:
        pool: Any = endpoint.pool
        if pool is None:
            pool = build_pool(self._cluster, endpoint, context.timers, context.tasks, context.connect)
            endpoint.pool = pool
        self._pool = pool
        got = pool.acquire(self)
        if isinstance(got, UpstreamFailure):
            self._fail()
        elif got is not None:
            self.on_connection(got)

    def _fail(self) -> None:
        connection = self._connection
        if connection is not None and connection.exchange is self:
            connection.abandon()
        self._end(None)

    def _end(self, answer: AsyncAnswer | None) -> None:
        endpoint = self._endpoint
        if endpoint is None:
            return
        self._endpoint = None
        self._connection = None
        if self._timer is not None:
            self._timer.cancel()
        self._pool.cancel(self)
        endpoint.active_requests -= 1
        self._cluster.circuit_breakers.requests.release()
        if self._is_starting:
            self._has_failed = True
        else:
            self._on_answer(answer)

    # the connection's callbacks

    def on_connection(self, connection: Any) -> None:
        self._connection = connection
        if self.is_http2:
            self._start_http2(connection)
        else:
            head = write_head(b"%b %b HTTP/1.1\r\n" % (self._method, self._path), self._headers)
            connection.start(self, head + self._content, self._method, False, True)

    def _start_http2(self, stream: Any) -> None:
        from pymesh.proxy.codec.http2.heads import request_fields  # loaded by whoever has made the stream

        stream.start(self, request_fields(self._method, b"http", self._path, self._headers), not self._content)
        if self._content:
            stream.send_body(self._content)
            stream.send_end(None)
            stream.flush()

    def on_upstream_failure(self, failure: UpstreamFailure) -> None:
        self._end(None)

    def on_interim_head(self, head: ResponseHead) -> None:
        pass

    def on_response_head(self, head: ResponseHead) -> None:
        self._response = head

    def on_response_body(self, data: bytes) -> None:
        self._body += data
        if len(self._body) > _LONGEST_BODY:
            self._fail()

    def on_response_end(self, trailers: HeaderMap | None) -> None:
        head = self._response
        if head is None:
            self._end(None)
            return
        head.headers.set(SERVICE_TIME, b"%d" % ((self._time() - self._started) * 1000))
        self._end(AsyncAnswer(head.status, head.headers, bytes(self._body), trailers))

    def on_raw_data(self, data: bytes) -> None:
        self._fail()

    def on_read_end(self) -> None:
        pass

    def on_upstream_paused(self) -> None:
        pass

    def on_upstream_resumed(self) -> None:
        pass
