"""What a terminal network filter must be, once live: the thing that all connections of a filter chain share."""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from pymesh.proxy.downstream.connection_info import ConnectionInfo
from pymesh.proxy.downstream.context import ProxyContext
from pymesh.proxy.downstream.hcm_config import HttpConnectionManagerConfig
from pymesh.proxy.downstream.http_connection_manager import HttpConnectionManager
from pymesh.proxy.downstream.network_filter_config import NetworkFilterConfig
from pymesh.proxy.downstream.tcp_proxy import TcpProxy
from pymesh.proxy.downstream.tcp_proxy_config import TcpProxyConfig
from pymesh.proxy.telemetry.stream_info import StreamInfo


class NetworkFilter(Protocol):
    @property
    def active_requests(self) -> int:
        """HTTP requests in flight. Counted when somebody asks."""

    def new_connection(self, info: ConnectionInfo) -> asyncio.Protocol:
        """The protocol of one connection. It calls `info.on_close` at its `connection_lost`."""

    def on_refused(self, info: StreamInfo) -> None:
        """A connection ended before it came here."""

    def set_telemetry(self, config: Any) -> None:
        """Who hears of what ends from now on, as of `config`, which is of the filter's own type. Raises UsageError
        where a file cannot be opened."""

    def retire(self) -> None:
        """End connections with their next request, where the protocol has requests, so that none is lost."""

    def revive(self) -> None:
        """Take `retire` back for the connections that come."""
        ...

    def drain(self, idle_seconds: float = 0.0) -> None:
        """End connections with the request in flight or the next, and now those that have been idle for so long."""

    async def wait_drained(self) -> None:
        """Returns when the last connection is gone."""

    def close(self) -> None:
        """Close all connections now."""


# Of a configuration, what makes the live filter of it; `bool` is whether the listener is inbound.
_BUILDERS: dict[type[Any], Callable[[Any, ProxyContext, bool], NetworkFilter]] = {
    HttpConnectionManagerConfig: HttpConnectionManager,
    TcpProxyConfig: TcpProxy,
}


def build_network_filter(config: NetworkFilterConfig, context: ProxyContext, is_inbound: bool) -> NetworkFilter:
    return _BUILDERS[type(config)](config, context, is_inbound)
