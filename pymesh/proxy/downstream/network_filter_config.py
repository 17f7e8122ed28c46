"""The configurations of the network filters there are. Nothing live is here.

A chain has exactly one terminal filter, the last; before it there may be those that refuse connections.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pymesh.protojson import Reader
from pymesh.proxy.downstream import hcm_config, network_ext_authz_config, network_rbac_config, tcp_proxy_config
from pymesh.proxy.downstream.hcm_config import HttpConnectionManagerConfig, decode_http_connection_manager
from pymesh.proxy.downstream.network_ext_authz_config import decode_network_ext_authz
from pymesh.proxy.downstream.network_rbac_config import NetworkRbacConfig, decode_network_rbac
from pymesh.proxy.downstream.tcp_proxy_config import TcpProxyConfig, decode_tcp_proxy
from pymesh.proxy.http_filters.ext_authz_config import ExtAuthzConfig
from pymesh.proxy.telemetry import stats_config
from pymesh.proxy.telemetry.stats_config import StatsConfig, decode_stats

NetworkFilterConfig = HttpConnectionManagerConfig | TcpProxyConfig
GateConfig = NetworkRbacConfig | ExtAuthzConfig
DecodeRouteConfig = Callable[[Reader], Any]

_DECODERS: dict[str, Callable[[Reader, DecodeRouteConfig], NetworkFilterConfig]] = {
    hcm_config.TYPE_URL: decode_http_connection_manager,
    tcp_proxy_config.TYPE_URL: lambda reader, _: decode_tcp_proxy(reader),
}


def decode_network_filters(
    readers: list[Reader], decode_route_config: DecodeRouteConfig
) -> tuple[tuple[GateConfig, ...], list[NetworkFilterConfig]]:
    """Of envoy.config.listener.v3.Filters: those that only decide whether a connection may go on, and the others."""
    gates: list[GateConfig] = []
    terminal: list[NetworkFilterConfig] = []
    stats: StatsConfig | None = None
    for reader in readers:
        reader.ignore("name")
        type_url, config = reader.any("typed_config") or reader.fail("typed_config", "is required")
        if type_url == network_rbac_config.TYPE_URL and not terminal:
            gates.append(decode_network_rbac(config))
            continue
        if type_url == network_ext_authz_config.TYPE_URL and not terminal:
            gates.append(decode_network_ext_authz(config))
            continue
        if type_url == stats_config.TYPE_URL and not terminal:
            stats = decode_stats(config)
            continue
        decode = _DECODERS.get(type_url)
        if decode is None:
            config.fail("@type", f"{type_url} is not a network filter of this proxy")
        terminal.append(decode(config, decode_route_config))
    return tuple(gates), [_counted(one, stats) for one in terminal]


def _counted(config: NetworkFilterConfig, stats: StatsConfig | None) -> NetworkFilterConfig:
    """The filter istio.stats is for TCP; one of HTTP stands among the HTTP filters."""
    return replace(config, stats=stats) if isinstance(config, TcpProxyConfig) and stats is not None else config
