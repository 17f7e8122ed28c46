"""ProxyView: what one proxy sees of a snapshot."""

from typing import NamedTuple

from pymesh.control.model.gateway import Gateway
from pymesh.control.model.peer_authentication import MutualTLSMode
from pymesh.control.model.resource import Resource
from pymesh.control.snapshot.creation_order import CreationOrder
from pymesh.control.snapshot.destination_rules import MergedDestinationRule
from pymesh.control.snapshot.host_index import HostIndex
from pymesh.control.snapshot.instance import Locality
from pymesh.control.snapshot.mesh_service import MeshService
from pymesh.control.snapshot.mesh_snapshot import MeshSnapshot
from pymesh.control.snapshot.virtual_services import VirtualServiceRule
from pymesh.names import DEFAULT_DOMAIN, service_fqdn
from pymesh.xds import ROUTER, Node


class Scope(NamedTuple):
    """All that decides what a proxy sees. Proxies with equal scopes share what was built for one of them."""

    namespace: str
    labels: frozenset[tuple[str, str]]
    has_certificate: bool
    locality: Locality


def _locality(node: Node) -> Locality:
    told = node.locality
    return Locality(told.region, told.zone, told.sub_zone)


class ProxyView:
    """Lookups depend on the scope only; what depends on more (ports, its own service) stands in `node`."""

    def __init__(self, snapshot: MeshSnapshot, node: Node) -> None:
        metadata = node.metadata
        self.snapshot = snapshot
        self.node = node
        self.mesh = snapshot.mesh
        self.namespace = metadata.namespace
        self.labels = {key: value for key, value in metadata.labels.items() if key in snapshot.label_keys}
        self.has_certificate = metadata.has_certificate
        # Where no rule depends on it, proxies of all localities share what they see.
        self.locality = _locality(node) if snapshot.destination_rules.use_locality else Locality()
        self.scope = Scope(self.namespace, frozenset(self.labels.items()), self.has_certificate, self.locality)

    def __repr__(self) -> str:
        return f"<ProxyView {self.node.id} at {self.snapshot.revision}>"

    @property
    def is_gateway(self) -> bool:
        return self.node.type == ROUTER

    @property
    def services(self) -> dict[str, MeshService]:
        """Every visible service by host."""
        return self.snapshot.cached(("services", self.namespace), self._visible_services)

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
        own = [service for service in self._declared_services() if self._belongs_to(service)]
        return min(own, key=self._strangeness, default=None) or self._service_told()

    @property
    def mesh_rules(self) -> HostIndex[VirtualServiceRule]:
        """For a sidecar: the VirtualService of each host."""
        return self.snapshot.cached(
            ("mesh-rules", self.namespace), lambda: self.snapshot.virtual_services.of_mesh(self.namespace)
        )

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

    @property
    def inbound_mode(self) -> MutualTLSMode:
        """Which connections this workload takes at its application's port."""
        metadata = self.node.metadata
        return self.snapshot.peer_authentications.mode(metadata.namespace, metadata.labels, metadata.app_port)

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

    def _visible_services(self) -> dict[str, MeshService]:
        visible = {}
        for host, candidates in self.snapshot.services_by_host.items():
            best = self._best([item for item in candidates if item.visibility.includes(self.namespace)])
            if best is not None:
                visible[host] = best
        return visible

    def _best(self, candidates: list[MeshService]) -> MeshService | None:
        """The one of the proxy's own namespace, else a Kubernetes Service, else the oldest."""
        own = (item for item in candidates if item.namespace == self.namespace)
        return next(own, candidates[0] if candidates else None)
