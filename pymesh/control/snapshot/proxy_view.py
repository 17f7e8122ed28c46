"""ProxyView: what one proxy sees of a snapshot."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

from pymesh.control.model.authorization_policy import AuthorizationPolicy
from pymesh.control.model.gateway import Gateway
from pymesh.control.model.peer_authentication import MutualTLSMode
from pymesh.control.model.request_authentication import RequestAuthentication
from pymesh.control.model.resource import Key, Resource
from pymesh.control.model.sidecar import OutboundTrafficPolicy as SidecarPolicy
from pymesh.control.snapshot.access_logging import LogProviders, Mode
from pymesh.control.snapshot.creation_order import CreationOrder
from pymesh.control.snapshot.destination_rules import MergedDestinationRule
from pymesh.control.snapshot.egress import EgressScope, build_egress_scope, join_ports, services_behind
from pymesh.control.snapshot.host_index import HostIndex
from pymesh.control.snapshot.instance import Locality
from pymesh.control.snapshot.mesh_service import MeshService
from pymesh.control.snapshot.mesh_snapshot import MeshSnapshot
from pymesh.control.snapshot.metric_settings import MetricSettings
from pymesh.control.snapshot.tracing import TracingSpec
from pymesh.control.snapshot.virtual_services import VirtualServiceRule, index_by_host
from pymesh.names import DEFAULT_DOMAIN, MESH_GATEWAY, service_fqdn
from pymesh.xds import ROUTER, Node

T = TypeVar("T")

_PROMETHEUS = "prometheus"  # a provider that Istio has without being told


class Scope(NamedTuple):
    """All that decides what a proxy sees. Proxies with equal scopes share what was built for one of them.

    `sidecar` is the Sidecar that holds; `is_redirected`: the proxy knows where traffic was going.
    """

    namespace: str
    labels: frozenset[tuple[str, str]]
    has_certificate: bool
    locality: Locality
    sidecar: Key | None = None
    is_redirected: bool = False


def _locality(node: Node) -> Locality:
    told = node.locality
    return Locality(told.region, told.zone, told.sub_zone)


class ProxyView:
    """Lookups depend on the scope only; what depends on more (ports, its own service) stands in `node`."""

    def __init__(self, snapshot: MeshSnapshot, node: Node) -> None:
        node = snapshot.grouped_workloads.complete(node)
        metadata = node.metadata
        self.snapshot = snapshot
        self.node = node
        self.mesh = snapshot.mesh
        self.namespace = metadata.namespace
        self.labels = {key: value for key, value in metadata.labels.items() if key in snapshot.label_keys}
        self.has_certificate = metadata.has_certificate
        # Where no rule depends on it, proxies of all localities share what they see.
        self.locality = _locality(node) if snapshot.uses_locality else Locality()
        found = None if self.is_gateway else snapshot.sidecars.find(metadata.namespace, metadata.labels)
        self.sidecar = found
        self.is_redirected = metadata.is_redirected and not self.is_gateway
        self.scope = Scope(
            self.namespace,
            frozenset(self.labels.items()),
            self.has_certificate,
            self.locality,
            found.key if found is not None else None,
            self.is_redirected,
        )

    def __repr__(self) -> str:
        return f"<ProxyView {self.node.id} at {self.snapshot.revision}>"

    @property
    def is_gateway(self) -> bool:
        return self.node.type == ROUTER

    @property
    def own_address(self) -> str:
        """The workload's, as the node's id tells it."""
        parts = self.node.id.split("~")
        return parts[1] if len(parts) > 1 else ""

    @property
    def reserved_ports(self) -> tuple[int, ...]:
        """Where the sidecar itself listens."""
        metadata = self.node.metadata
        return tuple(address.port for address in (metadata.inbound, metadata.outbound) if address is not None)

    @property
    def services(self) -> dict[str, MeshService]:
        """Every service by host that this proxy may send to."""
        if self.sidecar is None:
            return self._visible_services
        return self._cached("services", self._scoped_services)

    @property
    def egress(self) -> tuple[EgressScope, ...]:
        """What it sees on which port; the scope for all other ports, if any, is the last one."""
        return self._cached("egress", lambda: tuple(self._egress()))

    @property
    def imported_services(self) -> dict[str, MeshService]:
        """Those of `services` that it sees by name, whatever the port."""
        if self.sidecar is None:
            return self._visible_services
        return self._cached("imported", lambda: _merged(scope.services for scope in self.egress))

    @property
    def outbound_traffic_policy(self) -> SidecarPolicy:
        """Of unknown hosts: the Sidecar's, or else the mesh's."""
        told = self.sidecar.spec.outbound_traffic_policy if self.sidecar is not None else None
        return told or SidecarPolicy(mode=self.mesh.outbound_traffic_policy.mode)

    def service(self, host: str) -> MeshService | None:
        """The service of an FQDN."""
        return self.services.get(host)

    def service_named(self, name: str) -> MeshService | None:
        """The service that a user of this proxy calls so: `db`, `db.default`, `db.default.svc`, an FQDN or any host."""
        short = service_fqdn(name, self.namespace)
        for host in (name, short, f"{name}.svc.{DEFAULT_DOMAIN}", f"{name}.{DEFAULT_DOMAIN}"):
            service = self.service(host.lower())
            if service is not None:
                return service
        return None

    @property
    def own_service(self) -> MeshService | None:
        """The service for which this proxy's workload counts what arrives.

        Where several have it, a Service that a user declared goes before the one that the registry made, the one called
        like `--service` before others, and the older before the younger.
        """
        return next(iter(self.own_services), None) or self._service_told()

    @property
    def own_services(self) -> list[MeshService]:
        """All that have its workload behind them, in the order in which they count."""
        own = (service for service in self._declared_services() if self._belongs_to(service))
        return sorted(own, key=self._strangeness)

    @property
    def mesh_rules(self) -> HostIndex[VirtualServiceRule]:
        """For a sidecar: the VirtualService of each host."""
        return self.snapshot.cached(
            ("mesh-rules", self.namespace, self.scope.sidecar), lambda: index_by_host(self.imported_rules)
        )

    @property
    def imported_rules(self) -> list[VirtualServiceRule]:
        """The VirtualServices that it sees on whatever port, by precedence."""
        if self.sidecar is None:
            return self._visible_rules
        imported = {rule.key for scope in self.egress for rule in scope.rules}
        return [rule for rule in self._visible_rules if rule.key in imported]

    def gateway_rules(self, gateway: str) -> list[VirtualServiceRule]:
        """The VirtualServices bound to a Gateway, `namespace/name`, in their order of precedence."""
        return self.snapshot.cached(
            ("gateway-rules", self.namespace, gateway),
            lambda: self.snapshot.virtual_services.of_gateway(gateway, self.namespace),
        )

    def destination_rule(self, service: MeshService) -> MergedDestinationRule | None:
        return self.snapshot.destination_rules.find(self.namespace, self.labels, service.host, service.namespace)

    @property
    def gateways(self) -> list[Resource[Gateway]]:
        """The Gateways, of all namespaces, whose selector chooses this proxy; oldest first."""
        labels = self.node.metadata.labels.items()
        return [item for item in self.snapshot.gateways if item.spec.selector.items() <= labels]

    def inbound_mode(self, port: int) -> MutualTLSMode:
        """Which connections this workload takes at a port of its application."""
        metadata = self.node.metadata
        return self.snapshot.peer_authentications.mode(metadata.namespace, metadata.labels, port)

    @property
    def mtls_ports(self) -> tuple[int, ...]:
        """The ports of this workload of which a PeerAuthentication speaks by number."""
        metadata = self.node.metadata
        return self.snapshot.peer_authentications.ports(metadata.namespace, metadata.labels)

    @property
    def authorization_policies(self) -> list[Resource[AuthorizationPolicy]]:
        """Those that hold for this workload."""
        told = self.node.metadata
        return self.snapshot.authorization_policies.of_workload(told.namespace, told.labels)

    @property
    def request_authentications(self) -> list[Resource[RequestAuthentication]]:
        """Those that hold for this workload."""
        told = self.node.metadata
        return self.snapshot.request_authentications.of_workload(told.namespace, told.labels)

    def tracing(self, mode: Mode) -> TracingSpec:
        """What Telemetries say of the traces beginning or going on here."""
        providers = self.mesh.default_providers
        default = providers.tracing[0] if providers is not None and providers.tracing else None
        return self.snapshot.telemetries.tracing(self.namespace, self.labels, mode, default)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that MeshConfig and ProxyConfigs set for this proxy."""
        own = self.snapshot.proxy_configs.environment(self.namespace, self.labels)
        return self.mesh.default_config.proxy_metadata | own

    def log_providers(self, mode: Mode) -> LogProviders:
        """Who gets this workload's access logs."""
        providers = self.mesh.default_providers
        defaults = providers.access_logging if providers is not None else ()
        return self.snapshot.telemetries.log_providers(self.namespace, self.labels, mode, defaults)

    def metric_settings(self, mode: Mode) -> MetricSettings:
        """What is changed of this workload's metrics. Without a word of MeshConfig, Prometheus gets them."""
        key = ("metric-settings", self.namespace, self.scope.labels, mode)
        return self.snapshot.cached(key, lambda: self._metric_settings(mode))

    def _metric_settings(self, mode: Mode) -> MetricSettings:
        told = self.mesh.default_providers
        defaults = told.metrics if told is not None and told.metrics else (_PROMETHEUS,)
        named = {one.name.lower() for one in self.mesh.extension_providers if one.prometheus is not None} | {
            _PROMETHEUS
        }
        telemetries = self.snapshot.telemetries
        return telemetries.metric_settings(
            self.namespace, self.labels, mode, defaults, lambda name: name.lower() in named
        )

    def _declared_services(self) -> list[MeshService]:
        """Of the proxy's namespace, seen or not: its workload is behind them all the same."""
        return self.snapshot.cached(("declared-services", self.namespace), self._of_namespace)

    def _of_namespace(self) -> list[MeshService]:
        found = (service for candidates in self.snapshot.services_by_host.values() for service in candidates)
        return [service for service in found if service.namespace == self.namespace]

    def _belongs_to(self, service: MeshService) -> bool:
        told = self.node.metadata
        if service.selector:
            return service.selector.items() <= told.labels.items()
        return service.is_kubernetes and bool(told.service) and service.name == told.service

    def _strangeness(self, service: MeshService) -> tuple[bool, bool, bool, CreationOrder]:
        is_other = service.name != self.node.metadata.service
        return service.is_automatic, is_other, not service.is_kubernetes, service.order

    def _service_told(self) -> MeshService | None:
        """For a workload whose labels say otherwise."""
        told = self.node.metadata.service
        return self.service_named(told) if told else None

    # what a Sidecar leaves of it

    def _cached(self, what: str, make: Callable[[], T]) -> T:
        return self.snapshot.cached((what, self.namespace, self.scope.sidecar), make)

    def _egress(self) -> Iterator[EgressScope]:
        listeners = self.sidecar.spec.egress if self.sidecar is not None else ()
        if not listeners:
            yield EgressScope(self._visible_services, tuple(self._visible_rules))
        services = [item for found in self.snapshot.services_by_host.values() for item in found if self._sees(item)]
        for listener in listeners:
            yield build_egress_scope(listener, self.namespace, services, self._visible_rules)

    def _scoped_services(self) -> dict[str, MeshService]:
        """The imported ones, and those to which an imported VirtualService leads."""
        visible = self._visible_services
        found = ((scope.services, services_behind(scope, visible, self.namespace)) for scope in self.egress)
        return _merged(services for both in found for services in both)

    @property
    def _visible_rules(self) -> list[VirtualServiceRule]:
        return self.snapshot.cached(
            ("visible-rules", self.namespace),
            lambda: self.snapshot.virtual_services.of_gateway(MESH_GATEWAY, self.namespace),
        )

    @property
    def _visible_services(self) -> dict[str, MeshService]:
        return self.snapshot.cached(("services", self.namespace), self._find_visible_services)

    def _find_visible_services(self) -> dict[str, MeshService]:
        visible = {}
        for host, candidates in self.snapshot.services_by_host.items():
            best = self._best([item for item in candidates if self._sees(item)])
            if best is not None:
                visible[host] = best
        return visible

    def _sees(self, service: MeshService) -> bool:
        return service.visibility.includes(self.namespace)

    def _best(self, candidates: list[MeshService]) -> MeshService | None:
        """The one of the proxy's own namespace, else a Kubernetes Service, else the oldest."""
        own = (item for item in candidates if item.namespace == self.namespace)
        return next(own, candidates[0] if candidates else None)


def _merged(services: Iterable[dict[str, MeshService]]) -> dict[str, MeshService]:
    """A service that several listeners import has the ports of all of them."""
    merged: dict[str, MeshService] = {}
    for found in services:
        for host, service in found.items():
            merged[host] = join_ports(merged[host], service) if host in merged else service
    return merged
