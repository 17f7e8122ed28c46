"""Whether a certificate would serve: a TLS handshake of this proxy with itself, in memory. No clock, no network.

It proves what matters, that key, chain, root, dates and purposes fit, with the code that will judge it in earnest; and
what is asked of the certificate is read by the ssl module, with no X.509 parser of our own.
"""

import ssl
from typing import NamedTuple

from pymesh.proxy.tls.certificates import TlsCertificate
from pymesh.proxy.tls.context_builder import ContextSpec, build_context


class CertificateFacts(NamedTuple):
    """Times in seconds since the epoch; the serial number in upper-case hex."""

    not_before: float
    not_after: float
    uris: tuple[str, ...]
    serial_number: str


def rehearse_handshake(certificate: TlsCertificate, trusted_ca: str) -> CertificateFacts:
    """Both ends show the certificate and verify it. Raises ssl.SSLError or ValueError: why it would not serve."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = _context(certificate, trusted_ca, is_server=True).wrap_bio(to_server, to_client, server_side=True)
    client = _context(certificate, trusted_ca, is_server=False).wrap_bio(to_client, to_server)
    waiting = [client, server]
    while waiting:  # each turn moves a flight of messages; an end that fails raises
        waiting = [end for end in waiting if not _is_done(end)]
    return _facts(client)


def _context(certificate: TlsCertificate, trusted_ca: str, *, is_server: bool) -> ssl.SSLContext:
    # In TLS 1.2 both ends have verified by the end of the handshake; in 1.3 a client's may still be refused.
    spec = ContextSpec(is_server, (certificate,), trusted_ca, verify=ssl.CERT_REQUIRED, max_version="TLSv1_2")
    return build_context(spec)


def _is_done(end: ssl.SSLObject) -> bool:
    try:
        end.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def _facts(end: ssl.SSLObject) -> CertificateFacts:
    peer = end.getpeercert() or {}
    names = peer.get("subjectAltName", ())
    return CertificateFacts(
        not_before=float(ssl.cert_time_to_seconds(str(peer["notBefore"]))),
        not_after=float(ssl.cert_time_to_seconds(str(peer["notAfter"]))),
        uris=tuple(str(name[1]) for name in names if name[0] == "URI"),
        serial_number=str(peer.get("serialNumber", "")),
    )
