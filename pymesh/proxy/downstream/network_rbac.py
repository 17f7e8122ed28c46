"""Role-based access control of TCP connections.

https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/network_filters/rbac_filter
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.downstream.connection_info import ConnectionInfo
from pymesh.proxy.downstream.context import ProxyContext
from pymesh.proxy.downstream.network_rbac_config import NetworkRbacConfig
from pymesh.proxy.rbac_engine.engine import RbacEngine, response_details
from pymesh.proxy.telemetry.metric_names import TCP_RBAC_ALLOWED, TCP_RBAC_DENIED
from pymesh.proxy.telemetry.stream_info import NO_METADATA, StreamInfo
from pymesh.proxy.tls.peer_identity import PeerIdentity


class TcpCall:
    """A TCP connection as the RBAC engine sees it."""

    __slots__ = ("direct_remote_address", "is_tls", "local_address", "peer", "remote_address", "requested_server_name")

    authority = path = method = scheme = b""
    headers = HeaderMap()
    dynamic_metadata: Mapping[str, Any] = NO_METADATA

    def __init__(self, info: ConnectionInfo) -> None:
        self.direct_remote_address = self.remote_address = info.remote_address
        self.local_address = info.local_address
        self.is_tls = info.is_tls
        self.peer: PeerIdentity | None = info.peer
        self.requested_server_name = info.sni


class NetworkGate:
    """The RBAC filters of one filter chain.

    Unlike Envoy, which waits for the client's first bytes, it decides at once, so that nobody who is denied hears what
    a server says first.
    """

    def __init__(
        self, configs: tuple[NetworkRbacConfig, ...], context: ProxyContext, on_refused: Callable[[StreamInfo], None]
    ) -> None:
        self._engines = tuple(RbacEngine(config.rules) for config in configs if config.rules is not None)
        self._tell_refused = on_refused
        counter = context.telemetry.metrics.counter
        self._allowed, self._denied = counter(TCP_RBAC_ALLOWED), counter(TCP_RBAC_DENIED)

    def judge(self, info: ConnectionInfo) -> asyncio.Protocol | None:
        """What ends the connection; None for one that may go on."""
        call = TcpCall(info)
        for engine in self._engines:
            verdict = engine.judge(call)
            if not verdict.is_allowed:
                self._denied.value += 1
                return self._refuse(info, response_details(verdict.policy))
        self._allowed.value += 1
        return None

    def _refuse(self, info: ConnectionInfo, details: str) -> asyncio.Protocol:
        record = StreamInfo(info.start, time.time())
        record.downstream_local_address = info.local_address
        record.downstream_remote_address = info.remote_address
        record.requested_server_name = info.sni
        record.downstream_principal = info.peer.principal if info.peer is not None else ""
        record.connection_termination_details = details
        return _DeniedConnection(info, lambda: self._on_refused(record))

    def _on_refused(self, record: StreamInfo) -> None:
        record.end = time.monotonic()
        self._tell_refused(record)


class _DeniedConnection(asyncio.Protocol):
    def __init__(self, info: ConnectionInfo, on_refused: Callable[[], None]) -> None:
        self._info = info
        self._on_refused = on_refused

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        self._on_refused()
        self._info.on_close()
