"""AnalyzedMesh: what analyzers look at. The objects, valid or not, and the workloads that selectors choose from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple, TypeVar, cast

from pymesh.control.analysis.workload import DEFAULT_INGRESS_GATEWAY, Workload, Workloads
from pymesh.control.model.kinds import NAMESPACE, Kind
from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.model.messages import Message
from pymesh.control.model.resource import Key, Resource
from pymesh.control.snapshot.mesh_service import MeshService
from pymesh.control.snapshot.mesh_snapshot import MeshSnapshot
from pymesh.errors import Violation
from pymesh.names import DEFAULT_NAMESPACE, resolve_host, service_fqdn

SpecT = TypeVar("SpecT", bound=Message)


class Annotated(NamedTuple):
    """What an object says of itself beside its spec."""

    key: Key
    annotations: Mapping[str, str]
    labels: Mapping[str, str]


class InvalidObject(NamedTuple):
    """It would be refused when it is applied. `fields` are as they were written."""

    key: Key
    fields: Any
    violations: tuple[Violation, ...]


@dataclass(frozen=True)
class AnalyzedMesh:
    """`resources` are the valid objects, by key, and `warnings` what validation says of them. Of the invalid ones,
    those in `refused` have fields of the right types. `pods` are the objects with the pod templates that are among the
    workloads. `is_running`: the objects are those of a running mesh, whose gateways are not among them. Without `now`,
    no certificate is too old."""

    resources: Mapping[Key, Resource[Any]]
    invalid: Mapping[Key, InvalidObject] = field(default_factory=dict)
    refused: Mapping[Key, Resource[Any]] = field(default_factory=dict)
    warnings: Mapping[Key, tuple[Violation, ...]] = field(default_factory=dict)
    workloads: tuple[Workload, ...] = ()
    pods: tuple[Annotated, ...] = ()
    mesh: MeshConfig = field(default_factory=MeshConfig)
    is_running: bool = False
    now: datetime | None = None

    def of(self, kind: Kind, _: type[SpecT]) -> "list[Resource[SpecT]]":
        """The objects of a kind whose fields have the right types, by namespace and name."""
        found = [one for one in (*self.resources.values(), *self.refused.values()) if one.kind == kind]
        return cast("list[Resource[SpecT]]", sorted(found, key=lambda resource: resource.key))

    def find(self, kind: Kind, namespace: str, name: str) -> Resource[Any] | None:
        """One of them."""
        key = Key(kind.name, namespace, name)
        return self.resources.get(key) or self.refused.get(key)

    def has(self, kind: Kind, namespace: str, name: str) -> bool:
        """Also an invalid one: that it is invalid is said elsewhere."""
        key = Key(kind.name, namespace, name)
        return key in self.resources or key in self.invalid

    @cached_property
    def snapshot(self) -> MeshSnapshot:
        return MeshSnapshot.build(self.resources.values(), self.mesh, 0)

    @cached_property
    def namespaces(self) -> frozenset[str]:
        """Those that are declared, and those that something is in."""
        declared = {resource.name for resource in self.of(NAMESPACE, Message)}
        used = {key.namespace for key in (*self.resources, *self.invalid)} | {one.namespace for one in self.workloads}
        return frozenset((declared | used | {DEFAULT_NAMESPACE, self.mesh.root_namespace}) - {""})

    @cached_property
    def hosts_of_invalid(self) -> frozenset[str]:
        """What invalid Services, ServiceEntries and DestinationRules would be for, as FQDNs."""
        return frozenset(host for one in self.invalid.values() for host in _hosts(one))

    def select(self, namespace: str, labels: dict[str, str]) -> list[Workload]:
        """The namespace's workloads that have all these labels."""
        return self._index.select(namespace, labels)

    def select_gateways(self, labels: dict[str, str]) -> list[Workload]:
        """A Gateway's selector looks into all namespaces."""
        return [one for one in (*self.workloads, DEFAULT_INGRESS_GATEWAY) if one.has(labels)]

    @cached_property
    def services_behind(self) -> Mapping[Key, list[MeshService]]:
        """The Services whose selector chooses a workload."""
        found: dict[Key, list[MeshService]] = {}
        for candidates in self.snapshot.services_by_host.values():
            for service in candidates:
                is_selecting = service.is_kubernetes and service.selector
                for workload in self.select(service.namespace, service.selector) if is_selecting else ():
                    found.setdefault(workload.key, []).append(service)
        return found

    @cached_property
    def _index(self) -> Workloads:
        return Workloads(self.workloads)


def _hosts(invalid: InvalidObject) -> list[str]:
    kind, namespace, name = invalid.key
    if kind == "Service":
        return [service_fqdn(name, namespace).lower()]
    spec = invalid.fields.get("spec") if isinstance(invalid.fields, dict) else None
    if kind not in ("ServiceEntry", "DestinationRule") or not isinstance(spec, dict):
        return []
    hosts = spec.get("hosts") if kind == "ServiceEntry" else [spec.get("host")]
    words = hosts if isinstance(hosts, list) else []
    return [resolve_host(word, namespace).lower() for word in words if isinstance(word, str)]
