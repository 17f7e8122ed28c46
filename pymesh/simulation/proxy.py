"""SimulatedProxy: what one proxy of the mesh was told, decoded by the proxy's own decoders and compiled once."""

from collections.abc import Mapping
from typing import Any

from pymesh import xds
from pymesh.control.model.resource import Key
from pymesh.names import ISTIO_METADATA
from pymesh.protojson import Reader
from pymesh.proxy.downstream.filter_chain_match import FilterChainTable
from pymesh.proxy.downstream.hcm_config import HttpConnectionManagerConfig
from pymesh.proxy.downstream.listener_config import FilterChainConfig, ListenerConfig
from pymesh.proxy.downstream.original_dst import find_listener
from pymesh.proxy.http_filters.factories import per_filter_decoders
from pymesh.proxy.routing.route import Route
from pymesh.proxy.routing.route_table import RouteTable
from pymesh.proxy.xds.lds import decode_listener
from pymesh.proxy.xds.rds import decode_route_configuration
from pymesh.simulation.decision import Rule

_DECODERS = per_filter_decoders()
_KIND = "VirtualService"


class SimulatedProxy:
    """Listeners and route configurations are decoded when a call first needs them."""

    def __init__(self, resources: Mapping[str, Mapping[str, xds.Resource]], is_gateway: bool) -> None:
        self.resources = resources
        self.is_gateway = is_gateway
        self._listeners: dict[str, ListenerConfig] = {}
        self._chains: dict[str, FilterChainTable[FilterChainConfig]] = {}
        self._tables: dict[str, RouteTable] = {}
        self._inline: dict[int, RouteTable] = {}
        self._rules: dict[int, Rule] = {}

    def listener_names(self) -> list[str]:
        return list(self.resources[xds.LISTENER])

    def has_listener(self, name: str) -> bool:
        return name in self.resources[xds.LISTENER]

    def listener(self, name: str) -> ListenerConfig:
        found = self._listeners.get(name)
        if found is None:
            resource = self.resources[xds.LISTENER][name]
            found = self._listeners[name] = decode_listener(Reader(resource), _DECODERS)
            for chain, chain_json in zip(found.filter_chains, resource["filter_chains"], strict=True):
                self._add_rule(chain, chain_json)
        return found

    def listener_of(self, destination: xds.Address) -> str:
        """The name of the listener of the address and port, or of any address and the port; empty without one."""
        at_port = [
            self.listener(name)
            for name, resource in self.resources[xds.LISTENER].items()
            if resource["address"].get("socket_address", {}).get("port_value") == destination.port
        ]
        found = find_listener(at_port, destination)
        return found.name if found is not None else ""

    def chains(self, listener: ListenerConfig) -> FilterChainTable[FilterChainConfig]:
        found = self._chains.get(listener.name)
        if found is None:
            chains = [(chain.match, chain) for chain in listener.filter_chains]
            found = FilterChainTable(chains, listener.default_filter_chain)
            self._chains[listener.name] = found
        return found

    def routes(self, manager: HttpConnectionManagerConfig) -> RouteTable | None:
        """None: RDS has no such route configuration."""
        if manager.route_config is not None:
            return self._inline.setdefault(id(manager.route_config), RouteTable(manager.route_config))
        return self.table(manager.route_config_name)

    def table(self, name: str) -> RouteTable | None:
        resource = self.resources[xds.ROUTE].get(name)
        if resource is None:
            return None
        found = self._tables.get(name)
        if found is None:
            config = decode_route_configuration(Reader(resource), _DECODERS)
            found = self._tables[name] = RouteTable(config)
            for host, host_json in zip(config.virtual_hosts, resource["virtual_hosts"], strict=True):
                for route, route_json in zip(host.routes, host_json.get("routes", ()), strict=True):
                    self._add_rule(route, route_json)
        return found

    def rule_of(self, made: Route | FilterChainConfig) -> Rule | None:
        """Which rule of which object made it; None where translation did of itself."""
        return self._rules.get(id(made))

    def _add_rule(self, made: Route | FilterChainConfig, resource: Mapping[str, Any]) -> None:
        """By the identity of what was decoded of this JSON."""
        rule = rule_in(resource)
        if rule is not None:
            self._rules[id(made)] = rule

    def endpoints(self, cluster: str) -> tuple[str, ...]:
        assignment = self.assignment(cluster)
        return tuple(address for address, _ in _endpoints(assignment))

    def mtls_endpoints(self, cluster: str) -> frozenset[str]:
        """Those of the endpoints to which the proxy speaks mTLS."""
        resource = self.resources[xds.CLUSTER].get(cluster, {})
        if "transport_socket" in resource:
            return frozenset(self.endpoints(cluster)) if _is_mesh(resource["transport_socket"]) else frozenset()
        if "transport_socket_matches" not in resource:
            return frozenset()
        return frozenset(address for address, is_mtls in _endpoints(self.assignment(cluster)) if is_mtls)

    def assignment(self, cluster: str) -> Mapping[str, Any]:
        """Of EDS, or inline in the cluster; empty without any."""
        found = self.resources[xds.ENDPOINT].get(cluster)
        if found is None:
            found = self.resources[xds.CLUSTER].get(cluster, {}).get("load_assignment", {})
        return found or {}


def rule_in(resource: Mapping[str, Any]) -> Rule | None:
    """What the metadata of a route or a filter chain says of its origin."""
    metadata = resource.get("metadata", {}).get("filter_metadata", {}).get(ISTIO_METADATA, {})
    parts = str(metadata.get("delegate") or metadata.get("config", "")).split("/")
    if len(parts) < 4 or "rule" not in metadata:
        return None
    return Rule(Key(_KIND, parts[-3], parts[-1]), metadata["rule"])


def _endpoints(assignment: Mapping[str, Any]) -> list[tuple[str, bool]]:
    return [
        (_address(endpoint), "envoy.transport_socket_match" in endpoint.get("metadata", {}).get("filter_metadata", {}))
        for locality in assignment.get("endpoints", ())
        for endpoint in locality.get("lb_endpoints", ())
    ]


def _address(endpoint: Mapping[str, Any]) -> str:
    address = endpoint["endpoint"]["address"]
    if "pipe" in address:
        return f"unix://{address['pipe']['path']}"
    bound = address["socket_address"]
    return str(xds.Address(bound["address"], bound["port_value"]))


def _is_mesh(socket: Mapping[str, Any]) -> bool:
    common = socket.get("typed_config", {}).get("common_tls_context", {})
    certificates = common.get("tls_certificate_sds_secret_configs", ())
    return any(item.get("name") == "default" for item in certificates)
