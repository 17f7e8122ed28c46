"""The mesh's certificate authority: a self-signed ECDSA P-256 root, and leaves for who may have one. No network.

What a leaf says is decided here and by the caller; a CSR contributes its public key and nothing else.
"""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pymesh.control.ca.keys import load_or_create_key, private_pem
from pymesh.errors import PymeshError, UsageError
from pymesh.names import DEFAULT_DOMAIN
from pymesh.spiffe import SpiffeId
from pymesh.state_dir import private_directory, write_private

# istio: security/pkg/cmd/constants.go
ROOT_TTL = timedelta(days=3650)
DEFAULT_TTL = timedelta(hours=24)
MAXIMUM_TTL = timedelta(days=90)

# A peer's clock may be behind ours by this much.
BACKDATE = timedelta(minutes=2)

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


class CsrError(PymeshError):
    """The CSR cannot be read, is not signed by its own key, or its key is not one that we certify."""


class TtlError(PymeshError):
    """A lifetime that the CA does not give."""


class IssuedKeyPair(NamedTuple):
    key_pem: bytes
    chain_pem: bytes
    not_after: datetime


class CertificateAuthority:
    """Issues certificates. `clock` tells the time in UTC."""

    def __init__(
        self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, clock: Callable[[], datetime]
    ) -> None:
        self.certificate = certificate
        self.root_pem = certificate.public_bytes(Encoding.PEM).decode()
        self.root_sha256 = hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
        self.not_after = certificate.not_valid_after_utc
        self._key = key
        self._clock = clock

    def issue(self, csr_pem: str | bytes, identity: SpiffeId, ttl: timedelta = DEFAULT_TTL) -> tuple[str, ...]:
        """The chain in PEM, leaf first, root last. Raises CsrError and TtlError."""
        if not timedelta(0) < ttl <= MAXIMUM_TTL:
            raise TtlError(f"validity of {ttl.total_seconds():.0f} s is not within 1..{MAXIMUM_TTL.days * 86400}")
        key = certifiable_key(load_csr(csr_pem))
        uri = x509.UniformResourceIdentifier(str(identity))
        leaf = self._sign_leaf(key, [uri], ttl)
        return leaf.public_bytes(Encoding.PEM).decode(), self.root_pem

    def issue_server(self, dns_names: tuple[str, ...], ttl: timedelta = DEFAULT_TTL) -> IssuedKeyPair:
        """A new key and certificate for the control plane itself."""
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = self._sign_leaf(key.public_key(), [x509.DNSName(name) for name in dns_names], ttl)
        chain = leaf.public_bytes(Encoding.PEM) + self.root_pem.encode()
        return IssuedKeyPair(private_pem(key), chain, leaf.not_valid_after_utc)

    def _sign_leaf(self, key: PublicKey, names: list[x509.GeneralName], ttl: timedelta) -> x509.Certificate:
        now = self._clock()
        builder = _builder(x509.Name([]), self.certificate.subject, key)
        builder = builder.not_valid_before(now - BACKDATE).not_valid_after(min(now + ttl, self.not_after))
        for extension, is_critical in _leaf_extensions(names, key, self._key.public_key()):
            builder = builder.add_extension(extension, is_critical)
        return builder.sign(self._key, hashes.SHA256())


def open_authority(
    directory: Path, trust_domain: str = DEFAULT_DOMAIN, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> CertificateAuthority:
    """The authority whose root is in `directory`, which is made where it is missing. Raises UsageError."""
    private_directory(directory)
    key_path, certificate_path = directory / "ca-key.pem", directory / "ca-cert.pem"
    if certificate_path.exists() and not key_path.exists():
        raise UsageError(f"{key_path}: is missing, but {certificate_path} is there")
    key = load_or_create_key(key_path)
    if not certificate_path.exists():
        write_private(certificate_path, _self_signed(key, trust_domain, clock()).public_bytes(Encoding.PEM))
    certificate = _load_certificate(certificate_path)
    if certificate.public_key() != key.public_key():
        raise UsageError(f"{certificate_path}: is not the certificate of the key in {key_path}")
    return CertificateAuthority(certificate, key, clock)


def load_csr(pem: str | bytes) -> x509.CertificateSigningRequest:
    """Raises CsrError."""
    try:
        return x509.load_pem_x509_csr(pem.encode() if isinstance(pem, str) else pem)
    except ValueError as error:
        raise CsrError(f"the CSR cannot be read: {error}") from error


def certifiable_key(csr: x509.CertificateSigningRequest) -> PublicKey:
    """The CSR's key, if the CSR proves that its sender holds it. Raises CsrError."""
    try:
        key = csr.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CsrError(f"the CSR's key cannot be read: {error}") from error
    is_curve = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1)
    is_rsa = isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048
    if not (is_curve or is_rsa):
        raise CsrError("the CSR's key is neither ECDSA P-256 or P-384 nor RSA of 2048 bits or more")
    if not csr.is_signature_valid:
        raise CsrError("the CSR is not signed by its own key")
    assert isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)
    return key


def _self_signed(key: ec.EllipticCurvePrivateKey, trust_domain: str, now: datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, trust_domain)])
    builder = _builder(name, name, key.public_key())
    builder = builder.not_valid_before(now - BACKDATE).not_valid_after(now + ROOT_TTL)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(is_ca=True), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return builder.sign(key, hashes.SHA256())


def _builder(subject: x509.Name, issuer: x509.Name, key: PublicKey) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    return builder.serial_number(x509.random_serial_number())


def _leaf_extensions(
    names: list[x509.GeneralName], key: PublicKey, issuer_key: ec.EllipticCurvePublicKey
) -> list[tuple[x509.ExtensionType, bool]]:
    both_sides = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    return [
        # RFC 5280 4.2.1.6: with an empty subject the names are critical.
        (x509.SubjectAlternativeName(names), True),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_key_usage(is_ca=False), True),
        (x509.ExtendedKeyUsage(both_sides), False),
        (x509.SubjectKeyIdentifier.from_public_key(key), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), False),
    ]


def _key_usage(is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_ca,
        key_encipherment=not is_ca,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _load_certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path}: is not a certificate: {error}") from error
