"""Rules of the tls of a Gateway's server. Istio: validateTLSOptions in pkg/config/validation."""

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
_VERSIONS = ("TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3")
_TERMINATING = ("SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL")
_LARGEST_CREDENTIALS = 2  # one RSA and one ECDSA


def check_server_tls(tls: ServerTLSSettings, at: Scope) -> None:
    if tls.mode in _TERMINATING:
        _check_credentials(tls, at)
    else:
        _check_unused(tls, at)
    is_revocable = not tls.ca_crl or tls.mode != "SIMPLE"
    at["caCrl"].require(is_revocable, "is not supported with SIMPLE, as there is no client certificate")
    at["caCrl"].require(
        not (tls.ca_crl and tls.credential_name), "cannot stand beside credentialName; put it into the Secret"
    )
    _check_versions(tls, at)
    check_cipher_suites(tls.cipher_suites, at["cipherSuites"])


def check_cipher_suites(suites: Sequence[str], at: Scope) -> None:
    seen: set[str] = set()
    for index, suite in enumerate(suites):
        # What begins with - or + is an instruction of OpenSSL's language.
        if suite not in CIPHER_SUITES and suite not in ("", "ALL") and suite[0].isalnum():
            at[index].warn(f"{suite!r} is not a cipher suite and has no effect")
        elif suite in seen:
            at[index].warn(f"{suite!r} occurs twice")
        seen.add(suite)


def _check_credentials(tls: ServerTLSSettings, at: Scope) -> None:
    """The certificate is in one or two Secrets, or in files."""
    at.require(
        not (tls.credential_name and tls.credential_names), "must have only one of credentialName and credentialNames"
    )
    for name, entries in (("credentialNames", tls.credential_names), ("tlsCertificates", tls.tls_certificates)):
        at[name].require(len(entries) <= _LARGEST_CREDENTIALS, f"must be {_LARGEST_CREDENTIALS} at most")
    files = {"serverCertificate": tls.server_certificate, "privateKey": tls.private_key}
    if tls.credential_name or tls.credential_names:
        for name, value in (files | {"caCertificates": tls.ca_certificates}).items():
            if value:
                at[name].warn("has no effect beside credentialName")
    elif tls.tls_certificates:
        _check_certificates(tls, at["tlsCertificates"])
    else:
        for name, value in files.items():
            at[name].require(value, f"or credentialName is required with {tls.mode}")
        if tls.mode != "SIMPLE":
            at["caCertificates"].require(tls.ca_certificates, f"or credentialName is required with {tls.mode}")


def _check_certificates(tls: ServerTLSSettings, at: Scope) -> None:
    for index, certificate in enumerate(tls.tls_certificates):
        at[index]["serverCertificate"].require(certificate.server_certificate, "is required")
        at[index]["privateKey"].require(certificate.private_key, "is required")


def _check_unused(tls: ServerTLSSettings, at: Scope) -> None:
    """ISTIO_MUTUAL has the mesh's certificate, and what is passed through has the server's."""
    certificates = {
        "serverCertificate": tls.server_certificate,
        "privateKey": tls.private_key,
        "caCertificates": tls.ca_certificates,
        "caCrl": tls.ca_crl,
        "credentialName": tls.credential_name,
        "credentialNames": tls.credential_names,
        "tlsCertificates": tls.tls_certificates,
    }
    for name, value in certificates.items():
        if value and tls.mode == "ISTIO_MUTUAL":
            at[name].fail("must not be set with ISTIO_MUTUAL")
        elif value:
            at[name].warn(f"has no effect with {tls.mode}")


def _check_versions(tls: ServerTLSSettings, at: Scope) -> None:
    if "TLS_AUTO" not in (tls.min_protocol_version, tls.max_protocol_version):
        is_ordered = _VERSIONS.index(tls.min_protocol_version) <= _VERSIONS.index(tls.max_protocol_version)
        at["maxProtocolVersion"].require(is_ordered, "must not be below minProtocolVersion")
    if tls.min_protocol_version in ("TLSV1_0", "TLSV1_1") and not tls.cipher_suites:
        at["minProtocolVersion"].warn("needs cipherSuites: those of today do not work below TLSV1_2")
