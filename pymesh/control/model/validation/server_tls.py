"""Rules of the tls of a Gateway's server. Istio: validateTLSOptions in pkg/config/validation."""

import re
from collections.abc import Sequence

from pymesh.control.model.gateway import ServerTLSSettings
from pymesh.control.model.scope import Scope

# BoringSSL's, without those with a pre-shared key.
CIPHER_SUITES = frozenset(
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
        "ECDHE-ECDSA-AES128-SHA",
        "ECDHE-RSA-AES128-SHA",
        "ECDHE-ECDSA-AES256-SHA",
        "ECDHE-RSA-AES256-SHA",
        "AES128-GCM-SHA256",
        "AES256-GCM-SHA384",
        "AES128-SHA",
        "AES256-SHA",
        "DES-CBC3-SHA",
    )
)
_SPKI_HASH = re.compile(r"[A-Za-z0-9+/]{43}=")
_CERTIFICATE_HASH = re.compile(r"[0-9A-Fa-f]{64}|[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){31}")
_VERSIONS = ("TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3")
_TERMINATING = ("SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL")
LARGEST_CREDENTIALS = 2  # one RSA and one ECDSA


def check_server_tls(tls: ServerTLSSettings, at: Scope) -> None:
    if tls.mode == "ISTIO_MUTUAL":
        _check_mesh_certificate(tls, at)
    else:
        _check_single_source(tls, at)
        if tls.mode in _TERMINATING:
            _check_credentials(tls, at)
        else:
            _warn_of_unused(tls, at)
    _check_versions(tls, at)
    _check_hashes(tls, at)
    check_cipher_suites(tls.cipher_suites, at["cipherSuites"])


def check_cipher_suites(suites: Sequence[str], at: Scope) -> None:
    seen: set[str] = set()
    for index, suite in enumerate(suites):
        if suite and not is_cipher_suite(suite):
            at[index].warn(f"{suite!r} is not a cipher suite and has no effect")
        elif suite in seen:
            at[index].warn(f"{suite!r} occurs twice")
        seen.add(suite)


def _check_single_source(tls: ServerTLSSettings, at: Scope) -> None:
    """The certificate is in one Secret, in two, in files, or in two pairs of files."""
    sources = {
        "credentialName": bool(tls.credential_name),
        "credentialNames": bool(tls.credential_names),
        "serverCertificate and privateKey": bool(tls.server_certificate and tls.private_key),
        "tlsCertificates": bool(tls.tls_certificates),
    }
    chosen = [name for name, is_set in sources.items() if is_set]
    at.require(len(chosen) <= 1, f"must have only one of {', '.join(chosen)}")


def is_cipher_suite(name: str) -> bool:
    """What begins with - or + is an instruction of OpenSSL's language."""
    return name in CIPHER_SUITES or name == "ALL" or (name != "" and not name[0].isalnum())


def _check_credentials(tls: ServerTLSSettings, at: Scope) -> None:
    is_few = len(tls.credential_names) <= LARGEST_CREDENTIALS
    at["credentialNames"].require(is_few, f"must be {LARGEST_CREDENTIALS} at most")
    if tls.credential_name or tls.credential_names:
        for name in ("serverCertificate", "privateKey", "caCertificates", "caCrl"):
            if _certificates(tls)[name]:
                at[name].warn("has no effect beside credentialName")
        return
    _check_files(tls, at)
    if tls.mode == "SIMPLE":
        at["caCrl"].require(not tls.ca_crl, "is not supported with SIMPLE, as there is no client certificate")
    else:
        at["caCertificates"].require(tls.ca_certificates, f"or credentialName is required with {tls.mode}")


def _check_files(tls: ServerTLSSettings, at: Scope) -> None:
    if not tls.tls_certificates:
        at["serverCertificate"].require(tls.server_certificate, f"or credentialName is required with {tls.mode}")
        at["privateKey"].require(tls.private_key, f"or credentialName is required with {tls.mode}")
    if len(tls.tls_certificates) > LARGEST_CREDENTIALS:
        at["tlsCertificates"].warn(f"has more than {LARGEST_CREDENTIALS}; only the first ones are used")
    for index, certificate in enumerate(tls.tls_certificates):
        here = at["tlsCertificates"][index]
        here["serverCertificate"].require(certificate.server_certificate, "is required")
        here["privateKey"].require(certificate.private_key, "is required")
        if certificate.ca_certificates:
            here["caCertificates"].warn("has no effect; clients are verified with tls.caCertificates")


def _certificates(tls: ServerTLSSettings) -> dict[str, object]:
    return {
        "serverCertificate": tls.server_certificate,
        "privateKey": tls.private_key,
        "caCertificates": tls.ca_certificates,
        "caCrl": tls.ca_crl,
        "credentialName": tls.credential_name,
        "credentialNames": tls.credential_names,
        "tlsCertificates": tls.tls_certificates,
    }


def _check_mesh_certificate(tls: ServerTLSSettings, at: Scope) -> None:
    for name, value in _certificates(tls).items():
        at[name].require(not value, "must not be set with ISTIO_MUTUAL, which has the mesh's certificate")


def _warn_of_unused(tls: ServerTLSSettings, at: Scope) -> None:
    """What is passed through has the certificate of the service behind."""
    for name, value in _certificates(tls).items():
        if value:
            at[name].warn(f"has no effect with {tls.mode}")


def _check_hashes(tls: ServerTLSSettings, at: Scope) -> None:
    for index, value in enumerate(tls.verify_certificate_spki):
        at["verifyCertificateSpki"][index].require(_SPKI_HASH.fullmatch(value), "must be a SHA-256 hash in base64")
    for index, value in enumerate(tls.verify_certificate_hash):
        at["verifyCertificateHash"][index].require(
            _CERTIFICATE_HASH.fullmatch(value), "must be a SHA-256 hash in hexadecimal, with colons or without"
        )


def _check_versions(tls: ServerTLSSettings, at: Scope) -> None:
    if "TLS_AUTO" not in (tls.min_protocol_version, tls.max_protocol_version):
        is_ordered = _VERSIONS.index(tls.min_protocol_version) <= _VERSIONS.index(tls.max_protocol_version)
        at["maxProtocolVersion"].require(is_ordered, "must not be below minProtocolVersion")
    if tls.min_protocol_version in ("TLSV1_0", "TLSV1_1") and not tls.cipher_suites:
        at["minProtocolVersion"].warn("needs cipherSuites: those of today do not work below TLSV1_2")
