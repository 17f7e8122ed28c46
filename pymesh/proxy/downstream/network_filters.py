"""The network filters there are, and what each must be: the thing that all connections of a filter chain share.

A chain has exactly one terminal filter, the last; before it there may be those that refuse connections.
"""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from pymesh.protojson import Reader
from pymesh.proxy.downstream import hcm_config, network_rbac, tcp_proxy_config
from pymesh.proxy.downstream.connection_info import ConnectionInfo
from pymesh.proxy.downstream.context import ProxyContext
from pymesh.proxy.downstream.hcm_config import HttpConnectionManagerConfig, decode_http_connection_manager
from pymesh.proxy.downstream.http_connection_manager import HttpConnectionManager
from pymesh.proxy.downstream.network_rbac import NetworkRbacConfig, decode_network_rbac
from pymesh.proxy.downstream.tcp_proxy import TcpProxy
from pymesh.proxy.downstream.tcp_proxy_config import TcpProxyConfig, decode_tcp_proxy

NetworkFilterConfig = HttpConnectionManagerConfig | TcpProxyConfig
DecodeRouteConfig = Callable[[Reader], Any]


class NetworkFilter(Protocol):
    @property
    def active_requests(self) -> int:
        """HTTP requests in flight. Counted when somebody asks."""

    def new_connection(self, info: ConnectionInfo) -> asyncio.Protocol:
        """The protocol of one connection. It calls `info.on_close` at its `connection_lost`."""

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


class NetworkFilterFactory(NamedTuple):
    """`build` makes the live filter of what `decode` returned; `bool` is whether the listener is inbound."""

    type_url: str
    config_type: type[Any]
    decode: Callable[[Reader, DecodeRouteConfig], NetworkFilterConfig]
    build: Callable[[Any, ProxyContext, bool], NetworkFilter]


FACTORIES = (
    NetworkFilterFactory(
        hcm_config.TYPE_URL, HttpConnectionManagerConfig, decode_http_connection_manager, HttpConnectionManager
    ),
    NetworkFilterFactory(
        tcp_proxy_config.TYPE_URL, TcpProxyConfig, lambda reader, _: decode_tcp_proxy(reader), TcpProxy
    ),
)
_BY_TYPE_URL = {factory.type_url: factory for factory in FACTORIES}
_BY_CONFIG = {factory.config_type: factory for factory in FACTORIES}


def decode_network_filters(
    readers: list[Reader], decode_route_config: DecodeRouteConfig
) -> tuple[tuple[NetworkRbacConfig, ...], list[NetworkFilterConfig]]:
    """Of envoy.config.listener.v3.Filters: those that only decide whether a connection may go on, and the others."""
    gates: list[NetworkRbacConfig] = []
    terminal: list[NetworkFilterConfig] = []
    for reader in readers:
        reader.ignore("name")
        type_url, config = reader.any("typed_config") or reader.fail("typed_config", "is required")
        if type_url == network_rbac.TYPE_URL and not terminal:
            gates.append(decode_network_rbac(config))
            continue
        factory = _BY_TYPE_URL.get(type_url)
        if factory is None:
            config.fail("@type", f"{type_url} is not a network filter of this proxy")
        terminal.append(factory.decode(config, decode_route_config))
    return tuple(gates), terminal


def build_network_filter(config: NetworkFilterConfig, context: ProxyContext, is_inbound: bool) -> NetworkFilter:
    return _BY_CONFIG[type(config)].build(config, context, is_inbound)
