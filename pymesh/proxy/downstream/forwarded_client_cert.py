"""x-forwarded-client-cert: what the next hop learns of the client's certificate.

https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#x-forwarded-client-cert
"""

import ssl
from urllib.parse import quote

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.downstream.hcm_config import (
    ALWAYS_FORWARD_ONLY,
    APPEND_FORWARD,
    FORWARD_ONLY,
    SANITIZE,
    ClientCertDetails,
    HttpConnectionManagerConfig,
)
from pymesh.proxy.tls.peer_identity import PeerIdentity

XFCC = b"x-forwarded-client-cert"


class ForwardedClientCert:
    """What one connection does to the header of its requests; its own element is made once."""

    __slots__ = ("_element", "_mode")

    def __init__(self, config: HttpConnectionManagerConfig, peer: PeerIdentity | None, principal: str) -> None:
        """`principal` is the SPIFFE URI of the certificate that the proxy showed, if it has one."""
        mode = config.forward_client_cert_details
        self._mode = mode if peer is not None or mode == ALWAYS_FORWARD_ONLY else SANITIZE  # Envoy: only with mTLS
        details = config.set_current_client_cert_details
        self._element = b"" if peer is None else _element(peer, principal, details)

    def apply(self, headers: HeaderMap) -> None:
        mode = self._mode
        if mode == SANITIZE:
            if XFCC in headers:
                headers.remove(XFCC)
        elif mode == APPEND_FORWARD:
            headers.append(XFCC, self._element)
        elif mode not in (FORWARD_ONLY, ALWAYS_FORWARD_ONLY):
            headers.set(XFCC, self._element)


def _element(peer: PeerIdentity, principal: str, details: ClientCertDetails) -> bytes:
    parts = [f"By={principal}"] if principal else []
    parts.append(f"Hash={peer.sha256}")
    if details.cert:
        parts.append(f'Cert="{_url_encoded_pem(peer.certificate)}"')
    if details.subject:
        parts.append(f'Subject="{_quoted(peer.subject)}"')
    if details.uri:
        parts += [f"URI={uri}" for uri in peer.uris] or ["URI="]
    if details.dns:
        parts += [f"DNS={name}" for name in peer.dns_names]
    return ";".join(parts).encode()


def _url_encoded_pem(der: bytes) -> str:
    return quote(ssl.DER_cert_to_PEM_cert(der), safe="")


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
