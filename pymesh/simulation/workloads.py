"""Who calls and who is called: the workloads of the files, by name and address, and the proxies that stand for them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pymesh import xds
from pymesh.control.model.kinds import GATEWAY, SERVICE_ENTRY, WORKLOAD_ENTRY
from pymesh.control.model.resource import Key, Resource
from pymesh.control.model.workload_entry import WorkloadEntry
from pymesh.control.snapshot.mesh_service import MeshPort, MeshService
from pymesh.control.snapshot.mesh_snapshot import MeshSnapshot
from pymesh.control.snapshot.protocol import Protocol
from pymesh.names import (
    APP_LABEL,
    INBOUND_PORT_ANNOTATION,
    TLS_MODE_LABEL,
    service_fqdn,
)

_NO_ADDRESS = "192.0.2.1"  # of a workload that the files do not have
_INBOUND = xds.Address("0.0.0.0", 15006)
_GATEWAY_LABEL = "istio"


@dataclass(frozen=True, slots=True)
class Workload:
    """`inbound_port`: where its sidecar listens, if one registered it."""

    namespace: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    service_account: str = "default"
    address: str = _NO_ADDRESS
    locality: str = ""
    inbound_port: int = 0


class Workloads:
    """The WorkloadEntries of the files, and the endpoints that stand in ServiceEntries."""

    def __init__(self, resources: Iterable[Resource[Any]], snapshot: MeshSnapshot) -> None:
        self._snapshot = snapshot
        self._resources = {resource.key: resource for resource in resources}
        self._by_name: dict[tuple[str, str], Workload] = {}
        self._by_address: dict[str, list[Workload]] = {}
        for resource in self._resources.values():
            for workload in _workloads_of(resource):
                self._by_name.setdefault((workload.namespace, workload.name), workload)
                self._by_address.setdefault(workload.address, []).append(workload)

    def named(self, place: str) -> Workload:
        """`namespace/name` of a WorkloadEntry, or of a Service or ServiceEntry, which stands for its first workload. A
        name that the files do not have stands for a proxy without a service."""
        namespace, _, name = place.partition("/")
        found = self._by_name.get((namespace, name)) or self._of_service(namespace, name)
        return found or Workload(namespace, name)

    def gateway(self, place: str) -> Workload:
        """`namespace/name` of a Gateway, which stands for a proxy that its selector chooses, in the namespace of the
        proxy's Service if the files have that, or of a gateway's workload. Any other name stands for a proxy with the
        labels of Istio's charts."""
        namespace, _, name = place.partition("/")
        known = self._by_name.get((namespace, name))
        if known is not None:
            return known
        gateway = self._resources.get(Key(GATEWAY.name, namespace, name))
        if gateway is not None and gateway.spec.selector:
            labels, namespace = self._behind_service(gateway.spec.selector, namespace)
            return Workload(namespace, name, labels, service_account=f"{name}-service-account")
        labels = {APP_LABEL: name, _GATEWAY_LABEL: name.removeprefix("istio-")}
        return Workload(namespace, name, labels, service_account=f"{name}-service-account")

    def _behind_service(self, selector: Mapping[str, str], namespace: str) -> tuple[Mapping[str, str], str]:
        """The labels and the namespace of the proxies that a Gateway selects, as the Service before them tells them."""
        candidates = (item for found in self._snapshot.services_by_host.values() for item in found)
        entrances = [item for item in candidates if item.is_kubernetes and selector.items() <= item.selector.items()]
        entrances.sort(key=lambda item: (item.namespace != namespace, item.order))
        return (entrances[0].selector, entrances[0].namespace) if entrances else (selector, namespace)

    def at(self, address: str, port: int) -> Workload | None:
        """The workload behind an endpoint."""
        found = self._by_address.get(address) or self._of_endpoint(address)
        return next((item for item in found if item.inbound_port == port), found[0] if found else None)

    def _of_endpoint(self, address: str) -> list[Workload]:
        """An address of Endpoints or an EndpointSlice is its Service's first and only one that is known of."""
        for candidates in self._snapshot.services_by_host.values():
            for service in candidates:
                found = (item for endpoints in service.endpoints.values() for item in endpoints)
                if not service.is_external and any(item.address == address for item in found):
                    return [Workload(service.namespace, service.name, service.selector, address=address)]
        return []

    def port_behind(self, service: MeshService, port: int, workload: Workload) -> int:
        """The workload's own port for a port of its service; 0 if the service does not lead there."""
        endpoints = service.endpoints.get(port, ())
        found = next((item.port for item in endpoints if item.address == workload.address), 0)
        declared = service.port(port)
        if found or declared is None or not _selects(service, workload):
            return found
        return declared.target if isinstance(declared.target, int) else declared.number

    def app_protocol(self, workload: Workload, port: int) -> str:
        """What a workload's port speaks, by the services that lead to it: `http`, unless they say something else. Empty
        where none does."""
        found = [item.protocol for item in self._ports_of(workload, port)]
        if not found:
            return ""
        return "http" if any(protocol.is_http for protocol in found) else "tcp"

    def service_ports(self, workload: Workload, port: int) -> set[int]:
        """The ports of services that lead to a workload's port."""
        return {item.number for item in self._ports_of(workload, port)}

    def _ports_of(self, workload: Workload, port: int) -> Iterator[MeshPort]:
        for candidates in self._snapshot.services_by_host.values():
            for service in candidates:
                for item in service.ports:
                    if item.protocol is not Protocol.UDP and _leads_to(service, item, workload, port):
                        yield item

    def _of_service(self, namespace: str, name: str) -> Workload | None:
        for host in (service_fqdn(name, namespace), name):
            for service in self._snapshot.services_by_host.get(host.lower(), ()):
                if service.namespace == namespace:
                    return self._first_of(service, name)
        entry = self._resources.get(Key(SERVICE_ENTRY.name, namespace, name))
        hosts = entry.spec.hosts if entry is not None else ()
        found = (self._of_service(namespace, host) for host in hosts if host != name)
        return next((workload for workload in found if workload is not None), None)

    def _first_of(self, service: MeshService, name: str) -> Workload | None:
        """Without any workload, what the Service's selector asks for is what the caller must mean."""
        for endpoints in service.endpoints.values():
            for endpoint in endpoints:
                known = self.at(endpoint.address, endpoint.port)
                if known is not None:
                    return known
        return Workload(service.namespace, name, service.selector)


