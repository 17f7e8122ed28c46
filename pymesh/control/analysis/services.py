"""Services: names of ports that say no protocol, and Services that contradict each other about a workload."""

from collections.abc import Iterator

from pymesh.control.analysis.analyzed_mesh import AnalyzedMesh
from pymesh.control.analysis.message import Message, report
from pymesh.control.analysis.message_types import (
    DEPLOYMENT_ASSOCIATED_TO_MULTIPLE_SERVICES,
    DEPLOYMENT_CONFLICTING_PORTS,
    EXTERNAL_NAME_SERVICE_TYPE_INVALID_PORT_NAME,
    PORT_NAME_IS_NOT_UNDER_NAMING_CONVENTION,
)
from pymesh.control.model.kinds import SERVICE
from pymesh.control.model.resource import Key, Resource
from pymesh.control.model.service import Service, ServicePort
from pymesh.control.snapshot.protocol import port_protocol
from pymesh.names import MANAGED_BY_LABEL

_SYSTEM_NAMESPACES = frozenset(("kube-system", "kube-public", "kube-node-lease", "local-path-storage"))
_NAME = "metadata.name"


def check_port_names(mesh: AnalyzedMesh) -> Iterator[Message]:
    """The registry's own Services have no names that a user could choose."""
    for resource in mesh.of(SERVICE, Service):
        if resource.namespace in _SYSTEM_NAMESPACES or MANAGED_BY_LABEL in resource.metadata.labels:
            continue
        for index, port in enumerate(resource.spec.ports):
            yield from _check_port_name(resource, port, f"spec.ports[{index}]")


def _check_port_name(resource: Resource[Service], port: ServicePort, path: str) -> Iterator[Message]:
    is_external = resource.spec.type == "ExternalName"
    declared = port.app_protocol or ("UDP" if port.protocol == "UDP" else "")
    is_undeclared = port_protocol(port.port, port.name, declared, frozenset()).is_auto
    if is_external and (is_undeclared or port.name == "tcp"):
        yield report(EXTERNAL_NAME_SERVICE_TYPE_INVALID_PORT_NAME, resource.key, path)
    elif is_undeclared:
        words = (port.name or '""', port.port, port.target_port or port.port)
        yield report(PORT_NAME_IS_NOT_UNDER_NAMING_CONVENTION, resource.key, path, *words)


def check_services_of_workloads(mesh: AnalyzedMesh) -> Iterator[Message]:
    behind: dict[Key, list[Resource[Service]]] = {}
    for service in mesh.of(SERVICE, Service):
        selector = service.spec.selector
        for workload in mesh.select(service.namespace, selector) if selector else ():
            behind.setdefault(workload.key, []).append(service)
    for key, services in behind.items():
        if len(services) > 1:
            yield from _check_protocols(key, services)
            yield from _check_target_ports(key, services)


def _check_protocols(workload: Key, services: list[Resource[Service]]) -> Iterator[Message]:
    """One port number, several transports."""
    uses: dict[int, dict[str, list[str]]] = {}
    for service in services:
        for port in service.spec.ports:
            uses.setdefault(port.port, {}).setdefault(port.protocol, []).append(_name(service))
    for number, protocols in uses.items():
        if len(protocols) > 1:
            names = ", ".join(sorted(name for found in protocols.values() for name in found))
            kind = DEPLOYMENT_ASSOCIATED_TO_MULTIPLE_SERVICES
            yield report(kind, workload, _NAME, workload.name, number, names)


def _check_target_ports(workload: Key, services: list[Resource[Service]]) -> Iterator[Message]:
    """One target port, several port numbers, of several Services."""
    uses: dict[str, dict[int, str]] = {}
    for service in services:
        for port in service.spec.ports:
            uses.setdefault(str(port.target_port or port.port), {})[port.port] = _name(service)
    for target, names in uses.items():
        if len(set(names.values())) > 1 and len(names) > 1:
            listed, numbers = ", ".join(sorted(names.values())), ", ".join(map(str, sorted(names)))
            kind = DEPLOYMENT_CONFLICTING_PORTS
            yield report(kind, workload, _NAME, workload.name, listed, target, numbers)


def _name(service: Resource[Service]) -> str:
    return f"{service.namespace}/{service.name}"
