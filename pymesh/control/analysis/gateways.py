"""Gateways: the workloads and the Services that they need, and each other."""

from collections.abc import Iterator

from pymesh.control.analysis.analyzed_mesh import AnalyzedMesh
from pymesh.control.analysis.message import Message, report
from pymesh.control.analysis.message_types import (
    CONFLICTING_GATEWAYS,
    GATEWAY_DUPLICATE_CERTIFICATE,
    GATEWAY_PORT_NOT_DEFINED_ON_SERVICE,
    REFERENCED_RESOURCE_NOT_FOUND,
)
from pymesh.control.analysis.selectors import format_labels
from pymesh.control.model.gateway import Gateway, Server, ServerTLSSettings
from pymesh.control.model.kinds import GATEWAY
from pymesh.control.model.resource import Resource
from pymesh.control.snapshot.host_index import intersect

_ANY_NAMESPACE = "*"


def check_gateway_selectors(mesh: AnalyzedMesh) -> Iterator[Message]:
    """Not of a running mesh, where nobody has registered gateways."""
    for gateway in () if mesh.is_running else mesh.of(GATEWAY, Gateway):
        labels = gateway.spec.selector
        if labels and not mesh.select_gateways(labels):
            path = "spec.selector"
            yield report(REFERENCED_RESOURCE_NOT_FOUND, gateway.key, path, "selector", format_labels(labels))


def check_gateway_ports(mesh: AnalyzedMesh) -> Iterator[Message]:
    """Only where some Service leads to the gateway's workloads; nobody needs one."""
    for gateway in mesh.of(GATEWAY, Gateway):
        labels = gateway.spec.selector
        workloads = [one for one in mesh.workloads if labels and one.has(labels)]
        services = [service for one in workloads for service in mesh.services_behind.get(one.key, ())]
        reachable = {number for service in services for port in service.ports for number in (port.number, port.target)}
        for index, server in enumerate(gateway.spec.servers if services else ()):
            if server.port is not None and server.port.number not in reachable:
                path, selector = f"spec.servers[{index}].port.number", format_labels(labels)
                yield report(GATEWAY_PORT_NOT_DEFINED_ON_SERVICE, gateway.key, path, server.port.number, selector)


def check_conflicting_gateways(mesh: AnalyzedMesh) -> Iterator[Message]:
    """Several with the same workloads, port and hosts: only the oldest one's TLS settings, or TCP service, count."""
    gateways = mesh.of(GATEWAY, Gateway)
    for gateway in gateways:
        rivals = [other for other in gateways if other.key != gateway.key and _share_workloads(mesh, gateway, other)]
        for index, server in enumerate(gateway.spec.servers):
            others = [other for other in rivals if _conflicts(gateway, server, other)]
            if others and server.port is not None:
                yield report(
                    CONFLICTING_GATEWAYS,
                    gateway.key,
                    f"spec.servers[{index}]",
                    ", ".join(f"{other.namespace}/{other.name}" for other in others),
                    format_labels(gateway.spec.selector),
                    server.port.number,
                    ", ".join(server.hosts),
                )


def _share_workloads(mesh: AnalyzedMesh, one: Resource[Gateway], other: Resource[Gateway]) -> bool:
    """Whether one selector includes the other, or some workload has the labels of both."""
    ours, theirs = one.spec.selector, other.spec.selector
    if ours.items() <= theirs.items() or theirs.items() <= ours.items():
        return True
    return any(workload.has(theirs) for workload in mesh.select_gateways(ours))


def _conflicts(gateway: Resource[Gateway], server: Server, other: Resource[Gateway]) -> bool:
    return any(_share_hosts(gateway, server, other, one) for one in other.spec.servers if _same_port(server, one))


def _same_port(one: Server, other: Server) -> bool:
    if one.port is None or other.port is None:
        return False
    return one.port.number == other.port.number and one.bind == other.bind


def _share_hosts(gateway: Resource[Gateway], server: Server, other: Resource[Gateway], others: Server) -> bool:
    theirs = [_split(text, other.namespace) for text in others.hosts]
    for namespace, host in (_split(text, gateway.namespace) for text in server.hosts):
        for other_namespace, other_host in theirs:
            shares_namespace = _ANY_NAMESPACE in (namespace, other_namespace) or namespace == other_namespace
            if shares_namespace and intersect(host, other_host) is not None:
                return True
    return False


def _split(text: str, owner: str) -> tuple[str, str]:
    """Namespace of the VirtualServices (`*`: any), and host."""
    namespace, slash, host = text.rpartition("/")
    return (owner if namespace == "." else namespace) if slash else _ANY_NAMESPACE, host.lower()


def check_duplicate_certificates(mesh: AnalyzedMesh) -> Iterator[Message]:
    """Clients reuse an HTTP/2 connection for another host of its certificate, which the other Gateway has."""
    gateways = mesh.of(GATEWAY, Gateway)
    for gateway in gateways:
        for other in gateways:
            is_covered = gateway.spec.selector.items() <= other.spec.selector.items()
            if other.key != gateway.key and is_covered and _share_certificate(gateway.spec, other.spec):
                names = f"{gateway.namespace}/{gateway.name}, {other.namespace}/{other.name}"
                yield report(GATEWAY_DUPLICATE_CERTIFICATE, gateway.key, "metadata.name", names)


def _share_certificate(one: Gateway, other: Gateway) -> bool:
    ours, theirs = ({_certificate(server.tls) for server in spec.servers} for spec in (one, other))
    return bool(ours & theirs - {None})


def _certificate(tls: ServerTLSSettings | None) -> tuple[str, ...] | None:
    """What tells one certificate from another; None without one."""
    if tls is None:
        return None
    if tls.credential_name:
        return (tls.credential_name,)
    return (tls.server_certificate, tls.private_key) if tls.server_certificate and tls.private_key else None
