"""The TLS context of a Gateway's server that ends TLS. Istio: BuildListenerTLSContext in pilot/pkg/networking/core."""

from typing import Any

from pymesh.control.model.gateway import ServerTLSSettings
from pymesh.control.model.mesh_config import TLSConfig
from pymesh.control.model.validation.server_tls import LARGEST_CREDENTIALS
from pymesh.control.translate.config_source import sds_secret
from pymesh.control.translate.tls import HTTP_ALPN, MESH_TCP_ALPN, build_file_certificate, build_san_matchers
from pymesh.control.translate.tls_parameters import build_tls_parameters
from pymesh.control.translate.type_urls import DOWNSTREAM_TLS_CONTEXT
from pymesh.names import CA_CREDENTIAL_SUFFIX, CREDENTIAL_PREFIX, OWN_CERTIFICATE, ROOT_CA

_VERIFYING = ("MUTUAL", "OPTIONAL_MUTUAL", "ISTIO_MUTUAL")


def build_server(tls: ServerTLSSettings, is_tcp: bool = False, defaults: TLSConfig | None = None) -> dict[str, Any]:
    """`is_tcp`: what TLS carries is not HTTP. `defaults` hold where the client is none of the mesh's workloads."""
    is_mesh = tls.mode == "ISTIO_MUTUAL"
    common: dict[str, Any] = {
        "alpn_protocols": list(MESH_TCP_ALPN if is_mesh and is_tcp else HTTP_ALPN),
        "tls_params": build_tls_parameters(
            None if is_mesh else defaults, tls.min_protocol_version, tls.max_protocol_version, tls.cipher_suites
        ),
        **_certificates(tls),
    }
    if verifies_clients(tls):
        common |= _client_validation(tls)
    return {
        "@type": DOWNSTREAM_TLS_CONTEXT,
        "require_client_certificate": tls.mode in ("MUTUAL", "ISTIO_MUTUAL"),
        "common_tls_context": common,
    }


def verifies_clients(tls: ServerTLSSettings) -> bool:
    """Whether a certificate is asked for, required or not."""
    return tls.mode in _VERIFYING


def server_credentials(tls: ServerTLSSettings) -> tuple[str, ...]:
    """The names of the Secrets that hold the server's certificates."""
    return tls.credential_names or ((tls.credential_name,) if tls.credential_name else ())


def client_ca_credential(tls: ServerTLSSettings) -> str:
    """The SDS name, without prefix, of the CA for clients' certificates."""
    if tls.ca_cert_credential_name:
        return tls.ca_cert_credential_name + CA_CREDENTIAL_SUFFIX
    return server_credentials(tls)[0] + CA_CREDENTIAL_SUFFIX if server_credentials(tls) else ""


def _certificates(tls: ServerTLSSettings) -> dict[str, Any]:
    if tls.mode == "ISTIO_MUTUAL":
        return {"tls_certificate_sds_secret_configs": [sds_secret(OWN_CERTIFICATE)]}
    names = server_credentials(tls)
    if names:
        return {"tls_certificate_sds_secret_configs": [sds_secret(CREDENTIAL_PREFIX + name) for name in names]}
    several = tls.tls_certificates[:LARGEST_CREDENTIALS]
    pairs = [(item.server_certificate, item.private_key) for item in several]
    pairs = pairs or [(tls.server_certificate, tls.private_key)]
    return {"tls_certificates": [build_file_certificate(*pair) for pair in pairs]}


def _client_validation(tls: ServerTLSSettings) -> dict[str, Any]:
    expected = _expected_client(tls)
    credential = client_ca_credential(tls)
    if tls.mode != "ISTIO_MUTUAL" and not credential:
        revoked = {"crl": {"filename": tls.ca_crl}} if tls.ca_crl else {}
        return {"validation_context": {"trusted_ca": {"filename": tls.ca_certificates}, **revoked, **expected}}
    named = sds_secret(CREDENTIAL_PREFIX + credential if tls.mode != "ISTIO_MUTUAL" else ROOT_CA)
    if not expected:
        return {"validation_context_sds_secret_config": named}
    return {
        "combined_validation_context": {
            "default_validation_context": expected,
            "validation_context_sds_secret_config": named,
        }
    }


def _expected_client(tls: ServerTLSSettings) -> dict[str, Any]:
    fields = {
        "match_typed_subject_alt_names": build_san_matchers(tls.subject_alt_names),
        "verify_certificate_spki": list(tls.verify_certificate_spki),
        "verify_certificate_hash": list(tls.verify_certificate_hash),
    }
    return {name: value for name, value in fields.items() if value}
