"""TLS of listeners and clusters: their config and the secrets that are there now make the SSL context in force.

Contexts are shared by content: all clusters that show the same certificate and trust the same root have one. A new
secret makes new contexts for new connections; live connections keep theirs.
"""

import logging
import ssl
from dataclasses import replace

from pymesh.names import HTTP2_ALPN
from pymesh.proxy.tls.certificates import CertificatePins, CertificateValidation, SubjectAltNameMatcher, TlsCertificate
from pymesh.proxy.tls.config import CommonTlsConfig, DownstreamTlsConfig, UpstreamTlsConfig
from pymesh.proxy.tls.context_builder import ContextSpec, cached_context
from pymesh.proxy.tls.file_secrets import is_file_secret
from pymesh.proxy.tls.peer_identity import PeerIdentity, peer_identity
from pymesh.proxy.tls.pinned_certificate import is_pinned
from pymesh.proxy.tls.san_matcher import has_matching_name, matches_hostname
from pymesh.proxy.tls.secrets import SecretStore

log = logging.getLogger(__name__)

# For a connection without SNI: an address is never sent as one (RFC 6066 3), and aiofastnet refuses an empty name.
NO_SERVER_NAME = "0.0.0.0"

# Envoy's words, for %UPSTREAM_TRANSPORT_FAILURE_REASON%.
SECRET_MISSING = "TLS error: Secret is not supplied by SDS"
NO_PEER_CERTIFICATE = "TLS_error:|peer did not return a certificate:TLS_error_end"
HASH_MISMATCH = "TLS_error:|verify cert failed: cert hash and spki:TLS_error_end"
SAN_MISMATCH = "TLS_error:|verify cert failed: verify SAN list:TLS_error_end"


class ServerTls:
    """TLS towards downstream: one per filter chain. `ssl_context()` per new connection; live ones keep their own."""

    def __init__(self, config: DownstreamTlsConfig, secrets: SecretStore) -> None:
        self.config = config
        self._current = _CurrentContext(config.common, secrets, is_server=True, verify=_server_verify(config))

    def ssl_context(self) -> ssl.SSLContext | None:
        """None while a secret is missing: the connection must be closed."""
        return self._current.context()

    def verify(self, ssl_object: ssl.SSLObject) -> str | None:
        """None if the client's certificate is acceptable, else why not. Call it once the handshake is done.

        The chain is verified by then, and that there is a certificate where one is required.
        """
        names, pins = self._current.subject_alt_names, self._current.pins
        if not names and not pins:
            return None
        identity = peer_identity(ssl_object)
        if identity is None:
            return NO_PEER_CERTIFICATE if self.config.require_client_certificate else None
        if names and not has_matching_name(identity, names):
            return SAN_MISMATCH
        return HASH_MISMATCH if pins and not is_pinned(identity.certificate, pins) else None

    def peer_identity(self, ssl_object: ssl.SSLObject) -> PeerIdentity | None:
        """Who the client is; None where it showed no certificate or none was verified."""
        return peer_identity(ssl_object)


class ClientTls:
    """TLS towards upstream: one per transport socket and SNI of a cluster."""

    def __init__(self, config: UpstreamTlsConfig, secrets: SecretStore, hostname: str = "") -> None:
        """`hostname` is the SNI where the config has none and asks for the host's (auto_host_sni, auto_sni)."""
        self.config = config
        self.server_name = config.sni or hostname  # the SNI; "" for none
        self.server_hostname = self.server_name or NO_SERVER_NAME  # what transports are given
        http1, http2 = (replace(config.common, alpn=client_alpn(config.common, is_http2)) for is_http2 in (False, True))
        self._current = _CurrentContext(http1, secrets, is_server=False, verify=ssl.CERT_REQUIRED)
        self._http2 = _CurrentContext(http2, secrets, is_server=False, verify=ssl.CERT_REQUIRED)

    def ssl_context(self, is_http2: bool = False) -> ssl.SSLContext | None:
        """None while a secret is missing. check_hostname is off: what the names must be is `verify`'s."""
        return self._http2.context() if is_http2 else self._current.context()

    def verify(self, ssl_object: ssl.SSLObject) -> str | None:
        """None if the server's certificate is for whom was meant, else the text of UPSTREAM_TRANSPORT_FAILURE_REASON.

        Call it once the handshake is done and before a byte is written. The chain is verified by then.
        """
        names = self._current.subject_alt_names
        is_host_checked = self.config.auto_sni_san_validation and bool(self.server_name)
        pins = self._current.pins
        if not self._current.is_verifying or not (names or is_host_checked or pins):
            return None
        identity = peer_identity(ssl_object)
        if identity is None:
            return NO_PEER_CERTIFICATE
        if names or is_host_checked:
            is_meant = has_matching_name(identity, names) if names else matches_hostname(identity, self.server_name)
            if not is_meant:
                return SAN_MISMATCH
        return HASH_MISMATCH if pins and not is_pinned(identity.certificate, pins) else None

    def peer_identity(self, ssl_object: ssl.SSLObject) -> PeerIdentity | None:
        return peer_identity(ssl_object)


