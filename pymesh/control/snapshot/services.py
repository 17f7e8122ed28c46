"""MeshServices from Services and ServiceEntries."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.model.resource import Resource
from pymesh.control.model.service import Service
from pymesh.control.model.service_entry import ServiceEntry
from pymesh.control.model.validation.syntax import is_ip_address
from pymesh.control.snapshot.creation_order import creation_order
from pymesh.control.snapshot.instance import Instance, build_inline_instance, build_stand_in
from pymesh.control.snapshot.instances import Instances
from pymesh.control.snapshot.manual_endpoints import ManualEndpoints
from pymesh.control.snapshot.mesh_service import Endpoint, MeshPort, MeshService, Resolution
from pymesh.control.snapshot.peer_authentications import PeerAuthentications
from pymesh.control.snapshot.protocol import Protocol, port_protocol
from pymesh.control.snapshot.traffic_distribution import preferred_labels
from pymesh.control.snapshot.visibility import visibility
from pymesh.names import EXPORT_TO_ANNOTATION, MANAGED_BY_LABEL, MANAGED_BY_REGISTRY, service_fqdn
from pymesh.spiffe import SpiffeId


class Mesh(NamedTuple):
    """What the endpoints of a service depend on."""

    config: MeshConfig
    instances: Instances
    manual_endpoints: ManualEndpoints
    peer_authentications: PeerAuthentications


_KUBERNETES_TRANSPORTS = {"UDP": "UDP"}


def build_service(resource: Resource[Service], mesh: Mesh) -> MeshService:
    """A Service: its selector's workloads and its EndpointSlices; without a selector, those that registered under its
    name, and its Endpoints and EndpointSlices."""
    spec, namespace = resource.spec, resource.namespace
    host = service_fqdn(resource.name, namespace).lower()
    instances = _service_instances(resource, mesh)
    ports = tuple(_service_ports(spec, instances))
    reachable = [item for item in instances if item.is_healthy or spec.publish_not_ready_addresses]
    return MeshService(
        host=host,
        name=resource.name,
        namespace=namespace,
        ports=ports,
        resolution=_address_resolution(reachable),
        is_external=bool(spec.external_name),
        is_kubernetes=True,
        visibility=visibility(
            _exported_to(resource.metadata.annotations.get(EXPORT_TO_ANNOTATION, "")),
            mesh.config.default_service_export_to,
            namespace,
        ),
        order=creation_order(resource),
        endpoints={port.number: _endpoints(port, reachable, mesh) for port in ports},
        service_accounts=_service_accounts(instances, mesh),
        addresses=tuple(item for item in dict.fromkeys((spec.cluster_ip, *spec.cluster_ips)) if is_ip_address(item)),
        is_headless=spec.cluster_ip == "None" and not spec.external_name,
        selector=spec.selector,
        is_automatic=resource.metadata.labels.get(MANAGED_BY_LABEL) == MANAGED_BY_REGISTRY,
        preferred_labels=preferred_labels(resource.metadata, spec.traffic_distribution),
    )


def build_service_entry(resource: Resource[ServiceEntry], mesh: Mesh) -> Iterator[MeshService]:
    """A service for each host of the ServiceEntry."""
    spec, namespace = resource.spec, resource.namespace
    for host in dict.fromkeys(host.lower() for host in spec.hosts):
        instances = _entry_instances(resource, mesh, host)
        reachable = [item for item in instances if item.is_healthy]
        ports = tuple(_entry_ports(spec, instances))
        yield MeshService(
            host=host,
            name=host,
            namespace=namespace,
            ports=ports,
            resolution=_entry_resolution(spec, reachable, host),
            is_external=spec.location == "MESH_EXTERNAL",
            is_kubernetes=False,
            visibility=visibility(spec.export_to, mesh.config.default_service_export_to, namespace),
            order=creation_order(resource),
            endpoints={port.number: _endpoints(port, reachable, mesh) for port in ports},
            service_accounts=_service_accounts(instances, mesh),
            subject_alt_names=spec.subject_alt_names,
            addresses=tuple(item for item in map(_single_address, spec.addresses) if is_ip_address(item)),
            subnets=tuple(item for item in spec.addresses if not is_ip_address(_single_address(item))),
            is_unresolved=spec.resolution == "NONE",
            selector=spec.workload_selector.labels if spec.workload_selector is not None else {},
            preferred_labels=preferred_labels(resource.metadata, None),
        )


def _service_instances(resource: Resource[Service], mesh: Mesh) -> list[Instance]:
    spec, namespace = resource.spec, resource.namespace
    if spec.external_name:
        return [build_stand_in(spec.external_name, namespace)]
    if spec.selector:
        selected = mesh.instances.select(namespace, spec.selector)
        return [*selected, *mesh.manual_endpoints.beside(namespace, resource.name, selected)]
    manual = mesh.manual_endpoints.of(namespace, resource.name)
    return [*mesh.instances.registered_as(namespace, resource.name), *manual]


def _entry_instances(resource: Resource[ServiceEntry], mesh: Mesh, host: str) -> list[Instance]:
    spec, namespace = resource.spec, resource.namespace
    if spec.workload_selector is not None:
        labels = spec.workload_selector.labels  # empty ones select all, unlike those of a Service
        return mesh.instances.select(namespace, labels) if labels else mesh.instances.in_namespace(namespace)
    if spec.endpoints:
        return [build_inline_instance(endpoint, namespace, host) for endpoint in spec.endpoints]
    # DNS without endpoints asks for the host itself; so does NONE, as there is no original destination to keep.
    return [] if spec.resolution == "STATIC" or host.startswith("*") else [build_stand_in(host, namespace)]


def _service_ports(spec: Service, instances: list[Instance]) -> Iterator[MeshPort]:
    said = frozenset(item.app_protocol for item in instances if item.app_protocol)
    for port in spec.ports:
        declared = port.app_protocol or _KUBERNETES_TRANSPORTS.get(port.protocol, "")
        protocol = port_protocol(port.port, port.name, declared, said)
        yield MeshPort(port.name, port.port, protocol, port.target_port)


def _entry_ports(spec: ServiceEntry, instances: list[Instance]) -> Iterator[MeshPort]:
    said = frozenset(item.app_protocol for item in instances if item.app_protocol)
    for port in spec.ports:
        protocol = port_protocol(port.number, port.name, port.protocol, said)
        yield MeshPort(port.name, port.number, protocol, port.target_port or None)


def _single_address(text: str) -> str:
    """A range of one address is that address."""
    return text.removesuffix("/128" if ":" in text else "/32")


def _address_resolution(instances: list[Instance]) -> Resolution:
    """A workload that is known by a DNS name (`--advertise`) cannot stand in an EDS answer."""
    is_static = all(is_ip_address(item.address) or item.address.startswith("unix://") for item in instances)
    return Resolution.STATIC if is_static else Resolution.DNS


def _entry_resolution(spec: ServiceEntry, instances: list[Instance], host: str) -> Resolution:
    """Traffic reaches a sidecar by name, so NONE means that name's addresses: DNS, unless the name is a wildcard."""
    resolution = Resolution(spec.resolution)  # validation: DYNAMIC_DNS is not implemented
    if resolution is Resolution.NONE:
        return Resolution.NONE if host.startswith("*") else Resolution.DNS
    if resolution is Resolution.DNS_ROUND_ROBIN and len(instances) != 1:
        return Resolution.DNS  # a workloadSelector may find several names
    return _address_resolution(instances) if resolution is Resolution.STATIC else resolution


