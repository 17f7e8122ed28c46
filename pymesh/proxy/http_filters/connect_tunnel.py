"""A CONNECT that ends here: its payload goes on as a plain TCP stream to an endpoint of the route's cluster.

Either end may say all it has to say and still listen to the other, as over TCP; Envoy closes both.

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/http/upgrades#connect-support
"""

import asyncio
import logging
from typing import Any

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.message import ResponseHead
from pymesh.proxy.http_filters.filter import FilterContext
from pymesh.proxy.http_filters.local_replies import NO_HEALTHY_UPSTREAM, upstream_failed
from pymesh.proxy.net import HALF_CLOSE_GRACE, end_writing
from pymesh.proxy.tls.peer_identity import peer_identity
from pymesh.proxy.upstream.cluster import Cluster
from pymesh.proxy.upstream.endpoint import Endpoint
from pymesh.proxy.upstream.failure import OVERFLOW, connect_failure
from pymesh.proxy.upstream.load_balancer import LoadBalancerContext
from pymesh.proxy.upstream.transport import ConnectError
from pymesh.xds import Address

log = logging.getLogger(__name__)


class ConnectTunnel(asyncio.Protocol):
    """The upstream half of the stream, and the protocol of its own connection, which no pool ever sees."""

    def __init__(self, stream: Any, cluster: Cluster, context: FilterContext) -> None:
        self._stream = stream
        self._cluster = cluster
        self._context = context
        self._endpoint: Endpoint | None = None
        self._transport: Any = None
        self._is_done = False
        self._holds_connection = False
        self._has_client_eof = False
        self._has_server_eof = False
        self._grace = context.timers.queue(HALF_CLOSE_GRACE, ConnectTunnel.on_silent)

    def start(self) -> None:
        endpoint = self._cluster.choose_endpoint(LoadBalancerContext(authority=self._stream.authority))
        if endpoint is None:
            self._stream.send_local_reply(NO_HEALTHY_UPSTREAM)
            return
        self._stream.info.upstream_host = endpoint
        self._stream.info.attempt_count = 1
        if not self._cluster.circuit_breakers.connections.try_acquire():
            self._stream.send_local_reply(upstream_failed(OVERFLOW, False))
            return
        self._holds_connection = True
        self._endpoint = endpoint
        endpoint.active_requests += 1
        self._context.tasks.spawn(f"tunnel to {endpoint.address}", self._open(endpoint))

    async def _open(self, endpoint: Endpoint) -> None:
        try:
            transport = await self._context.connect(self._cluster, endpoint, lambda: self)
        except ConnectError as error:
            self._on_connect_failure(endpoint, error)
            return
        if self._is_done:
            transport.abort()
            return
        try:
            self._on_open(endpoint, transport)
        except Exception:
            self._stream.on_bug()

    def _on_connect_failure(self, endpoint: Endpoint, error: ConnectError) -> None:
        if self._is_done:
            return
        self._cluster.on_result(endpoint, None, error.reason)
        self._stream.info.upstream_transport_failure_reason = error.transport_failure
        self._stream.send_local_reply(upstream_failed(connect_failure(error), False))

    def _on_open(self, endpoint: Endpoint, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._cluster.on_result(endpoint, None, None)
        info = self._stream.info
        address = transport.get_extra_info("sockname")
        info.upstream_local_address = str(Address(*address[:2])) if isinstance(address, tuple) else ""
        ssl_object = transport.get_extra_info("ssl_object")
        info.is_mtls = info.is_mtls or endpoint.is_mtls
        if endpoint.is_mtls and (identity := peer_identity(ssl_object)) is not None:
            info.upstream_principal = identity.principal
        self._stream.send_response_head(ResponseHead(200, HeaderMap(), keep_alive=False))

    # from the stream

    def on_request_body(self, data: bytes) -> None:
        """A CONNECT has no body; the parser sees to it."""

    def on_request_end(self, trailers: HeaderMap | None) -> None:
        """The head was all."""

    def flush(self) -> None:
        """Everything is written at once."""

    def on_client_eof(self) -> bool:
        """False: there is nobody left to talk to."""
        self._has_client_eof = True
        if self._transport is None or self._transport.is_closing() or self._has_server_eof:
            return False
        if self._transport.can_write_eof():
            end_writing(self._transport)
        else:
            self._grace.start(self)
        return True

    def on_silent(self) -> None:
        """TLS has no way to tell the server that its client has said all."""
        self._stream.end_tunnel()

    def send_raw_data(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def pause_response(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_response(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def close(self) -> None:
        if self._is_done:
            return
        self._is_done = True
        if self._endpoint is not None:
            self._endpoint.active_requests -= 1
        if self._holds_connection:
            self._cluster.circuit_breakers.connections.release()
        self._grace.stop(self)
        if self._transport is not None:
            self._transport.close()

    # asyncio's callbacks

    def data_received(self, data: bytes) -> None:
        try:
            self._stream.send_raw_data(data)
            if self._has_client_eof and not self._transport.can_write_eof():
                self._grace.start(self)
        except Exception:
            self._stream.on_bug()

    def eof_received(self) -> bool:
        """True keeps the other direction going. A TLS transport closes in any case, and wants to hear False."""
        self._has_server_eof = True
        try:
            goes_on = not self._has_client_eof and self._transport.can_write_eof() and self._stream.end_response()
            if not goes_on:
                self._stream.end_tunnel()
            return bool(goes_on)
        except Exception:
            self._stream.on_bug()
            return False

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._is_done and self._transport is not None:
            self._stream.end_tunnel()

    def pause_writing(self) -> None:
        self._stream.pause_request()

    def resume_writing(self) -> None:
        self._stream.resume_request()
