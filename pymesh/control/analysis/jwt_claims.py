"""Routes that a JWT's claims choose, at gateways where nobody verifies the JWT."""

from collections.abc import Iterator

from pymesh.control.analysis.analyzed_mesh import AnalyzedMesh
from pymesh.control.analysis.message import Message, report
from pymesh.control.analysis.message_types import JWT_CLAIM_BASED_ROUTING_WITHOUT_REQUEST_AUTHN
from pymesh.control.model.gateway import Gateway
from pymesh.control.model.jwt_claim import claim_path
from pymesh.control.model.kinds import GATEWAY, REQUEST_AUTHENTICATION, VIRTUAL_SERVICE
from pymesh.control.model.request_authentication import RequestAuthentication
from pymesh.control.model.resource import Resource
from pymesh.control.model.virtual_service import VirtualService
from pymesh.control.snapshot.workload_policies import WorkloadPolicies
from pymesh.names import resolve_gateway


def check_jwt_claim_routes(mesh: AnalyzedMesh) -> Iterator[Message]:
    policies = WorkloadPolicies(mesh.of(REQUEST_AUTHENTICATION, RequestAuthentication), mesh.mesh.root_namespace)
    for resource in mesh.of(VIRTUAL_SERVICE, VirtualService):
        claim = next(_claims(resource.spec), None)
        for gateway in _gateways(mesh, resource) if claim is not None else ():
            for workload in mesh.select_gateways(gateway.spec.selector):
                if claim is not None and not policies.of_workload(workload.namespace, workload.labels):
                    words = (claim[1], workload.key.name, f"{gateway.namespace}/{gateway.name}")
                    yield report(JWT_CLAIM_BASED_ROUTING_WITHOUT_REQUEST_AUTHN, resource.key, claim[0], *words)


def _claims(spec: VirtualService) -> Iterator[tuple[str, str]]:
    """Path and key of each header of a match that stands for a claim."""
    for index, http in enumerate(spec.http):
        for number, match in enumerate(http.match):
            for field, headers in (("headers", match.headers), ("withoutHeaders", match.without_headers)):
                for key in headers:
                    if claim_path(key):
                        yield f"spec.http[{index}].match[{number}].{field}", key


def _gateways(mesh: AnalyzedMesh, resource: Resource[VirtualService]) -> Iterator[Resource[Gateway]]:
    """Those that are there; of the others, another message tells."""
    for name in resource.spec.gateways:
        namespace, _, short = resolve_gateway(name, resource.namespace).partition("/")
        gateway = mesh.find(GATEWAY, namespace, short)
        if gateway is not None:
            yield gateway
