"""Rules of a Secret: certificates that parse, and keys that belong to them."""

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from pymesh.control.model.resource import Metadata
from pymesh.control.model.scope import Scope
from pymesh.control.model.secret import TLS_TYPE, Secret
from pymesh.control.model.validation import syntax

_LARGEST = 1024 * 1024
# What Istio's gateways read, by the type of the Secret: certificate and key.
_PAIRS = {TLS_TYPE: ("tls.crt", "tls.key")}
_GENERIC_PAIR = ("cert", "key")
_CA_KEYS = ("ca.crt", "cacert")


def check_secret(spec: Secret, metadata: Metadata, at: Scope) -> None:
    at = at["data"]
    for key in spec.data:
        syntax.check_data_key(key, at[key])
    at.require(sum(map(len, spec.data.values())) <= _LARGEST, f"must not be larger than {_LARGEST} bytes")
    pair = _PAIRS.get(spec.type, _GENERIC_PAIR)
    if spec.type == TLS_TYPE:
        for key in pair:
            at[key].require(key in spec.data, f"is required in a Secret of type {TLS_TYPE}")
    if all(key in spec.data for key in pair):
        _check_pair(spec.data, *pair, at)
    for key in _CA_KEYS:
        if key in spec.data:
            _load_certificate(spec.data[key], at[key])


def _check_pair(data: dict[str, bytes], certificate_key: str, private_key_key: str, at: Scope) -> None:
    certificate = _load_certificate(data[certificate_key], at[certificate_key])
    private_key = _load_private_key(data[private_key_key], at[private_key_key])
    if certificate is not None and private_key is not None:
        is_pair = _public_bytes(certificate.public_key()) == _public_bytes(private_key.public_key())
        at[private_key_key].require(is_pair, f"is not the key of {certificate_key}")


def _load_certificate(pem: bytes, at: Scope) -> x509.Certificate | None:
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
