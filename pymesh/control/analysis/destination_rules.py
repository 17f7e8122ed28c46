"""DestinationRules: hosts and subsets without a service, servers that nobody verifies, mTLS that is not taken."""

from collections.abc import Iterator
from typing import NamedTuple

from pymesh.control.analysis.analyzed_mesh import AnalyzedMesh
from pymesh.control.analysis.destinations import find_service, is_of_invalid
from pymesh.control.analysis.message import Message, report
from pymesh.control.analysis.message_types import (
    DESTINATION_RULE_SUBSET_NOT_SELECT_PODS,
    MTLS_POLICY_CONFLICT,
    NO_SERVER_CERTIFICATE_VERIFICATION_DESTINATION_LEVEL,
    NO_SERVER_CERTIFICATE_VERIFICATION_PORT_LEVEL,
    UNKNOWN_DESTINATION_RULE_HOST,
)
from pymesh.control.model.destination_rule import ClientTLSSettings, DestinationRule, TrafficPolicy
from pymesh.control.model.kinds import DESTINATION_RULE
from pymesh.control.model.resource import Resource
from pymesh.control.snapshot.host_index import is_subset
from pymesh.control.snapshot.mesh_service import MeshService
from pymesh.names import LOCALITY_LABELS, resolve_host

_VERIFYING = ("SIMPLE", "MUTUAL")


class PlacedTLS(NamedTuple):
    """`port` is 0 where it holds for all ports."""

    tls: ClientTLSSettings
    path: str
    port: int = 0


def check_ca_certificates(mesh: AnalyzedMesh) -> Iterator[Message]:
    for resource in mesh.of(DESTINATION_RULE, DestinationRule):
        for tls, path, port in _tls_settings(resource.spec):
            # A sidecar reads a credential only for a rule that selects it.
            has_credential = tls.credential_name and resource.spec.workload_selector is not None
            if tls.mode not in _VERIFYING or tls.ca_certificates or has_credential:
                continue
            words = (resource.name, resource.namespace, tls.mode, resource.spec.host)
            if port:
                yield report(NO_SERVER_CERTIFICATE_VERIFICATION_PORT_LEVEL, resource.key, path, *words, port)
            else:
                yield report(NO_SERVER_CERTIFICATE_VERIFICATION_DESTINATION_LEVEL, resource.key, path, *words)


def check_mtls_conflicts(mesh: AnalyzedMesh) -> Iterator[Message]:
    """Clients that send anything else to workloads that take the mesh's mTLS only; and mTLS to those that take none."""
    for resource in mesh.of(DESTINATION_RULE, DestinationRule):
        service = _service(mesh, resource)
        for tls, path, port in _tls_settings(resource.spec) if service is not None else ():
            refused = "DISABLE" if tls.mode == "ISTIO_MUTUAL" else "STRICT"
            if refused in _peer_modes(mesh, service, port):
                name = f"{resource.namespace}/{resource.name}"
                yield report(MTLS_POLICY_CONFLICT, resource.key, path, resource.spec.host, name, tls.mode, refused)


def _tls_settings(spec: DestinationRule) -> Iterator[PlacedTLS]:
    yield from _tls_of(spec.traffic_policy, "spec.trafficPolicy")
    for index, subset in enumerate(spec.subsets):
        yield from _tls_of(subset.traffic_policy, f"spec.subsets[{index}].trafficPolicy")


def _tls_of(policy: TrafficPolicy | None, path: str) -> Iterator[PlacedTLS]:
    if policy is None:
        return
    if policy.tls is not None:
        yield PlacedTLS(policy.tls, f"{path}.tls")
    for index, setting in enumerate(policy.port_level_settings):
        if setting.tls is not None:
            number = setting.port.number if setting.port is not None else 0
            yield PlacedTLS(setting.tls, f"{path}.portLevelSettings[{index}].tls", number)


def _peer_modes(mesh: AnalyzedMesh, service: MeshService | None, port: int) -> set[str]:
    """The modes of the workloads behind the service's port, or behind all its ports."""
    if service is None or service.is_external:
        return set()
    rules = mesh.snapshot.peer_authentications
    endpoints = [one for number, found in service.endpoints.items() if port in (0, number) for one in found]
    if not endpoints:
        return {rules.namespace_mode(service.namespace)}
    instances = [(one.instance, one.instance.app_port or one.port) for one in endpoints]
    return {rules.mode(instance.namespace, instance.labels, number) for instance, number in instances}


def check_destination_rule_hosts(mesh: AnalyzedMesh) -> Iterator[Message]:
    for resource in mesh.of(DESTINATION_RULE, DestinationRule):
        host, namespace = resource.spec.host, resource.namespace
        if not is_of_invalid(mesh, host, namespace) and not _has_service(mesh, resource):
            yield report(UNKNOWN_DESTINATION_RULE_HOST, resource.key, "spec.host", host)


def _has_service(mesh: AnalyzedMesh, resource: Resource[DestinationRule]) -> bool:
    """A wildcard is for every service that it covers."""
    if _service(mesh, resource) is not None:
        return True
    host = resolve_host(resource.spec.host, resource.namespace).lower()
    if not host.startswith("*"):
        return False
    return any(is_subset(known, host) for known in (*mesh.snapshot.services_by_host, *mesh.hosts_of_invalid))


def _service(mesh: AnalyzedMesh, resource: Resource[DestinationRule]) -> MeshService | None:
    return find_service(mesh, resource.spec.host, resource.namespace, (resource.namespace,))


def check_subset_labels(mesh: AnalyzedMesh) -> Iterator[Message]:
    for resource in mesh.of(DESTINATION_RULE, DestinationRule):
        service = _service(mesh, resource)
        if service is None:
            continue
        behind = _labels_behind(mesh, service)
        for index, subset in enumerate(resource.spec.subsets):
            # Which labels a place has, no workload of a file says.
            wanted = {key: value for key, value in subset.labels.items() if key not in LOCALITY_LABELS}
            if wanted and not any(wanted.items() <= labels.items() for labels in behind):
                path = f"spec.subsets[{index}].labels"
                yield report(DESTINATION_RULE_SUBSET_NOT_SELECT_PODS, resource.key, path, subset.name)


def _labels_behind(mesh: AnalyzedMesh, service: MeshService) -> list[dict[str, str]]:
    found = [one.instance.labels for endpoints in service.endpoints.values() for one in endpoints]
    selected = mesh.select(service.namespace, service.selector) if service.selector else []
    return found + [workload.labels for workload in selected]
