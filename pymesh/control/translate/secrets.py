"""SDS secrets: the certificates that a gateway's servers and a proxy's clusters name, from Secrets of its namespace.

A namespace is the border: as in Kubernetes, where a pod may mount all Secrets of its own, any of its workloads may say
that it has the labels of a rule's selector.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from pymesh.control.model.secret import Secret
from pymesh.control.snapshot.proxy_view import ProxyView
from pymesh.control.translate.gateway_servers import PortServers
from pymesh.control.translate.outbound_cluster import OutboundCluster, UpstreamTls
from pymesh.control.translate.server_tls import client_ca_credential, server_credentials, verifies_clients
from pymesh.names import CA_CREDENTIAL_SUFFIX, CREDENTIAL_PREFIX
from pymesh.xds import SECRET, Resource

_CERTIFICATE_KEYS = (("tls.crt", "tls.key"), ("cert", "key"))
_CA_KEYS = ("ca.crt", "cacert")
_CRL_KEY = "ca.crl"


def build_secrets(view: ProxyView, ports: Iterable[PortServers], clusters: Iterable[OutboundCluster]) -> list[Resource]:
    """One that does not exist, or lacks its keys, is left out: what needs it waits for it."""
    names = dict.fromkeys([*_server_names(ports), *_client_names(clusters)])
    found = ((name, _content(view, name)) for name in names)
    return [_secret(name, content) for name, content in found if content is not None]


def _server_names(ports: Iterable[PortServers]) -> Iterator[str]:
    for port in ports:
        for server in port.servers:
            tls = server.server.tls
            if tls is None or tls.https_redirect:
                continue
            yield from server_credentials(tls)
            if verifies_clients(tls) and client_ca_credential(tls):
                yield client_ca_credential(tls)


def _client_names(clusters: Iterable[OutboundCluster]) -> Iterator[str]:
    for cluster in clusters:
        settings = cluster.policy.tls
        is_external = cluster.obeys_credentials and cluster.tls is UpstreamTls.EXTERNAL
        if is_external and settings is not None and settings.credential_name:
            yield settings.credential_name
            yield settings.credential_name + CA_CREDENTIAL_SUFFIX


def _content(view: ProxyView, name: str) -> dict[str, Any] | None:
    """`<name>-cacert` is a Secret of that name, or the CA in the Secret `<name>`."""
    namespace, secrets = view.node.metadata.namespace, view.snapshot.secrets
    secret = secrets.get((namespace, name))
    if not name.endswith(CA_CREDENTIAL_SUFFIX):
        return _certificate(secret) if secret is not None else None
    for candidate in (secret, secrets.get((namespace, name.removesuffix(CA_CREDENTIAL_SUFFIX)))):
        roots = _trusted_ca(candidate) if candidate is not None else None
        if roots is not None:
            return roots
    return None


def _certificate(secret: Secret) -> dict[str, Any] | None:
    for chain, key in _CERTIFICATE_KEYS:
        if chain in secret.data and key in secret.data:
            certificate = {"certificate_chain": _pem(secret.data[chain]), "private_key": _pem(secret.data[key])}
            return {"tls_certificate": certificate}
    return None


def _trusted_ca(secret: Secret) -> dict[str, Any] | None:
    found = next((secret.data[key] for key in _CA_KEYS if key in secret.data), None)
    if found is None:
        return None
    revoked = {"crl": _pem(secret.data[_CRL_KEY])} if _CRL_KEY in secret.data else {}
    return {"validation_context": {"trusted_ca": _pem(found), **revoked}}


def _pem(data: bytes) -> dict[str, Any]:
    return {"inline_string": data.decode("ascii", "replace")}


def _secret(name: str, content: dict[str, Any]) -> Resource:
    return {"@type": SECRET, "name": CREDENTIAL_PREFIX + name, **content}
