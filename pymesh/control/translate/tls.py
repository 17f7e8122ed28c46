"""TLS contexts: upstream by a DestinationRule or auto mTLS, downstream by PeerAuthentication or a Gateway's server."""

from collections.abc import Iterable
from typing import Any

from pymesh.control.model.destination_rule import ClientTLSSettings
from pymesh.control.model.gateway import ServerTLSSettings
from pymesh.control.translate.config_source import sds_secret
from pymesh.control.translate.type_urls import (
    DOWNSTREAM_TLS_CONTEXT,
    RAW_BUFFER,
    RAW_BUFFER_TRANSPORT_SOCKET,
    TLS_TRANSPORT_SOCKET,
    UPSTREAM_TLS_CONTEXT,
)
from pymesh.names import CA_CREDENTIAL_SUFFIX, CREDENTIAL_PREFIX, MESH_ALPN, OWN_CERTIFICATE, ROOT_CA

# Debian's name of the machine's CA bundle. Our proxies take `system_root_certs`, which Envoy does not obey.
SYSTEM_CA_FILE = "/etc/ssl/certs/ca-certificates.crt"

_MINIMUM_VERSION = "TLSv1_2"
_VERSIONS = {"TLSV1_0": "TLSv1_0", "TLSV1_1": "TLSv1_1", "TLSV1_2": "TLSv1_2", "TLSV1_3": "TLSv1_3"}
_HTTP_ALPN = ["http/1.1"]


def tls_socket(context: dict[str, Any]) -> dict[str, Any]:
    return {"name": TLS_TRANSPORT_SOCKET, "typed_config": context}


def raw_socket() -> dict[str, Any]:
    return {"name": RAW_BUFFER_TRANSPORT_SOCKET, "typed_config": {"@type": RAW_BUFFER}}


def build_mesh_client(sni: str, identities: Iterable[str]) -> dict[str, Any]:
    """mTLS to a workload that must be one of `identities`, SPIFFE URIs."""
    return {
        "@type": UPSTREAM_TLS_CONTEXT,
        "sni": sni,
        "common_tls_context": {
            "alpn_protocols": list(MESH_ALPN),
            "tls_params": {"tls_minimum_protocol_version": _MINIMUM_VERSION},
            "tls_certificate_sds_secret_configs": [sds_secret(OWN_CERTIFICATE)],
            "combined_validation_context": {
                "default_validation_context": {"match_typed_subject_alt_names": _san_matchers(identities)},
                "validation_context_sds_secret_config": sds_secret(ROOT_CA),
            },
        },
    }


def build_mesh_server() -> dict[str, Any]:
    """mTLS with the workload's own certificate; every client needs one of the mesh."""
    return {
        "@type": DOWNSTREAM_TLS_CONTEXT,
        "require_client_certificate": True,
        "common_tls_context": {
            "alpn_protocols": list(MESH_ALPN),
            "tls_params": {"tls_minimum_protocol_version": _MINIMUM_VERSION},
            "tls_certificate_sds_secret_configs": [sds_secret(OWN_CERTIFICATE)],
            "validation_context_sds_secret_config": sds_secret(ROOT_CA),
        },
    }


def build_client(tls: ClientTLSSettings, sans: tuple[str, ...], is_ours: bool, is_gateway: bool) -> dict[str, Any]:
    """SIMPLE and MUTUAL. `sans` are the service's, for where the rule names none; `is_ours`: not a real Envoy."""
    common: dict[str, Any] = {"tls_params": {"tls_minimum_protocol_version": _MINIMUM_VERSION}}
    names = tls.subject_alt_names or sans
    if tls.credential_name and is_gateway:
        common |= _client_credential(tls, names)
    else:
        common |= _client_certificate(tls)
        if not tls.insecure_skip_verify:
            common["validation_context"] = _trust(tls.ca_certificates, names, is_ours)
    context: dict[str, Any] = {"@type": UPSTREAM_TLS_CONTEXT, "common_tls_context": common}
    if tls.sni:
        context["sni"] = tls.sni
    return context


