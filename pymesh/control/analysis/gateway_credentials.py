"""Secrets that Gateways name: that they are there, and have the keys that a gateway reads."""

from collections.abc import Iterable, Iterator

from pymesh.control.analysis.analyzed_mesh import AnalyzedMesh
from pymesh.control.analysis.message import Message, report
from pymesh.control.analysis.message_types import INVALID_GATEWAY_CREDENTIAL, REFERENCED_RESOURCE_NOT_FOUND
from pymesh.control.model.gateway import Gateway, ServerTLSSettings
from pymesh.control.model.kinds import GATEWAY, SECRET
from pymesh.control.model.resource import Resource
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation.certificates import check_pair, load_certificate
from pymesh.control.translate.server_tls import client_ca_credential, server_credentials, verifies_clients
from pymesh.names import CA_CREDENTIAL_SUFFIX

_PAIRS = (("tls.crt", "tls.key"), ("cert", "key"))
_CA_KEYS = ("ca.crt", "cacert")


def check_gateway_credentials(mesh: AnalyzedMesh) -> Iterator[Message]:
    for gateway in mesh.of(GATEWAY, Gateway):
        workloads = mesh.select_gateways(gateway.spec.selector)
        # Without a workload, or where nobody knows them, any namespace may be the gateway's.
        namespaces = mesh.namespaces if mesh.is_running or not workloads else {one.namespace for one in workloads}
        for index, server in enumerate(gateway.spec.servers):
            if server.tls is not None and not server.tls.https_redirect:
                yield from _check_tls(mesh, gateway, server.tls, f"spec.servers[{index}].tls", namespaces)


def _check_tls(
    mesh: AnalyzedMesh, gateway: Resource[Gateway], tls: ServerTLSSettings, path: str, namespaces: Iterable[str]
) -> Iterator[Message]:
    for number, name in enumerate(server_credentials(tls)):
        place = f"{path}.credentialNames[{number}]" if tls.credential_names else f"{path}.credentialName"
        if not any(mesh.has(SECRET, namespace, name) for namespace in namespaces):
            yield report(REFERENCED_RESOURCE_NOT_FOUND, gateway.key, place, "credentialName", name)
            return
        problems = [_problem(mesh, namespace, name) for namespace in namespaces if mesh.has(SECRET, namespace, name)]
        if all(problems):
            yield _invalid(gateway, place, name, problems[0])
    authority = client_ca_credential(tls).removesuffix(CA_CREDENTIAL_SUFFIX) if verifies_clients(tls) else ""
    if authority and not any(_has_authority(mesh, namespace, authority) for namespace in namespaces):
        reason = f"neither it nor {authority}{CA_CREDENTIAL_SUFFIX} has ca.crt or cacert, by which clients are verified"
        field = "caCertCredentialName" if tls.ca_cert_credential_name else "credentialName"
        yield _invalid(gateway, f"{path}.{field}", authority, reason)


def _invalid(gateway: Resource[Gateway], path: str, name: str, reason: str) -> Message:
    return report(INVALID_GATEWAY_CREDENTIAL, gateway.key, path, name, gateway.name, gateway.namespace, reason)


def _problem(mesh: AnalyzedMesh, namespace: str, name: str) -> str:
    """Why a gateway cannot use the Secret; empty if it can, and of an invalid one, of which is told elsewhere."""
    secret = mesh.find(SECRET, namespace, name)
    if secret is None or secret.key in mesh.invalid:
        return ""
    data = secret.spec.data
    pair = next(((chain, key) for chain, key in _PAIRS if chain in data and key in data), None)
    if pair is None:
        return "it has neither tls.crt and tls.key nor cert and key"
    at = Scope()
    check_pair(data, *pair, at)
    if at.violations:
        return str(at.violations[0])
    certificate = load_certificate(data[pair[0]], at)
    is_expired = mesh.now is not None and certificate is not None and certificate.not_valid_after_utc < mesh.now
    return f"{pair[0]} has expired" if is_expired else ""


def _has_authority(mesh: AnalyzedMesh, namespace: str, name: str) -> bool:
    for candidate in (name, name + CA_CREDENTIAL_SUFFIX):
        secret = mesh.find(SECRET, namespace, candidate)
        if mesh.has(SECRET, namespace, candidate) and (secret is None or any(k in secret.spec.data for k in _CA_KEYS)):
            return True
    return False
