"""What LDS says of a listener, decoded.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/listener/v3/listener.proto
"""

from dataclasses import dataclass
from typing import Any

from pymesh.xds import Address


@dataclass(frozen=True, slots=True)
class FilterChainMatch:
    """What is empty matches everything. `transport_protocol` is tls or raw_buffer."""

    destination_port: int = 0
    server_names: tuple[str, ...] = ()
    transport_protocol: str = ""
    application_protocols: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FilterChainConfig:
    """`network_filter` is the terminal filter: an HttpConnectionManagerConfig or a TcpProxyConfig."""

    name: str
    match: FilterChainMatch
    network_filter: Any
    tls: Any = None  # tls.DownstreamTlsConfig
    handshake_timeout: float = 15.0  # seconds


@dataclass(frozen=True, slots=True)
class ListenerConfig:
    """Port 0: the kernel chooses, once. `inspection_timeout` (seconds): how long a first byte may take to come."""

    name: str
    address: Address
    filter_chains: tuple[FilterChainConfig, ...] = ()
    default_filter_chain: FilterChainConfig | None = None
    is_inbound: bool = False
    inspects_tls: bool = False
    inspection_timeout: float = 15.0
    stat_prefix: str = ""
    max_connections: int = 1 << 20
