"""Who is at the other end of a verified TLS connection."""

import ssl
from hashlib import sha256
from typing import Any, NamedTuple

# RFC 2253 2.3: the short names; others keep the name that OpenSSL gives them.
_SHORT_NAMES = {
    "commonName": "CN",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
}


class PeerIdentity(NamedTuple):
    """The peer's certificate, whose chain the TLS context has verified. `uris` are its URI subjectAltNames."""

    uris: tuple[str, ...]
    dns_names: tuple[str, ...]
    subject: str  # RFC 2253, as x-forwarded-client-cert prints it
    sha256: str  # of the DER form, lower-case hex
    ip_addresses: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    certificate: bytes = b""  # DER

    @property
    def principal(self) -> str:
        """The SPIFFE URI, or an empty string."""
        return next((uri for uri in self.uris if uri.startswith("spiffe://")), "")


# What certificates say, by their DER form: the same peers come again, and aiofastnet writes a file to decode one.
_identities: dict[bytes, PeerIdentity] = {}
_MAX_IDENTITIES = 1_000  # of about a kilobyte each


def peer_identity(ssl_object: ssl.SSLObject) -> PeerIdentity | None:
    """None where the peer showed no certificate, or the context did not ask to verify one.

    `ssl_object` is `transport.get_extra_info("ssl_object")` of asyncio, uvloop or aiofastnet.
    """
    der = ssl_object.getpeercert(binary_form=True)
    if der is None or ssl_object.context.verify_mode == ssl.CERT_NONE:
        return None
    identity = _identities.get(der)
    if identity is None:
        if len(_identities) >= _MAX_IDENTITIES:
            _identities.clear()
        identity = _identities[der] = _read_identity(ssl_object.getpeercert() or {}, der)
    return identity


def _read_identity(certificate: dict[str, Any], der: bytes) -> PeerIdentity:
    names = certificate.get("subjectAltName", ())
    return PeerIdentity(
        uris=_of_type(names, "URI"),
        dns_names=_of_type(names, "DNS"),
        subject=rfc2253_name(certificate.get("subject", ())),
        sha256=sha256(der).hexdigest(),
        ip_addresses=_of_type(names, "IP Address"),
        emails=_of_type(names, "email"),
        certificate=der,
    )


def rfc2253_name(rdns: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    """RFC 2253 2.1: last RDN first, attributes of one RDN joined by `+`."""
    return ",".join(
        "+".join(f"{_SHORT_NAMES.get(key, key)}={_escape(value)}" for key, value in rdn) for rdn in rdns[::-1]
    )


def _escape(value: str) -> str:
    """RFC 2253 2.4."""
    escaped = "".join(f"\\{char}" if char in ',+"\\<>;' else char for char in value)
    if escaped.startswith(("#", " ")):
        escaped = "\\" + escaped
    return escaped[:-1] + "\\ " if escaped.endswith(" ") and len(value) > 1 else escaped


def _of_type(names: tuple[tuple[str, str], ...], kind: str) -> tuple[str, ...]:
    return tuple(value for name, value in names if name == kind)
