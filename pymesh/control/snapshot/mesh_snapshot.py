"""MeshSnapshot: every object of the mesh at one revision, typed, resolved and indexed. Immutable."""

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, TypeVar, cast

from pymesh.control.model.authorization_policy import AuthorizationPolicy
from pymesh.control.model.destination_rule import DestinationRule
from pymesh.control.model.endpoints import Endpoints, EndpointSlice
from pymesh.control.model.gateway import Gateway
from pymesh.control.model.kinds import (
    AUTHORIZATION_POLICY,
    DESTINATION_RULE,
    ENDPOINT_SLICE,
    ENDPOINTS,
    GATEWAY,
    PEER_AUTHENTICATION,
    PROXY_CONFIG,
    REQUEST_AUTHENTICATION,
    SECRET,
    SERVICE,
    SERVICE_ENTRY,
    SIDECAR,
    TELEMETRY,
    VIRTUAL_SERVICE,
    WORKLOAD_ENTRY,
    Kind,
)
from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.model.messages import Message
from pymesh.control.model.peer_authentication import PeerAuthentication
from pymesh.control.model.proxy_config import ProxyConfig
from pymesh.control.model.request_authentication import RequestAuthentication
from pymesh.control.model.resource import Resource
from pymesh.control.model.secret import Secret
from pymesh.control.model.service import Service
from pymesh.control.model.service_entry import ServiceEntry
from pymesh.control.model.sidecar import Sidecar
from pymesh.control.model.telemetry import Telemetry
from pymesh.control.model.virtual_service import VirtualService
from pymesh.control.model.workload_entry import WorkloadEntry
from pymesh.control.snapshot.creation_order import SpecT, oldest_first
from pymesh.control.snapshot.delegates import merge_delegates
from pymesh.control.snapshot.destination_rules import DestinationRules
from pymesh.control.snapshot.grouped_workloads import GroupedWorkloads
from pymesh.control.snapshot.instance import build_instance
from pymesh.control.snapshot.instances import Instances
from pymesh.control.snapshot.jwks_source import NO_JWKS, Jwks
from pymesh.control.snapshot.manual_endpoints import ManualEndpoints
from pymesh.control.snapshot.mesh_service import MeshService
from pymesh.control.snapshot.peer_authentications import PeerAuthentications
from pymesh.control.snapshot.proxy_configs import ProxyConfigs
from pymesh.control.snapshot.services import Mesh, build_service, build_service_entry
from pymesh.control.snapshot.shared_hosts import merge_shared_hosts
from pymesh.control.snapshot.sidecars import Sidecars
from pymesh.control.snapshot.telemetries import Telemetries
from pymesh.control.snapshot.virtual_services import VirtualServices, build_virtual_service, source_label_keys
from pymesh.control.snapshot.workload_policies import WorkloadPolicies

T = TypeVar("T")


