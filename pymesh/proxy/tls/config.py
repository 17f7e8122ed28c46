"""DownstreamTlsContext and UpstreamTlsContext, decoded. Which names of secrets, which protocols; no secret is read here.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/transport_sockets/tls/v3/tls.proto
"""

from dataclasses import dataclass

from pymesh.protojson import Reader
from pymesh.proxy.tls.secrets import ROOT_CERTIFICATE, WORKLOAD_CERTIFICATE, CertificateValidation, TlsCertificate


@dataclass(frozen=True, slots=True)
class CommonTlsConfig:
    """Certificates and validation may stand inline or be named secrets; both kinds may be given for validation, and
    then are combined (CombinedCertificateValidationContext)."""

    certificates: tuple[TlsCertificate, ...] = ()
    certificate_secrets: tuple[str, ...] = ()
    validation: CertificateValidation | None = None
    validation_secret: str = ""
    alpn: tuple[str, ...] = ()
    min_version: str = "TLSv1_2"
    max_version: str = "TLSv1_3"
    cipher_suites: tuple[str, ...] = ()

    @property
    def is_mesh(self) -> bool:
        """This end shows its workload certificate and trusts the mesh's root."""
        return WORKLOAD_CERTIFICATE in self.certificate_secrets and self.validation_secret == ROOT_CERTIFICATE


@dataclass(frozen=True, slots=True)
class DownstreamTlsConfig:
    common: CommonTlsConfig
    require_client_certificate: bool = False


@dataclass(frozen=True, slots=True)
class UpstreamTlsConfig:
    """`auto_host_sni`: the SNI is the endpoint's hostname; `auto_sni_san_validation`: the certificate must be for it."""

    common: CommonTlsConfig
    sni: str = ""
    auto_host_sni: bool = False
    auto_sni_san_validation: bool = False


def decode_downstream_tls(reader: Reader) -> DownstreamTlsConfig:
    """Of envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext. Raises DecodeError."""
    raise NotImplementedError


def decode_upstream_tls(reader: Reader) -> UpstreamTlsConfig:
    """Of envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext. Raises DecodeError."""
    raise NotImplementedError
