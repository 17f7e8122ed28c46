"""The HTTP connection manager: what all HTTP connections of one filter chain share, compiled from its configuration."""

import asyncio
import logging
from operator import itemgetter
from typing import Any

from pymesh.proxy.downstream.client_connection import ClientConnection
from pymesh.proxy.downstream.connection_info import ConnectionInfo
from pymesh.proxy.downstream.context import ProxyContext
from pymesh.proxy.downstream.hcm_config import HTTP1, HTTP2, HttpConnectionManagerConfig
from pymesh.proxy.downstream.http_connection import HttpConnection, idle_since, stream_idle_since
from pymesh.proxy.downstream.http_date import DateCache
from pymesh.proxy.downstream.internal_requests import InternalRequestHeaderPolicy
from pymesh.proxy.downstream.path_normalization import PathNormalizer
from pymesh.proxy.downstream.request_headers import RequestHeaderPolicy
from pymesh.proxy.downstream.response_headers import ResponseHeaderPolicy
from pymesh.proxy.downstream.route_filters import RouteFilters
from pymesh.proxy.downstream.stream import Stream
from pymesh.proxy.http_filters.filter import LocalReply
from pymesh.proxy.http_filters.local_replies import (
    REQUEST_HEADER_TIMEOUT,
    REQUEST_TIMEOUT,
    STREAM_IDLE_TIMEOUT_REQUEST,
)
from pymesh.proxy.routing.route_table import RouteTable
from pymesh.proxy.telemetry.direction import INBOUND, OUTBOUND
from pymesh.proxy.telemetry.metric_names import STREAM_CRASHES
from pymesh.proxy.telemetry.stream_info import StreamInfo
from pymesh.proxy.telemetry.telemetry import OnComplete
from pymesh.proxy.telemetry.trace_decisions import RequestIdSampling, Start, UnpropagatedTraces
from pymesh.proxy.telemetry.tracing_config import NO_TRACING
from pymesh.proxy.timers import IdleWatch, TimerQueue

_HTTP2_ALPN = "h2"

log = logging.getLogger(__name__)

# What cuts a slow head short; of several, whatever comes first.
_HEAD_REPLIES = (REQUEST_HEADER_TIMEOUT, REQUEST_TIMEOUT, STREAM_IDLE_TIMEOUT_REQUEST)


