"""Whether a certificate is one of those that a config pins by their hashes. Pure."""

from hashlib import sha256

from pymesh.proxy.tls.certificates import CertificatePins

_CONTEXT_0 = 0xA0
_LONG_FORM = 0x80
_FIELDS_BEFORE_KEY = 5  # serialNumber, signature, issuer, validity, subject


def is_pinned(der: bytes, pins: CertificatePins) -> bool:
    """Envoy: a match in either list is enough."""
    if sha256(der).digest() in pins.certificates:
        return True
    return bool(pins.public_keys) and sha256(public_key_info(der)).digest() in pins.public_keys


def public_key_info(der: bytes) -> bytes:
    """The SubjectPublicKeyInfo of a certificate (RFC 5280 4.1), which OpenSSL has read before: it is well-formed.

    The ssl module does not tell it, and a library for it would cost each proxy ten megabytes.
    """
    position = _content(der, _content(der, 0))  # into Certificate and TBSCertificate
    if der[position] == _CONTEXT_0:  # version, which version 1 leaves out
        position = _end(der, position)
    for _ in range(_FIELDS_BEFORE_KEY):
        position = _end(der, position)
    return der[position : _end(der, position)]


def _content(der: bytes, position: int) -> int:
    """Where the content of the element at `position` begins."""
    length = der[position + 1]
    return position + 2 + (length - _LONG_FORM if length > _LONG_FORM else 0)


def _end(der: bytes, position: int) -> int:
    start = _content(der, position)
    length = der[position + 1]
    return start + (int.from_bytes(der[position + 2 : start], "big") if length > _LONG_FORM else length)
