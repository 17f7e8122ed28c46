"""What TLS is made of: certificates with keys, what to trust, the secrets that carry them. Nothing is parsed."""

from dataclasses import dataclass, field
from typing import Literal

SanKind = Literal["exact", "prefix", "suffix", "contains"]


@dataclass(frozen=True, slots=True)
class TlsCertificate:
    """A certificate chain, leaf first, and its private key, both PEM. `principal`: the SPIFFE URI in it, told of the
    workload's own."""

    certificate_chain: str
    private_key: str = field(repr=False)
    principal: str = ""


@dataclass(frozen=True, slots=True)
class SubjectAltNameMatcher:
    """`san_type` is `URI`, `DNS`, `EMAIL` or `IP_ADDRESS`."""

    san_type: str
    value: str
    kind: SanKind = "exact"


@dataclass(frozen=True, slots=True)
class CertificatePins:
    """SHA-256 hashes: a peer's certificate (DER), or the SubjectPublicKeyInfo in it, must be one of them."""

    certificates: frozenset[bytes] = frozenset()
    public_keys: frozenset[bytes] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.certificates or self.public_keys)


@dataclass(frozen=True, slots=True)
class CertificateValidation:
    """What a peer's certificate must be. Nothing trusted (no PEM, no system roots) means that it is not verified."""

    trusted_ca: str = ""  # PEM
    system_roots: bool = False
    subject_alt_names: tuple[SubjectAltNameMatcher, ...] = ()
    accept_untrusted: bool = False
    pins: CertificatePins = CertificatePins()
    crl: str = ""  # PEM: of each authority in the chain there must be a list, on which the certificate is not

    @property
    def is_verifying(self) -> bool:
        return bool(self.trusted_ca or self.system_roots) and not self.accept_untrusted

    def merged(self, other: "CertificateValidation") -> "CertificateValidation":
        """CombinedCertificateValidationContext: as protobuf's MergeFrom, single fields of `other` win, lists join."""
        return CertificateValidation(
            other.trusted_ca or self.trusted_ca,
            other.system_roots or self.system_roots,
            self.subject_alt_names + other.subject_alt_names,
            other.accept_untrusted or self.accept_untrusted,
            CertificatePins(
                self.pins.certificates | other.pins.certificates, self.pins.public_keys | other.pins.public_keys
            ),
            other.crl or self.crl,
        )


@dataclass(frozen=True, slots=True)
class SecretConfig:
    """One Secret: a certificate with its key, or what to trust."""

    name: str
    tls_certificate: TlsCertificate | None = None
    validation: CertificateValidation | None = None