def build_server(tls: ServerTLSSettings) -> dict[str, Any]:
    """Of a Gateway's server, whatever ends its TLS there."""
    if tls.mode == "ISTIO_MUTUAL":
        return build_mesh_server()
    common: dict[str, Any] = {"alpn_protocols": _HTTP_ALPN, "tls_params": _server_parameters(tls)}
    common |= _server_certificates(tls)
    needs_client = tls.mode in ("MUTUAL", "OPTIONAL_MUTUAL")
    if needs_client:
        common |= _client_validation(tls)
    return {
        "@type": DOWNSTREAM_TLS_CONTEXT,
        "require_client_certificate": tls.mode == "MUTUAL",
        "common_tls_context": common,
    }


def server_credentials(tls: ServerTLSSettings) -> tuple[str, ...]:
    """The names of the Secrets that hold the server's certificates."""
    return tls.credential_names or ((tls.credential_name,) if tls.credential_name else ())


def client_ca_credential(tls: ServerTLSSettings) -> str:
    """The SDS name, without prefix, of the CA for clients' certificates."""
    if tls.ca_cert_credential_name:
        return tls.ca_cert_credential_name + CA_CREDENTIAL_SUFFIX
    return server_credentials(tls)[0] + CA_CREDENTIAL_SUFFIX if server_credentials(tls) else ""


def _server_parameters(tls: ServerTLSSettings) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "tls_minimum_protocol_version": _VERSIONS.get(tls.min_protocol_version, _MINIMUM_VERSION)
    }
    if tls.max_protocol_version in _VERSIONS:
        parameters["tls_maximum_protocol_version"] = _VERSIONS[tls.max_protocol_version]
    if tls.cipher_suites:
        parameters["cipher_suites"] = list(tls.cipher_suites)
    return parameters


def _server_certificates(tls: ServerTLSSettings) -> dict[str, Any]:
    names = server_credentials(tls)
    if names:
        return {"tls_certificate_sds_secret_configs": [sds_secret(CREDENTIAL_PREFIX + name) for name in names]}
    pairs = [(item.server_certificate, item.private_key) for item in tls.tls_certificates]
    return {"tls_certificates": [_files(*pair) for pair in pairs or [(tls.server_certificate, tls.private_key)]]}


def _client_validation(tls: ServerTLSSettings) -> dict[str, Any]:
    expected = {"match_typed_subject_alt_names": _san_matchers(tls.subject_alt_names)} if tls.subject_alt_names else {}
    credential = client_ca_credential(tls)
    if not credential:
        return {"validation_context": {"trusted_ca": {"filename": tls.ca_certificates}, **expected}}
    named = sds_secret(CREDENTIAL_PREFIX + credential)
    if not expected:
        return {"validation_context_sds_secret_config": named}
    return {
        "combined_validation_context": {
            "default_validation_context": expected,
            "validation_context_sds_secret_config": named,
        }
    }


def _client_certificate(tls: ClientTLSSettings) -> dict[str, Any]:
    if tls.mode != "MUTUAL" or not tls.client_certificate:
        return {}
    return {"tls_certificates": [_files(tls.client_certificate, tls.private_key)]}


def _client_credential(tls: ClientTLSSettings, names: tuple[str, ...]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if tls.mode == "MUTUAL":
        fields["tls_certificate_sds_secret_configs"] = [sds_secret(CREDENTIAL_PREFIX + tls.credential_name)]
    if not tls.insecure_skip_verify:
        fields["combined_validation_context"] = {
            "default_validation_context": {"match_typed_subject_alt_names": _san_matchers(names)} if names else {},
            "validation_context_sds_secret_config": sds_secret(
                CREDENTIAL_PREFIX + tls.credential_name + CA_CREDENTIAL_SUFFIX
            ),
        }
    return fields


def _trust(ca_file: str, names: tuple[str, ...], is_ours: bool) -> dict[str, Any]:
    context: dict[str, Any] = {}
    if ca_file or not is_ours:
        context["trusted_ca"] = {"filename": ca_file or SYSTEM_CA_FILE}
    else:
        context["system_root_certs"] = {}
    if names:
        context["match_typed_subject_alt_names"] = _san_matchers(names)
    return context


def _files(certificate: str, key: str) -> dict[str, Any]:
    return {"certificate_chain": {"filename": certificate}, "private_key": {"filename": key}}


def _san_matchers(names: Iterable[str]) -> list[dict[str, Any]]:
    return [{"san_type": "URI" if "://" in name else "DNS", "matcher": {"exact": name}} for name in names]
