"""What LDS says of a listener, decoded.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/listener/v3/listener.proto
"""

from dataclasses import dataclass

from pymesh.proxy.downstream.filter_chain_match import ANY_CONNECTION, FilterChainMatch
from pymesh.proxy.downstream.network_filter_config import GateConfig, NetworkFilterConfig
from pymesh.proxy.tls.config import DownstreamTlsConfig
from pymesh.xds import Address


@dataclass(frozen=True, slots=True)
class FilterChainConfig:
    """`handshake_timeout` in seconds (transport_socket_connect_timeout); `gates` are asked before the filter."""

    name: str
    network_filter: NetworkFilterConfig
    match: FilterChainMatch = ANY_CONNECTION
    tls: DownstreamTlsConfig | None = None
    handshake_timeout: float = 15.0
    gates: tuple[GateConfig, ...] = ()


@dataclass(frozen=True, slots=True)
class ListenerConfig:
    """Port 0: the kernel chooses, once. One that is not bound (`bind_to_port`) gets its connections from those that
    have `hands_off`. `restores_destination`: a redirected connection is taken for one to where it was going.

    `inspects_tls`, `inspects_http`: the tls_inspector, the http_inspector is there; the latter does not look at
    connections to the ports in `no_http_ports`. After `inspection_timeout`
    (seconds, 0 for none) without a result the connection is closed, or goes on as plaintext where
    `continues_on_timeout`.
    """

    name: str
    address: Address
    filter_chains: tuple[FilterChainConfig, ...] = ()
    default_filter_chain: FilterChainConfig | None = None
    is_inbound: bool = False
    is_bound: bool = True
    restores_destination: bool = False
    hands_off: bool = False
    inspects_tls: bool = False
    inspects_http: bool = False
    no_http_ports: tuple[range, ...] = ()
    inspection_timeout: float = 15.0
    continues_on_timeout: bool = False
    max_connections: int = 1 << 20

    @property
    def needs_inspection(self) -> bool:
        """Without a criterion that takes it, the inspector would cost every connection a wait for nothing."""
        inspects = self.inspects_tls or self.inspects_http
        return inspects and any(chain.match.needs_inspection for chain in self.filter_chains)

    def inspects_http_at(self, port: int) -> bool:
        """Whether a connection to this port of the destination is looked at for HTTP."""
        return self.inspects_http and not any(port in ports for ports in self.no_http_ports)
