"""Routes of gateways that pass by what sidecars have for the same host."""

from collections.abc import Iterator

from pymesh.control.analysis.analyzed_mesh import AnalyzedMesh
from pymesh.control.analysis.message import Message, report
from pymesh.control.analysis.message_types import INGRESS_ROUTE_RULES_NOT_AFFECTED
from pymesh.control.model.kinds import VIRTUAL_SERVICE
from pymesh.control.model.resource import Resource
from pymesh.control.model.virtual_service import VirtualService
from pymesh.names import MESH_GATEWAY, resolve_host


def check_gateway_routes(mesh: AnalyzedMesh) -> Iterator[Message]:
    """A gateway does not apply the rules that a VirtualService of sidecars has for the host where it forwards to."""
    resources = mesh.of(VIRTUAL_SERVICE, VirtualService)
    splitting = [(resource, hosts) for resource in resources if (hosts := _split_hosts(resource))]
    for resource in resources:
        if not any(name != MESH_GATEWAY for name in resource.spec.gateways):
            continue
        for path, host in _plain_routes(resource):
            for other, hosts in splitting:
                if other.key != resource.key and host in hosts:
                    names = (f"{other.namespace}/{other.name}", f"{resource.namespace}/{resource.name}")
                    yield report(INGRESS_ROUTE_RULES_NOT_AFFECTED, resource.key, path, *names)


def _split_hosts(resource: Resource[VirtualService]) -> set[str]:
    """Those of its hosts that it routes to subsets of."""
    spec, namespace = resource.spec, resource.namespace
    targets = [one.destination for http in spec.http for one in http.route if one.destination is not None]
    return {resolve_host(host, namespace) for host in spec.hosts} & {
        resolve_host(one.host, namespace) for one in targets if one.subset
    }


def _plain_routes(resource: Resource[VirtualService]) -> Iterator[tuple[str, str]]:
    """Path and host of each destination without a subset."""
    for index, http in enumerate(resource.spec.http):
        for number, target in enumerate(http.route):
            if target.destination is not None and not target.destination.subset:
                path = f"spec.http[{index}].route[{number}].destination.host"
                yield path, resolve_host(target.destination.host, resource.namespace)
