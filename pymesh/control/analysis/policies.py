"""AuthorizationPolicies and RequestAuthentications that nothing is behind, or that cannot work where they are."""

from collections.abc import Iterator

from pymesh.control.analysis.analyzed_mesh import AnalyzedMesh
from pymesh.control.analysis.message import Message, report
from pymesh.control.analysis.message_types import (
    JWT_FAILURE_DUE_TO_INVALID_SERVICE_PORT_PREFIX,
    NO_MATCHING_WORKLOADS_FOUND,
    REFERENCED_RESOURCE_NOT_FOUND,
)
from pymesh.control.analysis.selectors import format_labels
from pymesh.control.model.authorization_policy import AuthorizationPolicy
from pymesh.control.model.kinds import AUTHORIZATION_POLICY, REQUEST_AUTHENTICATION
from pymesh.control.model.request_authentication import RequestAuthentication
from pymesh.control.model.resource import Resource
from pymesh.control.snapshot.mesh_service import MeshPort, MeshService


def check_policy_workloads(mesh: AnalyzedMesh) -> Iterator[Message]:
    """A policy of the root namespace without a selector is for all that may come."""
    for policy in mesh.of(AUTHORIZATION_POLICY, AuthorizationPolicy):
        spec = policy.spec
        if spec.target_ref is not None or spec.target_refs:
            continue
        labels = spec.selector.match_labels if spec.selector is not None else {}
        is_of_root = policy.namespace == mesh.mesh.root_namespace
        if (labels or not is_of_root) and not _workloads(mesh, policy.namespace, labels):
            yield report(NO_MATCHING_WORKLOADS_FOUND, policy.key, "spec.selector", format_labels(labels) or "(any)")


def _workloads(mesh: AnalyzedMesh, namespace: str, labels: dict[str, str]) -> bool:
    if namespace == mesh.mesh.root_namespace:
        return bool(mesh.select_gateways(labels))
    return bool(mesh.select(namespace, labels))


def check_policy_namespaces(mesh: AnalyzedMesh) -> Iterator[Message]:
    for policy in mesh.of(AUTHORIZATION_POLICY, AuthorizationPolicy):
        for path, wanted in _source_namespaces(policy):
            if not any(_matches(wanted, namespace) for namespace in mesh.namespaces):
                yield report(REFERENCED_RESOURCE_NOT_FOUND, policy.key, path, "namespace", wanted)


def _source_namespaces(policy: Resource[AuthorizationPolicy]) -> Iterator[tuple[str, str]]:
    """Path and pattern."""
    for index, rule in enumerate(policy.spec.rules):
        for number, sender in enumerate(rule.from_):
            if sender.source is None:
                continue
            path = f"spec.rules[{index}].from[{number}].source"
            for field, words in (
                ("namespaces", sender.source.namespaces),
                ("notNamespaces", sender.source.not_namespaces),
            ):
                for position, word in enumerate(words):
                    yield f"{path}.{field}[{position}]", word


def _matches(pattern: str, namespace: str) -> bool:
    """`*` at one end stands for any text."""
    if pattern.startswith("*"):
        return namespace.endswith(pattern[1:])
    return namespace.startswith(pattern[:-1]) if pattern.endswith("*") else namespace == pattern


def check_jwt_ports(mesh: AnalyzedMesh) -> Iterator[Message]:
    """A JWT is in an HTTP request; over a port of another protocol, none can come."""
    for policy in mesh.of(REQUEST_AUTHENTICATION, RequestAuthentication):
        labels = policy.spec.selector.match_labels if policy.spec.selector is not None else {}
        if not labels or not policy.spec.jwt_rules:
            continue
        for service in _services(mesh, policy.namespace, labels):
            for port in service.ports:
                if not port.protocol.is_http:
                    yield _jwt_message(policy, service, port)


def _services(mesh: AnalyzedMesh, namespace: str, labels: dict[str, str]) -> list[MeshService]:
    workloads = mesh.select(namespace, labels)
    behind = (service for workload in workloads for service in mesh.services_behind.get(workload.key, ()))
    return list(dict.fromkeys(behind))


def _jwt_message(policy: Resource[RequestAuthentication], service: MeshService, port: MeshPort) -> Message:
    name, target = f"{service.namespace}/{service.name}", port.target or port.number
    words = (name, port.number, port.name, port.protocol.value, target)
    return report(JWT_FAILURE_DUE_TO_INVALID_SERVICE_PORT_PREFIX, policy.key, "spec.selector", *words)
