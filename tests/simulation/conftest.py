"""Istio's YAML and a call -> what the mesh would do with it: the real translation, the real matching, no socket."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from pymesh import xds
from pymesh.control.model.manifest import read_manifest
from pymesh.control.model.mesh_config_decoder import decode_mesh_config
from pymesh.control.snapshot.mesh_snapshot import MeshSnapshot
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.build import build
from pymesh.protojson import Reader
from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.downstream.access_verdict import Authorization, authorize
from pymesh.proxy.downstream.filter_chain_match import ConnectionTraits, FilterChainTable
from pymesh.proxy.downstream.hcm_config import HttpConnectionManagerConfig
from pymesh.proxy.downstream.listener_config import ListenerConfig
from pymesh.proxy.http_filters.factories import per_filter_decoders
from pymesh.proxy.routing.redirect import RedirectAction
from pymesh.proxy.routing.route import ClusterAction, DirectResponseAction, RouteConfiguration, RouteMatch
from pymesh.proxy.routing.route_table import RouteTable
from pymesh.proxy.tls.peer_identity import PeerIdentity
from pymesh.proxy.xds.lds import decode_listener
from pymesh.proxy.xds.rds import decode_route_configuration

NO_ROUTE = "no_route"
CLUSTER_NOT_FOUND = "cluster_not_found"
NO_LISTENER = "no_listener"
NO_FILTER_CHAIN = "no_filter_chain"

_DECODERS = per_filter_decoders()
_MTLS = {"security.istio.io/tlsMode": "istio"}


@dataclass(slots=True)
class Request:
    """What routing sees of a request."""

    authority: bytes
    path: bytes
    method: bytes = b"GET"
    scheme: bytes = b"http"
    headers: HeaderMap = field(default_factory=HeaderMap)
    is_tls: bool = False
    remote_address: str = "192.0.2.1:40000"
    local_address: str = "127.0.0.1:15001"


class Call:
    """A request with what is known of its connection."""

    def __init__(self, request: Request, peer: PeerIdentity | None, **fields: Any) -> None:
        self.__dict__.update(fields)
        self.request = request
        self.peer = peer

    direct_remote_address = "192.0.2.1:40000"
    requested_server_name = ""
    dynamic_metadata: Mapping[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.request, name)


_CALL_FIELDS = ("direct_remote_address", "remote_address", "local_address", "requested_server_name", "dynamic_metadata")


class Decision(NamedTuple):
    """`error` is empty where a route was found and its cluster exists."""

    error: str = ""
    virtual_host: str = ""
    route: str = ""
    cluster: str = ""
    authority: str = ""
    path: str = ""
    redirect: str = ""
    status: int = 0
    endpoints: tuple[str, ...] = ()
    action: Any = None


class Simulation:
    """One proxy of a mesh, with its resources decoded by the proxy's own decoders."""

    def __init__(self, resources: Mapping[str, Mapping[str, xds.Resource]]) -> None:
        self.resources = resources
        self.tables = {name: RouteTable(_routes(Reader(item))) for name, item in resources[xds.ROUTE].items()}
        self.listeners = {
            name: decode_listener(Reader(item), _DECODERS) for name, item in resources[xds.LISTENER].items()
        }

    def send(self, url: str, method: str = "GET", random: float = 0.0, **headers: str) -> Decision:
        """Through the sidecar's HTTP proxy. Underscores in names of headers are dashes."""
        request = _request(url, method, headers)
        return self._decide(self.tables["http_proxy"], request, random)

    def arrive(self, url: str, method: str = "GET", random: float = 0.0, **headers: str) -> Decision:
        """At a gateway; the URL's port is the listener's."""
        parts = urlsplit(url)
        is_tls = parts.scheme == "https"
        listener = self.listeners.get(f"0.0.0.0_{parts.port}")
        if listener is None:
            return Decision(error=NO_LISTENER)
        chain = _chain(listener, parts.hostname or "" if is_tls else "", "tls" if is_tls else "raw_buffer")
        if chain is None:
            return Decision(error=NO_FILTER_CHAIN)
        manager = chain.network_filter
        assert isinstance(manager, HttpConnectionManagerConfig)
        request = _request(url, method, headers)
        request.is_tls = is_tls
        return self._decide(self.tables[manager.route_config_name], request, random)

    def inbound(self, transport: str, *alpn: str) -> str:
        """The name of the filter chain that a connection to the inbound listener gets; empty for none."""
        listener = self.listeners["virtualInbound"]
        chain = _chain(listener, "", transport, alpn)
        return chain.name if chain is not None else ""

    def receive(self, url: str, method: str = "GET", peer: str = "", **call: Any) -> Authorization:
        """At the inbound listener: may it pass? `peer` is a principal, `cluster.local/ns/x/sa/y`; the connection is
        then mTLS. `tcp=True` is a connection without a request; other arguments are fields of the call or headers."""
        is_tcp = call.pop("tcp", False)
        transport = ("tls", "istio") if peer else ("raw_buffer",)
        chain = _chain(self.listeners["virtualInbound"], "", transport[0], transport[1:])
        known = {name: call.pop(name) for name in _CALL_FIELDS if name in call}
        request = _request(url, method, call)
        if is_tcp:
            request.path = request.authority = request.method = b""
        identity = PeerIdentity((f"spiffe://{peer}",), (), "", "") if peer else None
        return authorize(chain, Call(request, identity, **known))

    def _decide(self, table: RouteTable, request: Request, random: float) -> Decision:
        match = table.route(request, random)
        if match is None:
            return Decision(error=NO_ROUTE)
        named = Decision(virtual_host=match.virtual_host.name, route=match.route.name, action=match.route.action)
        action = match.route.action
        if isinstance(action, RedirectAction):
            return named._replace(redirect=action.location(request).decode(), status=action.code)
        if isinstance(action, DirectResponseAction):
            return named._replace(status=action.status)
        return self._forward(named, match, action, request, random)

    def _forward(
        self, named: Decision, match: RouteMatch, action: ClusterAction, request: Request, random: float
    ) -> Decision:
        chosen = action.choose_cluster(random)
        rewritten = action.host_rewrite or chosen.host_rewrite or request.authority
        return named._replace(
            error="" if chosen.name in self.resources[xds.CLUSTER] else CLUSTER_NOT_FOUND,
            cluster=chosen.name,
            authority=rewritten.decode(),
            path=action.rewrite_path(request.path).decode(),
            endpoints=tuple(_endpoints(self.resources[xds.ENDPOINT].get(chosen.name))),
        )


