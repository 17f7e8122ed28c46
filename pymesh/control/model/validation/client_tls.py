"""Rules of a DestinationRule's tls. Istio: ValidateTLS in pkg/config/validation/agent."""

from pymesh.control.model.destination_rule import ClientTLSSettings
from pymesh.control.model.scope import Scope

_OWN_CERTIFICATES = ("SIMPLE", "MUTUAL")


def check_client_tls(tls: ClientTLSSettings | None, at: Scope) -> None:
    if tls is None:
        return
    files = {
        "clientCertificate": tls.client_certificate,
        "privateKey": tls.private_key,
        "caCertificates": tls.ca_certificates,
        "caCrl": tls.ca_crl,
    }
    if tls.mode not in _OWN_CERTIFICATES:
        for name, value in (files | {"credentialName": tls.credential_name}).items():
            if value:
                at[name].warn(f"has no effect with {tls.mode}")
    elif tls.credential_name:
        for name, value in files.items():
            at[name].require(not value, "cannot stand beside credentialName")
    elif tls.mode == "MUTUAL":
        for name in ("clientCertificate", "privateKey"):
            at[name].require(files[name], "is required with MUTUAL")
    if tls.insecure_skip_verify and tls.mode in _OWN_CERTIFICATES:
        _check_unverified(tls, at)


def _check_unverified(tls: ClientTLSSettings, at: Scope) -> None:
    at["caCertificates"].require(not tls.ca_certificates, "cannot stand beside insecureSkipVerify")
    at["subjectAltNames"].require(not tls.subject_alt_names, "cannot stand beside insecureSkipVerify")
    is_for_ca = tls.mode == "SIMPLE" and tls.credential_name
    at["credentialName"].require(not is_for_ca, "cannot stand beside insecureSkipVerify with SIMPLE")