class HttpConnectionManager:
    """The terminal network filter of an HTTP filter chain. `is_inbound`: the listener's traffic direction."""

    def __init__(self, config: HttpConnectionManagerConfig, context: ProxyContext, is_inbound: bool) -> None:
        self.config = config
        self.context = context
        self.is_inbound = is_inbound
        self.time = context.timers.time
        self.direction = INBOUND if is_inbound else OUTBOUND
        header_policy = InternalRequestHeaderPolicy if config.internal_networks else RequestHeaderPolicy
        self.request_headers = header_policy(config)
        self.response_headers = ResponseHeaderPolicy(config, DateCache())
        normalizer = PathNormalizer(config)
        self.normalize_path = normalizer.normalize if normalizer.is_enabled else None
        self.set_telemetry(config)
        self.start_trace = self._build_start_trace()
        self.is_draining = False
        self.inline_routes = None if config.route_config is None else RouteTable(config.route_config)
        self.find_routes = context.routes.get  # RDS may change what it finds at any time
        self.route_filters = RouteFilters(config.http_filters, context, self.find_table)
        self.filters_on = self.route_filters.chosen
        self._crashes = context.telemetry.metrics.counter(STREAM_CRASHES)
        self._connections: set[ClientConnection] = set()
        self._drained = asyncio.Event()
        # timeouts; None where disabled
        self.idle_watch = self.watch(config.idle_timeout, idle_since, HttpConnection.on_idle_timeout)
        self.stream_idle_watch = self.watch(
            config.stream_idle_timeout, stream_idle_since, HttpConnection.on_stream_idle_timeout
        )
        duration, self.head_timeout_reply = head_timeout(config)
        self.head_timeouts = self.timeouts(duration, HttpConnection.on_head_timeout)
        self.stream_durations = self.timeouts(config.max_stream_duration, Stream.on_max_duration)
        self.request_timeouts = self.timeouts(config.request_timeout, Stream.on_request_timeout)
        self.has_stream_timeouts = self.request_timeouts is not None or self.stream_durations is not None
        self._http2_timeouts: Any = None  # made for the first connection of HTTP/2
        self.duration_timeouts = self.timeouts(config.max_connection_duration, HttpConnection.drain)
        self.delayed_closes = self.timeouts(config.delayed_close_timeout, ClientConnection.on_delayed_close)

    def on_refused(self, info: StreamInfo) -> None:
        """A connection is no request: as in Envoy, access logs of HTTP say nothing of it."""
        self.context.telemetry.on_tcp_close(info, self.direction, self._counts)

    def set_telemetry(self, config: HttpConnectionManagerConfig) -> None:
        """To that of `config`, from the next request that ends. Raises UsageError where a file cannot be opened."""
        context = self.context
        logs = tuple(map(context.access_logs.get, config.access_logs))
        self._counts = context.telemetry.build_counts(config.stats)
        spans = context.spans_of(config.tracing) if config.tracing != NO_TRACING else None
        self.on_request_complete: OnComplete = context.telemetry.on_complete(logs, self._counts, spans)

    def _build_start_trace(self) -> Start:
        config = self.config
        if config.samples_by_request_id:
            never, always = self._build_tracer(0.0), self._build_tracer(100.0)
            start = RequestIdSampling(config.random_sampling, never.start, always.start).start
        else:
            start = self._build_tracer(config.random_sampling).start
        return start if config.tracing.is_propagated else UnpropagatedTraces(start).start

    def _build_tracer(self, percent: float) -> Any:
        provider = self.config.tracing.provider
        if provider is None or not provider.is_zipkin:
            return self.context.build_tracer(percent)
        from pymesh.proxy.telemetry.span_providers import build_b3_tracer  # which most proxies never need

        return build_b3_tracer(provider, percent)

    def new_connection(self, info: ConnectionInfo) -> asyncio.Protocol:
        """The protocol for one accepted connection. Envoy: HttpConnectionManagerImpl::createCodec."""
        codec_type = self.config.codec_type
        if codec_type == HTTP2 or (info.alpn == _HTTP2_ALPN and codec_type != HTTP1):
            return self.new_http2_connection(info)
        return HttpConnection(self, info)

    def new_http2_connection(self, info: ConnectionInfo) -> ClientConnection:
        # Most proxies never meet HTTP/2, and should not pay for what it takes.
        from pymesh.proxy.downstream.http2_connection import Http2Connection, Http2Timeouts

        if self._http2_timeouts is None:
            self._http2_timeouts = Http2Timeouts(self)
        return Http2Connection(self, info, self._http2_timeouts)

    def find_table(self) -> RouteTable | None:
        return self.inline_routes or self.find_routes(self.config.route_config_name)

    @property
    def active_requests(self) -> int:
        return sum(connection.active_requests for connection in self._connections)

    def retire(self) -> None:
        """Answer with `connection: close` from now on."""
        self.is_draining = True
        for connection in self._connections:
            connection.retire()

    def revive(self) -> None:
        """New connections are to stay again."""
        self.is_draining = False

    def drain(self, idle_seconds: float = 0.0) -> None:
        """Answer with `connection: close` from now on, and close the connections that have been idle for so long."""
        self.is_draining = True
        for connection in tuple(self._connections):
            connection.drain(idle_seconds)

    async def wait_drained(self) -> None:
        """Returns when the last connection is gone."""
        while self._connections:
            self._drained.clear()
            await self._drained.wait()

    def close(self) -> None:
        """Close all connections now."""
        for connection in tuple(self._connections):
            connection.abort()

    # for connections and streams

    def on_connection_made(self, connection: ClientConnection) -> None:
        self._connections.add(connection)

    def on_connection_lost(self, connection: ClientConnection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._drained.set()

    def on_bug(self, where: str) -> None:
        """Called in an `except`: the catch points of streams and connections stopped what no code expected."""
        self._crashes.value += 1
        log.exception("bug while handling %s", where)

    def timeouts(self, duration: float, fire: Any) -> TimerQueue | None:
        return self.context.timers.queue(duration, fire) if duration else None

    def watch(self, duration: float, since: Any, fire: Any) -> IdleWatch | None:
        return self.context.timers.idle_watch(duration, since, fire) if duration else None


def head_timeout(config: HttpConnectionManagerConfig) -> tuple[float, LocalReply]:
    """How long a head may take (0: any time), and the answer to one that took longer."""
    durations = (config.request_headers_timeout, config.request_timeout, config.stream_idle_timeout)
    limits = [(duration, reply) for duration, reply in zip(durations, _HEAD_REPLIES, strict=True) if duration]
    return min(limits, key=itemgetter(0), default=(0.0, REQUEST_HEADER_TIMEOUT))
