"""One health check after the other of one endpoint: the connection, the question and what the answer says."""

import asyncio
import time
from typing import Any, Protocol

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.message import ResponseHead
from pymesh.proxy.codec.response_parser import PiecewiseSink
from pymesh.proxy.codec.serializer import write_request_head
from pymesh.proxy.matchers.string_matcher import compile_string_matcher
from pymesh.proxy.telemetry.stream_info import StreamInfo
from pymesh.proxy.upstream.cluster import Cluster
from pymesh.proxy.upstream.endpoint import Endpoint
from pymesh.proxy.upstream.failure import UpstreamFailure
from pymesh.proxy.upstream.health_check import ACTIVE, NETWORK, HttpCheck, TcpCheck, has_all, is_in
from pymesh.proxy.upstream.http_connection import HttpConnection
from pymesh.proxy.upstream.transport import ConnectError, Connector
from pymesh.tasks import TaskGroup

_USER_AGENT = b"Envoy/HC"
_IMMEDIATE_FAIL = b"x-envoy-immediate-health-check-fail"
_DEGRADED = b"x-envoy-degraded"
_CHECKED_CLUSTER = b"x-envoy-upstream-healthchecked-cluster"


class Report(Protocol):
    """Hears of each check once, unless the probe was aborted before."""

    def on_passed(self, is_degraded: bool = False) -> None: ...

    def on_failed(
        self, failure: str, is_retriable: bool = False, is_immediate: bool = False, status: int = 0
    ) -> None: ...


class Probe(Protocol):
    def begin(self) -> None:
        """Check once. Not again before the report."""

    def abort(self) -> None:
        """Give up the check that is on its way, if any, and the connection."""


class Connecting:
    """Opens the probe's connections; one at a time."""

    def __init__(self, cluster: Cluster, target: Endpoint, tasks: TaskGroup, connector: Connector) -> None:
        self.cluster = cluster
        self.target = target
        self._tasks = tasks
        self._connect = connector
        self._task: asyncio.Task[None] | None = None

    def open(self, protocol: Any, on_open: Any, report: Report) -> None:
        self._task = self._tasks.spawn(f"health check of {self.target.address}", self._open(protocol, on_open, report))

    async def _open(self, protocol: Any, on_open: Any, report: Report) -> None:
        try:
            await self._connect(self.cluster, self.target, lambda: protocol)
        except ConnectError:
            self._task = None
            report.on_failed(NETWORK)
        else:
            self._task = None
            on_open()

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None


class HttpProbe(PiecewiseSink):
    """The Exchange of its requests, and owner of the one connection that it keeps between them."""

    def __init__(self, check: HttpCheck, connecting: Connecting, report: Report, reuses_connection: bool) -> None:
        self._check = check
        self._connecting = connecting
        self._report = report
        self._reuses_connection = reuses_connection
        self._is_service = None if check.service_name is None else compile_string_matcher(check.service_name)
        self._connection: HttpConnection | None = None
        self._head: ResponseHead | None = None
        self._body = b""

    def begin(self) -> None:
        self._head, self._body = None, b""
        if self._connection is not None and not self._connection.is_closed:
            self._send(self._connection)
            return
        connection = HttpConnection(self._connecting.target, self)
        self._connecting.open(connection, lambda: self._send(connection), self._report)

    def abort(self) -> None:
        self._connecting.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abandon()

    def _send(self, connection: HttpConnection) -> None:
        if connection.is_closed:
            self._report.on_failed(NETWORK)
            return
        self._connection, check = connection, self._check
        target = self._connecting.target
        host = target.config.health_check.hostname or check.host or self._connecting.cluster.name
        headers = HeaderMap([(b"host", host.encode()), (b"user-agent", _USER_AGENT)])
        info = StreamInfo(time.monotonic(), time.time())
        info.upstream_host = target
        check.request_headers.apply(headers, info)
        if check.send:
            headers.set(b"content-length", b"%d" % len(check.send))
        method = check.method.encode()
        head = write_request_head(method, check.path.encode(), headers)
        connection.start(self, head + check.send, method, False, True)

    # the connection's owner

    def on_idle(self, connection: HttpConnection) -> None:
        """It waits for the next check."""

    def on_closed(self, connection: HttpConnection) -> None:
        """The next check finds it closed."""

    # the exchange

    def on_interim_head(self, head: ResponseHead) -> None: ...

    def on_response_head(self, head: ResponseHead) -> None:
        self._head = head

    def on_response_body(self, data: bytes) -> None:
        limit = self._check.response_buffer_size
        if self._check.receive and (not limit or len(self._body) < limit):
            self._body += data[: limit - len(self._body)] if limit else data

    def on_response_end(self, trailers: HeaderMap | None) -> None:
        connection, head = self._connection, self._head
        assert connection is not None
        assert head is not None
        if not self._reuses_connection or not connection.keep_alive:
            self._connection = None
            connection.close()
        self._judge(head)

    def on_raw_data(self, data: bytes) -> None: ...

    def on_read_end(self) -> None: ...

    def on_upstream_failure(self, failure: UpstreamFailure) -> None:
        self._connection = None
        self._report.on_failed(NETWORK)

    def on_upstream_paused(self) -> None: ...

    def on_upstream_resumed(self) -> None: ...

    def _judge(self, head: ResponseHead) -> None:
        """Envoy: HttpActiveHealthCheckSession::healthCheckResult."""
        check, status = self._check, head.status
        is_expected = is_in(status, check.expected_statuses)
        name = head.headers.get(_CHECKED_CLUSTER, b"")
        if not has_all(check.receive, self._body):
            self._report.on_failed(ACTIVE, False, _IMMEDIATE_FAIL in head.headers, status)
        elif not is_expected:
            is_retriable = is_in(status, check.retriable_statuses)
            self._report.on_failed(ACTIVE, is_retriable, _IMMEDIATE_FAIL in head.headers, status)
        elif self._is_service is not None and not self._is_service(name):
            self._report.on_failed(ACTIVE, False, False, status)
        else:
            self._report.on_passed(_DEGRADED in head.headers)


class TcpProbe(asyncio.Protocol):
    """The protocol of the one connection that it keeps between checks, where it sends and expects something."""

    def __init__(self, check: TcpCheck, connecting: Connecting, report: Report, reuses_connection: bool) -> None:
        self._check = check
        self._connecting = connecting
        self._report = report
        self._reuses_connection = reuses_connection
        self._transport: Any = None
        self._is_open = False
        self._is_waiting = False  # for the answer
        self._received = b""

    def begin(self) -> None:
        if self._is_open:
            self._send()
        else:
            self._connecting.open(self, self._on_open, self._report)

    def abort(self) -> None:
        self._connecting.cancel()
        self._hang_up()

    def _on_open(self) -> None:
        if self._check.receive:
            self._is_open = True
            self._send()
        else:
            self._hang_up()
            self._report.on_passed()

    def _send(self) -> None:
        self._is_waiting, self._received = True, b""
        if self._check.send:
            self._transport.write(self._check.send)

    def _hang_up(self) -> None:
        self._is_open = self._is_waiting = False
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    # asyncio's callbacks

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if not self._is_waiting:
            return
        self._received += data
        if has_all(self._check.receive, self._received):
            self._is_waiting = False
            if not self._reuses_connection:
                self._hang_up()
            self._report.on_passed()

    def connection_lost(self, exc: Exception | None) -> None:
        was_waiting, self._is_open, self._is_waiting = self._is_waiting, False, False
        self._transport = None
        if was_waiting:
            self._report.on_failed(NETWORK)
