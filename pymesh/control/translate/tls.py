"""TLS contexts: upstream by a DestinationRule or auto mTLS, downstream by PeerAuthentication."""

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any

from pymesh.control.model.destination_rule import ClientTLSSettings
from pymesh.control.model.mesh_config import MeshConfig, TLSConfig
from pymesh.control.translate.config_source import sds_secret
from pymesh.control.translate.tls_parameters import build_tls_parameters
from pymesh.control.translate.trust_domains import build_trust_domain_matchers
from pymesh.control.translate.type_urls import (
    DOWNSTREAM_TLS_CONTEXT,
    RAW_BUFFER,
    RAW_BUFFER_TRANSPORT_SOCKET,
    TLS_TRANSPORT_SOCKET,
    UPSTREAM_TLS_CONTEXT,
)
from pymesh.names import CA_CREDENTIAL_SUFFIX, CREDENTIAL_PREFIX, HTTP2_ALPN, MESH_ALPN, OWN_CERTIFICATE, ROOT_CA

# Debian's name of the machine's CA bundle. Our proxies take `system_root_certs`, which Envoy does not obey.
SYSTEM_CA_FILE = "/etc/ssl/certs/ca-certificates.crt"

# What servers agree on. Clients of the mesh offer MESH_ALPN too, by which their filter chain is found; a server that
# took one of those would not learn whether they go on with HTTP/2. Istio: ALPNHttp, ALPNDownstreamWithMxc.
HTTP_ALPN = ("h2", "http/1.1")
MESH_TCP_ALPN = ("istio-peer-exchange", *HTTP_ALPN)


def tls_socket(context: dict[str, Any]) -> dict[str, Any]:
    return {"name": TLS_TRANSPORT_SOCKET, "typed_config": context}


def raw_socket() -> dict[str, Any]:
    return {"name": RAW_BUFFER_TRANSPORT_SOCKET, "typed_config": {"@type": RAW_BUFFER}}


def build_mesh_client(
    sni: str, identities: Iterable[str], is_http2: bool = False, mesh_mtls: TLSConfig | None = None
) -> dict[str, Any]:
    """mTLS to a workload that must be one of `identities`, SPIFFE URIs."""
    alpn = (*MESH_ALPN, HTTP2_ALPN) if is_http2 else MESH_ALPN
    return {
        "@type": UPSTREAM_TLS_CONTEXT,
        "sni": sni,
        "common_tls_context": {
            "alpn_protocols": list(alpn),
            "tls_params": build_tls_parameters(mesh_mtls),
            "tls_certificate_sds_secret_configs": [sds_secret(OWN_CERTIFICATE)],
            "combined_validation_context": {
                "default_validation_context": {"match_typed_subject_alt_names": build_san_matchers(identities)},
                "validation_context_sds_secret_config": sds_secret(ROOT_CA),
            },
        },
    }


def build_mesh_server(mesh: MeshConfig, is_tcp: bool) -> dict[str, Any]:
    """mTLS with the workload's own certificate; every client needs one of the mesh, of one of its trust domains."""
    return {
        "@type": DOWNSTREAM_TLS_CONTEXT,
        "require_client_certificate": True,
        "common_tls_context": {
            "alpn_protocols": list(MESH_TCP_ALPN if is_tcp else HTTP_ALPN),
            "tls_params": build_tls_parameters(mesh.mesh_mtls),
            "tls_certificate_sds_secret_configs": [sds_secret(OWN_CERTIFICATE)],
            "combined_validation_context": {
                "default_validation_context": {"match_typed_subject_alt_names": build_trust_domain_matchers(mesh)},
                "validation_context_sds_secret_config": sds_secret(ROOT_CA),
            },
        },
    }


def build_client(
    tls: ClientTLSSettings,
    sans: tuple[str, ...],
    is_ours: bool,
    obeys_credentials: bool,
    defaults: TLSConfig | None = None,
) -> dict[str, Any]:
    """SIMPLE and MUTUAL. `sans` are the service's, for where the rule names none; `is_ours`: not a real Envoy."""
    common: dict[str, Any] = {"tls_params": build_tls_parameters(defaults)}
    names = tls.subject_alt_names or sans
    if tls.credential_name and obeys_credentials:
        common |= _client_credential(tls, names)
    else:
        common |= _client_certificate(tls)
        if not tls.insecure_skip_verify:
            common["validation_context"] = _trust(tls.ca_certificates, names, is_ours)
    context: dict[str, Any] = {"@type": UPSTREAM_TLS_CONTEXT, "common_tls_context": common}
    if tls.sni:
        context["sni"] = tls.sni
    return context


def _client_certificate(tls: ClientTLSSettings) -> dict[str, Any]:
    if tls.mode != "MUTUAL" or not tls.client_certificate:
        return {}
    return {"tls_certificates": [build_file_certificate(tls.client_certificate, tls.private_key)]}


def _client_credential(tls: ClientTLSSettings, names: tuple[str, ...]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if tls.mode == "MUTUAL":
        fields["tls_certificate_sds_secret_configs"] = [sds_secret(CREDENTIAL_PREFIX + tls.credential_name)]
    if not tls.insecure_skip_verify:
        fields["combined_validation_context"] = {
            "default_validation_context": {"match_typed_subject_alt_names": build_san_matchers(names)} if names else {},
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
        context["match_typed_subject_alt_names"] = build_san_matchers(names)
    return context


def build_file_certificate(certificate: str, key: str) -> dict[str, Any]:
    return {"certificate_chain": {"filename": certificate}, "private_key": {"filename": key}}


def build_san_matchers(names: Iterable[str]) -> list[dict[str, Any]]:
    return [{"san_type": _san_type(name), "matcher": {"exact": name}} for name in names]


def _san_type(name: str) -> str:
    if "://" in name:
        return "URI"
    if "@" in name:
        return "EMAIL"
    return "IP_ADDRESS" if _is_address(name) else "DNS"


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