def _endpoints(port: MeshPort, instances: list[Instance], mesh: Mesh) -> tuple[Endpoint, ...]:
    if port.protocol is Protocol.UDP:
        return ()
    serving = (item for item in instances if not item.has_only_ports or port.name in item.ports)
    found = [_endpoint(port, instance, mesh.peer_authentications) for instance in serving]
    return tuple(sorted(found, key=lambda endpoint: (endpoint.address, endpoint.port)))


def _endpoint(port: MeshPort, instance: Instance, rules: PeerAuthentications) -> Endpoint:
    number = _workload_port(port, instance)
    is_mtls = instance.has_mtls and (
        rules.mode(instance.namespace, instance.labels, instance.app_port or number) != "DISABLE"
    )
    return Endpoint(instance.address, number, instance, is_mtls)


def _workload_port(port: MeshPort, instance: Instance) -> int:
    """A sidecar has one inbound port for all; others follow Istio: ports by name, then targetPort, then the port."""
    if instance.inbound_port:
        return instance.inbound_port
    named = instance.ports.get(port.name)
    if named is not None:
        return named
    if isinstance(port.target, str):
        return instance.ports.get(port.target, port.number)
    return port.target or port.number


def _service_accounts(instances: Iterable[Instance], mesh: Mesh) -> tuple[str, ...]:
    domain = mesh.config.trust_domain
    accounts = {(item.namespace, item.service_account) for item in instances if item.service_account}
    return tuple(sorted(str(SpiffeId(namespace, account, domain)) for namespace, account in accounts))


def _exported_to(annotation: str) -> list[str]:
    return [part.strip() for part in annotation.split(",") if part.strip()]
