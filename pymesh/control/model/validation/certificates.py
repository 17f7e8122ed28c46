"""PEM certificates and keys: that they parse, and belong together."""

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from pymesh.control.model.scope import Scope


def check_pair(data: dict[str, bytes], certificate_key: str, private_key_key: str, at: Scope) -> None:
    certificate = load_certificate(data[certificate_key], at[certificate_key])
    private_key = _load_private_key(data[private_key_key], at[private_key_key])
    if certificate is not None and private_key is not None:
        is_pair = _public_bytes(certificate.public_key()) == _public_bytes(private_key.public_key())
        at[private_key_key].require(is_pair, f"is not the key of {certificate_key}")


def load_certificate(pem: bytes, at: Scope) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificates(pem)[0]
    except ValueError:
        at.fail("is not a certificate in PEM")
        return None


def _load_private_key(pem: bytes, at: Scope) -> PrivateKeyTypes | None:
    try:
        return load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it is encrypted
        at.fail("is not an unencrypted private key in PEM")
        return None


def _public_bytes(key: object) -> bytes:
    return bytes(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))  # type: ignore[attr-defined]
