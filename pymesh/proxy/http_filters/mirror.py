"""Copies of a request to other clusters, whose answers nobody reads (Envoy: request mirror policies, shadowing)."""

from collections.abc import Iterable
from typing import Any

from pymesh.names import PEER_METADATA
from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.message import HTTP_2, ResponseHead
from pymesh.proxy.codec.serializer import write_chunk, write_head, write_last_chunk
from pymesh.proxy.http_filters.discarded_response import discard_response
from pymesh.proxy.http_filters.envoy_headers import INTERNAL
from pymesh.proxy.http_filters.filter import FilterContext
from pymesh.proxy.http_filters.upstream_try import ATTEMPT_COUNT
from pymesh.proxy.routing.domain_table import strip_port
from pymesh.proxy.routing.route import Mirror
from pymesh.proxy.upstream.cluster import Cluster
from pymesh.proxy.upstream.endpoint import Endpoint
from pymesh.proxy.upstream.failure import UpstreamFailure
from pymesh.proxy.upstream.http2_options import UpstreamProtocol
from pymesh.proxy.upstream.http_connection import HttpConnection
from pymesh.proxy.upstream.load_balancer import LoadBalancerContext
from pymesh.proxy.upstream.protocol_pool import build_pool

# A mirror that falls further behind than this is given up: it must never slow the request that it copies.
MAX_PENDING_BYTES = 1 << 20


class MirrorRequest:
    """Fire and forget. An Exchange of its connection and a Waiter of the pool."""

    is_http2 = False

    __slots__ = (
        "_cluster",
        "_connection",
        "_endpoint",
        "_head",
        "_is_chunked",
        "_is_complete",
        "_is_waiting",
        "_method",
        "_pending",
        "_pending_size",
        "_pool",
    )

    def __init__(self, stream: Any, cluster: Cluster, endpoint: Endpoint, headers: HeaderMap) -> None:
        self._cluster = cluster
        self._endpoint: Endpoint | None = endpoint
        self._method: bytes = stream.method
        self._head = (b"%b %b HTTP/1.1\r\n" % (stream.method, stream.path), headers)
        self._is_chunked: bool = stream.is_request_chunked
        self._is_complete: bool = stream.is_request_complete
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._pool: Any = None
        self._is_waiting = False
        self._connection: HttpConnection | None = None

    @staticmethod
    def start_all(mirrors: Iterable[Mirror], stream: Any, context: FilterContext) -> "list[MirrorRequest] | None":
        started = [_start(mirror, stream, context) for mirror in mirrors if mirror.is_chosen(context.random())]
        return [mirror for mirror in started if mirror is not None] or None

    def acquire(self, pool: Any) -> None:
        """Holds one of the cluster's requests, which is given back when the copy is done."""
        self._pool = pool
        got = pool.acquire(self)
        if got is None:
            self._is_waiting = True
        elif isinstance(got, UpstreamFailure):
            self.on_upstream_failure(got)
        else:
            self.on_connection(got)

    # the request

    def on_request_body(self, data: bytes) -> None:
        if self._endpoint is None:
            return
        piece = write_chunk(data) if self._is_chunked else data
        self._pending.append(piece)
        self._pending_size += len(piece)
        if self._pending_size > MAX_PENDING_BYTES:
            self.close()
        else:
            self._flush()

    def on_request_end(self, trailers: HeaderMap | None) -> None:
        self._is_complete = True
        if self._is_chunked:
            self._pending.append(write_last_chunk(trailers))
        self._flush()

    def close(self) -> None:
        connection = self._connection
        self._end()
        if connection is not None and connection.exchange is self:
            connection.abandon()

    def _flush(self) -> None:
        connection = self._connection
        if connection is None or connection.is_closed or connection.exchange is not self:
            return
        connection.out += self._pending
        connection.flush()
        self._pending = []
        self._pending_size = connection.transport.get_write_buffer_size()
        connection.request_sent = self._is_complete

    def _end(self) -> None:
        endpoint = self._endpoint
        if endpoint is None:
            return
        self._endpoint = None
        self._connection = None
        self._pending = []
        endpoint.active_requests -= 1
        self._cluster.circuit_breakers.requests.release()
        if self._is_waiting:
            self._is_waiting = False
            self._pool.cancel(self)

    # the connection's callbacks

    def on_connection(self, connection: HttpConnection) -> None:
        self._is_waiting = False
        self._connection = connection
        connection.start(self, write_head(*self._head), self._method, False, False)
        self._flush()

    def on_upstream_failure(self, failure: UpstreamFailure) -> None:
        self._end()

    def on_interim_head(self, head: ResponseHead) -> None:
        pass

    def on_response_head(self, head: ResponseHead) -> None:
        connection = self._connection
        if connection is not None:
            discard_response(connection, head)
        self._end()

    def on_response_body(self, data: bytes) -> None:
        pass

    def on_response_end(self, trailers: HeaderMap | None) -> None:
        self._end()

    def on_response(self, head: ResponseHead, body: bytes, trailers: HeaderMap | None) -> None:
        self._end()

    def on_raw_data(self, data: bytes) -> None:
        self.close()

    def on_read_end(self) -> None:
        pass

    def on_upstream_paused(self) -> None:
        pass

    def on_upstream_resumed(self) -> None:
        pass


def _start(mirror: Mirror, stream: Any, context: FilterContext) -> MirrorRequest | None:
    """None where the cluster cannot take it: a mirror fails silently, as in Envoy."""
    cluster: Cluster | None = context.clusters.get(mirror.cluster)
    if cluster is None or stream.upgrade:
        return None
    endpoint = cluster.choose_endpoint(LoadBalancerContext(authority=stream.headers[b"host"]))
    if endpoint is None or not cluster.circuit_breakers.requests.try_acquire():
        return None
    endpoint.active_requests += 1
    pool: Any = endpoint.pool
    if pool is None:
        pool = endpoint.pool = build_pool(cluster, endpoint, context.timers, context.tasks, context.connect)
    request = _kind(cluster, stream)(stream, cluster, endpoint, _headers(mirror, stream, endpoint, context))
    request.acquire(pool)
    return request


def _kind(cluster: Cluster, stream: Any) -> type[MirrorRequest]:
    if cluster.protocol is UpstreamProtocol.HTTP1 or (
        cluster.protocol is UpstreamProtocol.DOWNSTREAM and stream.head.version is not HTTP_2
    ):
        return MirrorRequest
    from pymesh.proxy.http_filters.http2_mirror import Http2MirrorRequest

    return Http2MirrorRequest


def _headers(mirror: Mirror, stream: Any, endpoint: Endpoint, context: FilterContext) -> HeaderMap:
    headers: HeaderMap = stream.headers.copy()
    if mirror.append_shadow_suffix:
        headers.set(b"host", _shadow(headers[b"host"]))
    headers.set(INTERNAL, b"true")  # as from Envoy: it is the mesh that asks
    if stream.match.virtual_host.include_request_attempt_count:
        headers.set(ATTEMPT_COUNT, b"1")
    if endpoint.is_mtls:
        headers.set(PEER_METADATA, context.peer_metadata)
    return headers


def _shadow(host: bytes) -> bytes:
    name = strip_port(host)
    return name + b"-shadow" + host[len(name) :]