@pytest.fixture
def sidecar() -> Callable[..., Simulation]:
    """The sidecar of a workload in `namespace` with `labels`; further arguments are MeshConfig's."""

    def make(
        yaml: str,
        namespace: str = "default",
        labels: dict[str, str] | None = None,
        locality: str = "",
        protocol: str = "http",
        **mesh: object,
    ) -> Simulation:
        metadata = xds.NodeMetadata(
            namespace=namespace,
            labels={**_MTLS, **(labels or {})},
            service="web",
            app_port=8080,
            app_protocol=protocol,
            inbound=xds.Address("0.0.0.0", 15006),
        )
        node = xds.Node(f"sidecar~1.2.3.4~web.{namespace}~d", "", metadata, xds.parse_node_locality(locality))
        return _simulation(yaml, node, mesh)

    return make


@pytest.fixture
def gateway() -> Callable[..., Simulation]:
    def make(yaml: str, **mesh: object) -> Simulation:
        labels = {**_MTLS, "istio": "ingressgateway"}
        metadata = xds.NodeMetadata(namespace="istio-system", labels=labels)
        return _simulation(yaml, xds.Node(id="router~1.2.3.4~gw.istio-system~d", metadata=metadata), mesh)

    return make


def _simulation(yaml: str, node: xds.Node, mesh: dict[str, object]) -> Simulation:
    snapshot = MeshSnapshot.build(read_manifest(yaml, "simulation").resources, decode_mesh_config(mesh), 1)
    return Simulation(build(ProxyView(snapshot, node)))


def _routes(reader: Reader) -> RouteConfiguration:
    return decode_route_configuration(reader, _DECODERS)


def _request(url: str, method: str, headers: dict[str, str]) -> Request:
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    is_connect = method == "CONNECT"
    return Request(
        authority=parts.netloc.encode(),
        path=b"" if is_connect else path.encode(),
        method=method.encode(),
        scheme=parts.scheme.encode(),
        headers=HeaderMap(pairs),
    )


def _chain(listener: ListenerConfig, sni: str, transport: str, alpn: tuple[str, ...] = ()) -> Any:
    table = FilterChainTable([(chain.match, chain) for chain in listener.filter_chains])
    return table.find(ConnectionTraits(listener.address.port, sni, transport, alpn))


def _endpoints(assignment: xds.Resource | None) -> list[str]:
    localities = assignment["endpoints"] if assignment is not None else ()
    addresses = [
        endpoint["endpoint"]["address"]["socket_address"]
        for locality in localities
        for endpoint in locality["lb_endpoints"]
    ]
    return [f"{address['address']}:{address['port_value']}" for address in addresses]