class MeshSnapshot:
    """Built once per revision and shared by all proxies.

    `label_keys` are the labels of a client on which some rule depends: proxies of one namespace that agree on those see
    the same mesh. `services_by_host` has the candidates of a host, best first. `uses_locality`: what a client sees
    depends on where it is.
    """

    __slots__ = (
        "_cache",
        "authorization_policies",
        "destination_rules",
        "gateways",
        "grouped_workloads",
        "instances",
        "jwks",
        "label_keys",
        "mesh",
        "peer_authentications",
        "proxy_configs",
        "request_authentications",
        "revision",
        "secrets",
        "services_by_host",
        "sidecars",
        "telemetries",
        "uses_locality",
        "virtual_services",
    )

    def __init__(
        self, objects: dict[str, list[Resource[Message]]], mesh: MeshConfig, revision: int, jwks: Jwks
    ) -> None:
        """`objects` by kind's name, oldest first. Use `build`."""
        self.jwks = jwks
        self.revision = revision
        self.mesh = mesh
        entries = _of(objects, WORKLOAD_ENTRY, WorkloadEntry)
        self.instances = Instances(map(build_instance, entries))
        self.grouped_workloads = GroupedWorkloads(entries)
        self.peer_authentications = PeerAuthentications(
            _of(objects, PEER_AUTHENTICATION, PeerAuthentication), mesh.root_namespace
        )
        self.authorization_policies = WorkloadPolicies(
            _of(objects, AUTHORIZATION_POLICY, AuthorizationPolicy), mesh.root_namespace
        )
        self.request_authentications = WorkloadPolicies(
            _of(objects, REQUEST_AUTHENTICATION, RequestAuthentication), mesh.root_namespace
        )
        self.services_by_host = self._services(objects)
        whole = merge_delegates(_of(objects, VIRTUAL_SERVICE, VirtualService), mesh)
        rules = [build_virtual_service(item.resource, mesh, item.origins) for item in whole]
        self.virtual_services = VirtualServices(rules)
        self.destination_rules = DestinationRules(_of(objects, DESTINATION_RULE, DestinationRule), mesh)
        self.sidecars = Sidecars(_of(objects, SIDECAR, Sidecar), mesh.root_namespace)
        self.gateways = tuple(_of(objects, GATEWAY, Gateway))
        self.secrets = {(item.namespace, item.name): item.spec for item in _of(objects, SECRET, Secret)}
        self.telemetries = Telemetries(_of(objects, TELEMETRY, Telemetry), mesh.root_namespace)
        self.uses_locality = self.destination_rules.use_locality or any(self._preferred_labels())
        self.proxy_configs = ProxyConfigs(_of(objects, PROXY_CONFIG, ProxyConfig), mesh.root_namespace)
        self.label_keys = frozenset((*source_label_keys(rules), *self._client_label_keys()))
        self._cache: dict[Hashable, Any] = {}

    def _client_label_keys(self) -> Iterator[str]:
        yield from self.telemetries.label_keys()
        yield from self.proxy_configs.label_keys()
        yield from self.destination_rules.client_label_keys()
        yield from self._preferred_labels()
        yield from (key.partition("=")[0] for key in self.mesh.locality_lb_setting.failover_priority)

    def _preferred_labels(self) -> Iterator[str]:
        for services in self.services_by_host.values():
            for service in services:
                yield from service.preferred_labels

    @classmethod
    def build(
        cls, resources: Iterable[Resource[Message]], mesh: MeshConfig, revision: int, jwks: Jwks = NO_JWKS
    ) -> "MeshSnapshot":
        """`jwks`: what was fetched of the key sets that RequestAuthentications only name."""
        objects: dict[str, list[Resource[Message]]] = {}
        for resource in oldest_first(resources):
            objects.setdefault(resource.kind.name, []).append(resource)
        return cls(objects, mesh, revision, jwks)

    def __repr__(self) -> str:
        return f"<MeshSnapshot {self.revision} services={len(self.services_by_host)}>"

    def cached(self, key: Hashable, make: Callable[[], T]) -> T:
        """What was made for `key` before; it is shared, so nobody may change it. Dies with the snapshot."""
        if key not in self._cache:
            self._cache[key] = make()
        return cast(T, self._cache[key])

    def _services(self, objects: dict[str, list[Resource[Message]]]) -> dict[str, tuple[MeshService, ...]]:
        manual = ManualEndpoints(_of(objects, ENDPOINTS, Endpoints), _of(objects, ENDPOINT_SLICE, EndpointSlice))
        mesh = Mesh(self.mesh, self.instances, manual, self.peer_authentications)
        services = [build_service(item, mesh) for item in _of(objects, SERVICE, Service)]
        for entry in _of(objects, SERVICE_ENTRY, ServiceEntry):
            services.extend(build_service_entry(entry, mesh))
        by_host: dict[str, list[MeshService]] = {}
        for service in services:  # Services before ServiceEntries, oldest first
            by_host.setdefault(service.host, []).append(service)
        return {host: merge_shared_hosts(found) for host, found in sorted(by_host.items())}


def _of(objects: dict[str, list[Resource[Message]]], kind: Kind, _: type[SpecT]) -> "list[Resource[SpecT]]":
    """The objects of one kind; the kind table guarantees the type of their specs."""
    return cast("list[Resource[SpecT]]", objects.get(kind.name, []))
