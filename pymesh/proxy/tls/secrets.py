"""The secrets of this proxy, by SDS name: its own certificate and root, a gateway's credentials. No SSL contexts here.

https://www.envoyproxy.io/docs/envoy/latest/configuration/security/secret
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

SanKind = Literal["exact", "prefix", "suffix", "contains"]

# The secrets of the workload itself: it makes them, the control plane never sends them.
WORKLOAD_CERTIFICATE = "default"
ROOT_CERTIFICATE = "ROOTCA"


@dataclass(frozen=True, slots=True)
class TlsCertificate:
    """A certificate chain, leaf first, and its private key, both PEM."""

    certificate_chain: str
    private_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SubjectAltNameMatcher:
    """`san_type` is `URI`, `DNS`, `EMAIL` or `IP_ADDRESS`."""

    san_type: str
    value: str
    kind: SanKind = "exact"


@dataclass(frozen=True, slots=True)
class CertificateValidation:
    """What a peer's certificate must be. Nothing trusted (no PEM, no system roots) means that it is not verified."""

    trusted_ca: str = ""  # PEM
    system_roots: bool = False
    subject_alt_names: tuple[SubjectAltNameMatcher, ...] = ()
    accept_untrusted: bool = False

    @property
    def has_trust(self) -> bool:
        return bool(self.trusted_ca or self.system_roots)


@dataclass(frozen=True, slots=True)
class SecretConfig:
    """One Secret: a certificate with its key, or what to trust."""

    name: str
    tls_certificate: TlsCertificate | None = None
    validation: CertificateValidation | None = None


class SecretStore:
    """The secrets that are known now. `revision` grows with every change, so that a reader can see it cheaply."""

    def __init__(self) -> None:
        self.revision = 0
        self._secrets: dict[str, SecretConfig] = {}
        self._subscribers: list[Callable[[str], None]] = []

    def apply(self, secret: SecretConfig) -> None:
        """Add or replace; a secret that is the same as before changes nothing."""
        if self._secrets.get(secret.name) != secret:
            self._secrets[secret.name] = secret
            self._publish(secret.name)

    def remove(self, name: str) -> None:
        if self._secrets.pop(name, None) is not None:
            self._publish(name)

    def get(self, name: str) -> SecretConfig | None:
        return self._secrets.get(name)

    def names(self) -> tuple[str, ...]:
        return tuple(self._secrets)

    def subscribe(self, callback: Callable[[str], None]) -> None:
        """`callback(name)` after every change of any secret."""
        self._subscribers.append(callback)

    def _publish(self, name: str) -> None:
        self.revision += 1
        for callback in self._subscribers:
            callback(name)