def client_alpn(common: CommonTlsConfig, is_http2: bool) -> tuple[str, ...]:
    """What a connection offers that will speak HTTP/2, or will not: a mesh peer is told that besides who it is."""
    http1 = tuple(name for name in common.alpn if name != HTTP2_ALPN)
    if not is_http2:
        return http1
    return (*http1, HTTP2_ALPN) if common.is_mesh else (HTTP2_ALPN,)


class _CurrentContext:
    """The context that fits the secrets now, rebuilt when one of them has changed."""

    __slots__ = (
        "_common",
        "_context",
        "_has_files",
        "_is_server",
        "_revision",
        "_secrets",
        "_verify",
        "is_verifying",
        "pins",
        "subject_alt_names",
    )

    def __init__(
        self, common: CommonTlsConfig, secrets: SecretStore, *, is_server: bool, verify: ssl.VerifyMode
    ) -> None:
        self._common = common
        self._secrets = secrets
        self._is_server = is_server
        self._verify = verify
        self._has_files = any(map(is_file_secret, (*common.certificate_secrets, common.validation_secret)))
        self._revision = -1
        self._context: ssl.SSLContext | None = None
        self.subject_alt_names: tuple[SubjectAltNameMatcher, ...] = ()
        self.pins = CertificatePins()
        self.is_verifying = False

    def context(self) -> ssl.SSLContext | None:
        if self._has_files:
            self._secrets.check_files()
        if self._revision != self._secrets.revision:
            self._revision = self._secrets.revision
            self._context = self._build()
        return self._context

    def _build(self) -> ssl.SSLContext | None:
        certificates, validation = self._certificates(), self._validation()
        if certificates is None or validation is None:
            return None
        if self._verify == ssl.CERT_REQUIRED and self._is_server and not validation.is_verifying:
            log.error("a client certificate is required, and nothing says whom to trust: %s", self._common)
            return None
        self.subject_alt_names = validation.subject_alt_names
        self.pins = validation.pins
        self.is_verifying = validation.is_verifying
        try:
            return cached_context(self._spec(certificates, validation))
        except (ssl.SSLError, ValueError) as error:
            # Decoding has checked certificates and keys; what is left is e.g. a cipher list OpenSSL does not know.
            log.error("no TLS context for %s: %s", self._common, error)
            return None

    def _spec(self, certificates: tuple[TlsCertificate, ...], validation: CertificateValidation) -> ContextSpec:
        common = self._common
        return ContextSpec(
            is_server=self._is_server,
            certificates=certificates,
            trusted_ca=validation.trusted_ca,
            system_roots=validation.system_roots,
            verify=self._verify if validation.is_verifying else ssl.CERT_NONE,
            alpn=common.alpn,
            min_version=common.min_version,
            max_version=common.max_version,
            cipher_suites=common.cipher_suites,
            crl=validation.crl,
        )

    def _certificates(self) -> tuple[TlsCertificate, ...] | None:
        """Inline ones, then those of secrets; None if one is missing."""
        secrets = [self._secrets.get(name) for name in self._common.certificate_secrets]
        named = tuple(secret.tls_certificate for secret in secrets if secret and secret.tls_certificate)
        return self._common.certificates + named if len(named) == len(secrets) else None

    def _validation(self) -> CertificateValidation | None:
        """The inline one and the secret's combined; None if the secret is missing."""
        inline = self._common.validation or CertificateValidation()
        if not self._common.validation_secret:
            return inline
        secret = self._secrets.get(self._common.validation_secret)
        return inline.merged(secret.validation) if secret and secret.validation else None


def _server_verify(config: DownstreamTlsConfig) -> ssl.VerifyMode:
    """Envoy: with something to verify against, a certificate is asked for, and must be there only if required."""
    return ssl.CERT_REQUIRED if config.require_client_certificate else ssl.CERT_OPTIONAL