def build_sidecar(workload: Workload, app_port: int = 0, app_protocol: str = "http") -> xds.Node:
    """The sidecar of a workload, whose application serves at `app_port`."""
    metadata = xds.NodeMetadata(
        name=workload.name,
        namespace=workload.namespace,
        workload_name=workload.name,
        labels={**workload.labels, TLS_MODE_LABEL: "istio"},
        service_account=workload.service_account,
        app_port=app_port,
        app_protocol=app_protocol,
        inbound=_INBOUND,
        interception_mode=xds.INTERCEPTION_REDIRECT,
    )
    return _node("sidecar", workload, metadata)


def build_gateway(workload: Workload) -> xds.Node:
    metadata = xds.NodeMetadata(
        name=workload.name,
        namespace=workload.namespace,
        workload_name=workload.name,
        labels={**workload.labels, TLS_MODE_LABEL: "istio"},
        service_account=workload.service_account,
    )
    return _node("router", workload, metadata)


def with_labels(workload: Workload, labels: Mapping[str, str]) -> Workload:
    return replace(workload, labels={**workload.labels, **labels}) if labels else workload


def _node(kind: str, workload: Workload, metadata: xds.NodeMetadata) -> xds.Node:
    namespace = workload.namespace
    identity = f"{kind}~{workload.address}~{workload.name}.{namespace}~{namespace}.svc.cluster.local"
    return xds.Node(identity, "", metadata, xds.parse_node_locality(workload.locality))


def _workloads_of(resource: Resource[Any]) -> Iterator[Workload]:
    if resource.kind == WORKLOAD_ENTRY:
        yield _workload(resource, resource.spec, resource.name, {**resource.metadata.labels, **resource.spec.labels})
    elif resource.kind == SERVICE_ENTRY and resource.spec.location != "MESH_EXTERNAL":
        for i, endpoint in enumerate(resource.spec.endpoints):
            yield _workload(resource, endpoint, f"{resource.name}-{i}", endpoint.labels)


def _workload(resource: Resource[Any], spec: WorkloadEntry, name: str, labels: dict[str, str]) -> Workload:
    inbound_port = resource.metadata.annotations.get(INBOUND_PORT_ANNOTATION, "")
    return Workload(
        namespace=resource.namespace,
        name=name,
        labels=labels,
        service_account=spec.service_account or "default",
        address=spec.address or _NO_ADDRESS,
        locality=spec.locality,
        inbound_port=int(inbound_port) if inbound_port.isdigit() else 0,
    )


def _leads_to(service: MeshService, item: MeshPort, workload: Workload, port: int) -> bool:
    endpoints = service.endpoints.get(item.number, ())
    if any(endpoint.address == workload.address and endpoint.port == port for endpoint in endpoints):
        return True
    return _selects(service, workload) and port == (item.target if isinstance(item.target, int) else item.number)


def _selects(service: MeshService, workload: Workload) -> bool:
    is_near = bool(service.selector) and service.namespace == workload.namespace
    return is_near and service.selector.items() <= workload.labels.items()
