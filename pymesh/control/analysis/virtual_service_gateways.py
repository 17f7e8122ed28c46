"""VirtualServices and the gateways that they name."""

from collections.abc import Iterator

from pymesh.control.analysis.analyzed_mesh import AnalyzedMesh
from pymesh.control.analysis.message import Message, report
from pymesh.control.analysis.message_types import (
    CONFLICTING_MESH_GATEWAY_VIRTUAL_SERVICE_HOSTS,
    REFERENCED_RESOURCE_NOT_FOUND,
    VIRTUAL_SERVICE_HOST_NOT_FOUND_IN_GATEWAY,
)
from pymesh.control.model.gateway import Gateway
from pymesh.control.model.kinds import GATEWAY, VIRTUAL_SERVICE
from pymesh.control.model.resource import Key, Resource
from pymesh.control.model.virtual_service import VirtualService
from pymesh.control.snapshot.host_index import intersect
from pymesh.control.snapshot.virtual_services import build_virtual_service
from pymesh.names import MESH_GATEWAY, resolve_gateway

_EVERYWHERE = "*"


def check_gateways_of_virtual_services(mesh: AnalyzedMesh) -> Iterator[Message]:
    for resource in mesh.of(VIRTUAL_SERVICE, VirtualService):
        for index, name in enumerate(resource.spec.gateways):
            if name != MESH_GATEWAY:
                yield from _check_gateway(mesh, resource, name, f"spec.gateways[{index}]")


def _check_gateway(mesh: AnalyzedMesh, resource: Resource[VirtualService], name: str, path: str) -> Iterator[Message]:
    namespace, _, short = resolve_gateway(name, resource.namespace).partition("/")
    gateway = mesh.find(GATEWAY, namespace, short)
    if gateway is None and mesh.has(GATEWAY, namespace, short):
        return  # it is invalid, which is said elsewhere
    if gateway is None:
        yield report(REFERENCED_RESOURCE_NOT_FOUND, resource.key, path, "gateway", name)
    hosts = _hosts_for(gateway, resource.namespace) if gateway is not None else []
    if not any(intersect(one.lower(), other) for one in resource.spec.hosts for other in hosts):
        kind, listed = VIRTUAL_SERVICE_HOST_NOT_FOUND_IN_GATEWAY, ", ".join(resource.spec.hosts)
        yield report(kind, resource.key, path, listed, resource.name, f"{namespace}/{short}")


def _hosts_for(gateway: Resource[Gateway], namespace: str) -> list[str]:
    """The hosts that a Gateway has for VirtualServices of a namespace."""
    found = []
    for server in gateway.spec.servers:
        for text in server.hosts:
            owner, slash, host = text.rpartition("/")
            owner = gateway.namespace if owner == "." else owner
            if not slash or owner in (_EVERYWHERE, namespace):
                found.append(host.lower())
    return found


_Owners = dict[tuple[str, str], list[Key]]


def check_mesh_gateway_hosts(mesh: AnalyzedMesh) -> Iterator[Message]:
    """Sidecars do not merge VirtualServices of one host: where several are seen, one of them counts. Told once of each.

    Istio: ConflictingMeshGatewayHostsAnalyzer in pkg/config/analysis/analyzers/virtualservice.
    """
    owners, told = _mesh_hosts(mesh), set[Key]()
    for scope, host in owners:
        keys = _in_scope(owners, scope, host)
        names = ", ".join(f"{key.namespace}/{key.name}" for key in keys)
        for key in keys if len(keys) > 1 else ():
            if key not in told:
                told.add(key)
                yield report(CONFLICTING_MESH_GATEWAY_VIRTUAL_SERVICE_HOSTS, key, "metadata.name", names, host)


def _in_scope(owners: _Owners, scope: str, host: str) -> list[Key]:
    """In one namespace, those that all see are seen, too, and a wildcard among their hosts may cover the host."""
    found = list(owners[scope, host])
    if scope != _EVERYWHERE:
        for (other, wide), keys in owners.items():
            if other == _EVERYWHERE and intersect(host, wide) is not None:
                found += keys
    return list(dict.fromkeys(found))


def _mesh_hosts(mesh: AnalyzedMesh) -> _Owners:
    """By the namespace that sees it, and host."""
    owners: _Owners = {}
    for resource in mesh.of(VIRTUAL_SERVICE, VirtualService):
        rule = build_virtual_service(resource, mesh.mesh)
        if MESH_GATEWAY not in rule.gateways:
            continue
        scopes = (_EVERYWHERE,) if rule.visibility.is_public else sorted(rule.visibility.namespaces)
        for host in rule.hosts:
            for scope in scopes:
                owners.setdefault((scope, host), []).append(resource.key)
    return owners
