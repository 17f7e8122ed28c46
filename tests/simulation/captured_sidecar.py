"""A sidecar that takes redirected traffic: YAML and a connection -> where it would go; no socket."""

from typing import NamedTuple

from pymesh import xds
from pymesh.control.model.manifest import read_manifest
from pymesh.control.model.mesh_config_decoder import decode_mesh_config
from pymesh.control.snapshot.mesh_snapshot import MeshSnapshot
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.build import build
from pymesh.protojson import Reader
from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.downstream.filter_chain_match import ConnectionTraits, FilterChainTable
from pymesh.proxy.downstream.listener_config import ListenerConfig
from pymesh.proxy.downstream.original_dst import find_listener
from pymesh.proxy.downstream.tcp_proxy_config import TcpProxyConfig
from pymesh.proxy.http_filters.factories import per_filter_decoders
from pymesh.proxy.routing.route import DirectResponseAction
from pymesh.proxy.routing.route_table import RouteTable
from pymesh.proxy.xds.cds import decode_cluster
from pymesh.proxy.xds.lds import decode_listener
from pymesh.proxy.xds.rds import decode_route_configuration
from pymesh.xds import Address

_DECODERS = per_filter_decoders()
_MTLS = {"security.istio.io/tlsMode": "istio"}
OWN_ADDRESS = "10.1.1.1"


class Outcome(NamedTuple):
    listener: str
    chain: str = ""
    routes: str = ""
    virtual_host: str = ""
    route: str = ""
    cluster: str = ""
    status: int = 0
    authority: str = ""


class Request:
    """What routing sees of one."""

    def __init__(self, authority: str, path: str, headers: dict[str, str], destination: Address) -> None:
        self.authority = authority.encode()
        self.path = path.encode()
        self.method = headers.pop("method", "GET").encode()
        self.scheme = b"http"
        self.headers = HeaderMap([(name.replace("_", "-").encode(), item.encode()) for name, item in headers.items()])
        self.is_tls = False
        self.remote_address = f"{OWN_ADDRESS}:40000"
        self.local_address = str(destination)


class CapturedSidecar:
    def __init__(
        self, yaml: str, namespace: str = "default", labels: dict[str, str] | None = None, **mesh: object
    ) -> None:
        snapshot = MeshSnapshot.build(read_manifest(yaml, "captured").resources, decode_mesh_config(mesh), 1)
        metadata = xds.NodeMetadata(
            namespace=namespace,
            labels={**_MTLS, **(labels or {})},
            service="web",
            app_port=8080,
            inbound=Address("0.0.0.0", 15006),
            outbound=Address("0.0.0.0", 15001),
            interception_mode=xds.INTERCEPTION_REDIRECT,
        )
        self.resources = build(ProxyView(snapshot, xds.Node(f"sidecar~{OWN_ADDRESS}~web.{namespace}~d", "", metadata)))
        self.listeners = {
            name: decode_listener(Reader(item), _DECODERS) for name, item in self.resources[xds.LISTENER].items()
        }
        for cluster in self.clusters.values():  # none of which the proxy may refuse
            decode_cluster(Reader(cluster))

    @property
    def clusters(self) -> dict[str, xds.Resource]:
        return self.resources[xds.CLUSTER]

    def routes(self, name: str, virtual_host: str) -> list[xds.Resource]:
        hosts = self.resources[xds.ROUTE][name]["virtual_hosts"]
        return next(host["routes"] for host in hosts if host["name"] == virtual_host)

    def http(
        self, url: str, address: str = "10.9.9.9", path: str = "/", random: float = 0.0, **headers: str
    ) -> Outcome:
        """A plaintext request to `host:port`, whose name the application resolved to `address`."""
        host, _, port = url.rpartition(":")
        outcome, terminal, destination = self._arrive(address, int(port), alpn=("http/1.1",))
        if isinstance(terminal, TcpProxyConfig):
            return outcome._replace(cluster=terminal.choose_cluster(random))
        name = terminal.route_config_name
        table = RouteTable(decode_route_configuration(Reader(self.resources[xds.ROUTE][name]), _DECODERS))
        match = table.route(Request(host if port == "80" else url, path, headers, destination), random)
        outcome = outcome._replace(routes=name)
        if match is None:
            return outcome
        outcome = outcome._replace(virtual_host=match.virtual_host.name, route=match.route.name)
        action = match.route.action
        if isinstance(action, DirectResponseAction):
            return outcome._replace(status=action.status)
        chosen = action.choose_cluster(random)
        rewritten = action.host_rewrite or chosen.host_rewrite or b""
        return outcome._replace(cluster=chosen.name, authority=rewritten.decode())

    def tcp(self, address: str, port: int, random: float = 0.0) -> Outcome:
        return self._tunnel(address, port, random)

    def tls(self, sni: str, port: int, address: str = "10.9.9.9", random: float = 0.0) -> Outcome:
        return self._tunnel(address, port, random, sni, "tls")

    def _tunnel(self, address: str, port: int, random: float, sni: str = "", transport: str = "raw_buffer") -> Outcome:
        outcome, terminal, _ = self._arrive(address, port, sni, transport)
        assert isinstance(terminal, TcpProxyConfig), f"{outcome} is for HTTP"
        return outcome._replace(cluster=terminal.choose_cluster(random))

    def _arrive(self, address, port, sni="", transport="raw_buffer", alpn=()):
        destination = Address(address, port)
        listener = self._listener(destination)
        table = FilterChainTable(
            [(chain.match, chain) for chain in listener.filter_chains], listener.default_filter_chain
        )
        chain = table.find(ConnectionTraits(port, sni, transport, alpn if listener.inspects_http else (), address))
        assert chain is not None, f"{listener.name} has no filter chain"
        return Outcome(listener.name, chain.name), chain.network_filter, destination

    def _listener(self, destination: Address) -> ListenerConfig:
        unbound = [item for item in self.listeners.values() if not item.is_bound]
        return find_listener(unbound, destination) or self.listeners["virtualOutbound"]
