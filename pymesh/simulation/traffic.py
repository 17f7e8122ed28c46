"""A call at one proxy: listener, filter chain, and what that does with it. Follows Istio's pilot/pkg/simulation."""

import dataclasses
from dataclasses import dataclass, field
from typing import Literal

from msgspec.structs import replace

from pymesh.names import HTTP_PROXY, VIRTUAL_INBOUND, VIRTUAL_OUTBOUND
from pymesh.proxy.downstream.access_verdict import DENY, Access, judge_access
from pymesh.proxy.downstream.filter_chain_match import RAW_BUFFER, TLS, ConnectionTraits
from pymesh.proxy.downstream.hcm_config import HttpConnectionManagerConfig
from pymesh.proxy.downstream.listener_config import FilterChainConfig, ListenerConfig
from pymesh.proxy.downstream.path_normalization import PathNormalizer
from pymesh.proxy.downstream.tcp_proxy_config import TcpProxyConfig
from pymesh.proxy.routing.route import RouteMatch
from pymesh.proxy.routing.route_table import RouteTable
from pymesh.simulation.call import Call
from pymesh.simulation.decision import (
    MTLS_ERROR,
    NO_FILTER_CHAIN,
    NO_LISTENER,
    NO_ROUTE,
    NO_VIRTUAL_HOST,
    PROTOCOL_ERROR,
    RBAC_DENIED,
    TLS_ERROR,
    TLS_REDIRECT,
    Decision,
)
from pymesh.simulation.proxy import SimulatedProxy
from pymesh.simulation.request import SimulatedRequest, build_connection, build_request
from pymesh.simulation.route_outcome import decide_route, decide_tcp, redirect_to_tls
from pymesh.xds import Address

Direction = Literal["outbound", "inbound", "gateway"]


@dataclass(slots=True)
class Trail:
    """Where the call has been: what `explanation` tells of. `address` is where the connection went; `request` is as it
    came, `match` what took it, `access` what the chain's own filters think of it. `now`: seconds since the epoch."""

    proxy: SimulatedProxy
    call: Call
    direction: Direction
    address: str
    now: float
    listener: ListenerConfig | None = None
    traits: ConnectionTraits | None = None
    chain: FilterChainConfig | None = None
    table: RouteTable | None = None
    request: SimulatedRequest | None = None
    match: RouteMatch | None = None
    access: Access | None = None
    decision: Decision = field(default_factory=Decision)

    @property
    def has_peer(self) -> bool:
        """Whether the client has shown who it is: only to a chain that ends its TLS."""
        return self.chain is not None and self.chain.tls is not None and self.call.is_mtls


def send(proxy: SimulatedProxy, call: Call, direction: Direction, address: str, now: float = 0.0) -> Trail:
    """`address` is the IP of the connection; the port is the call's."""
    trail = Trail(proxy, call, direction, address, now)
    trail.decision = _decide(trail)
    return trail


def _decide(trail: Trail) -> Decision:
    call, proxy = trail.call, trail.proxy
    name = _listener_name(trail)
    if not name:
        return Decision(error=NO_LISTENER)
    trail.listener = listener = proxy.listener(name)
    decision = Decision(listener=name)
    trail.traits = _traits(call, listener, trail.address)
    trail.chain = chain = proxy.chains(listener).find(trail.traits)
    if chain is None:
        return replace(decision, error=NO_FILTER_CHAIN)
    decision = replace(decision, filter_chain=chain.name or None)
    error = _transport_error(call, chain)
    if error:
        return replace(decision, error=error)
    terminal = chain.network_filter
    if isinstance(terminal, TcpProxyConfig):  # an HTTP request, too, is bytes to it
        trail.access = judge_access(chain, build_connection(call, trail.address, trail.has_peer), trail.now)
        decision = replace(decision, rule=proxy.rule_of(chain))
        decision = decide_tcp(proxy, terminal.clusters, terminal.choose_cluster(call.random), decision)
    else:
        decision = _http(trail, terminal, call, decision)
    is_denied = trail.access is not None and DENY in (trail.access.authn.verdict, trail.access.authz.verdict)
    return replace(decision, error=RBAC_DENIED, endpoints=None) if is_denied else decision


def _listener_name(trail: Trail) -> str:
    """Address and port, any address and the port, then the listener that takes what no other does."""
    proxy, port = trail.proxy, trail.call.port
    if trail.direction == "inbound":
        return VIRTUAL_INBOUND if proxy.has_listener(VIRTUAL_INBOUND) else ""
    found = proxy.listener_of(Address(trail.address, port))
    if found or trail.direction == "gateway":
        return found
    return next((name for name in (VIRTUAL_OUTBOUND, HTTP_PROXY) if proxy.has_listener(name)), "")


def _traits(call: Call, listener: ListenerConfig, address: str) -> ConnectionTraits:
    """What the listener can know: without its inspectors nothing that a client says."""
    if call.is_tls and listener.inspects_tls:
        return ConnectionTraits(call.port, call.sni.lower(), TLS, call.alpn, address)
    is_http = call.is_http and not call.is_tls and listener.inspects_http_at(call.port)
    return ConnectionTraits(call.port, "", RAW_BUFFER, ("http/1.1",) if is_http else (), address)


def _transport_error(call: Call, chain: FilterChainConfig) -> str:
    if chain.tls is None:
        return ""
    if not call.is_tls:
        return TLS_ERROR
    requires_mtls = chain.tls.require_client_certificate
    return MTLS_ERROR if requires_mtls and not call.is_mtls else ""


def _http(trail: Trail, manager: HttpConnectionManagerConfig, call: Call, decision: Decision) -> Decision:
    assert trail.chain is not None
    is_decrypted = trail.chain.tls is not None
    if not call.is_http or (call.is_tls and not is_decrypted):
        return replace(decision, error=PROTOCOL_ERROR)
    trail.table = table = trail.proxy.routes(manager)
    decision = replace(decision, route_config=manager.route_config_name or (table.config.name if table else None))
    request = build_request(call, trail.address, trail.has_peer)
    path = PathNormalizer(manager).normalize(request.path) if request.path else b""
    if path is None:
        return replace(decision, error=PROTOCOL_ERROR)
    request.path = path
    trail.request = dataclasses.replace(request, headers=request.headers.copy())  # the route will change the other's
    host = table.virtual_host(request.authority) if table is not None else None
    if table is None or host is None:
        return replace(decision, error=NO_VIRTUAL_HOST)
    decision = replace(decision, virtual_host=host.name)
    if host.require_tls and not call.is_tls:
        return replace(decision, error=TLS_REDIRECT, redirect=redirect_to_tls(request))
    trail.access = judge_access(trail.chain, request, trail.now)
    request.dynamic_metadata = trail.access.call.dynamic_metadata
    trail.match = match = table.route(request, call.random)
    request.headers = trail.access.call.headers
    if match is None:
        return replace(decision, error=NO_ROUTE)
    decision = replace(decision, route=match.route.name or None, rule=trail.proxy.rule_of(match.route))
    return decide_route(trail.proxy, match.route, request, call.random, decision)
