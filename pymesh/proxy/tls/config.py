"""DownstreamTlsContext and UpstreamTlsContext, decoded. Which secrets, which protocols; no secret is looked up here.

https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/transport_sockets/tls/v3/tls.proto
"""

import os
import ssl
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from typing import get_args

from pymesh.names import OWN_CERTIFICATE, ROOT_CA
from pymesh.protojson import Reader
from pymesh.proxy.tls.certificates import (
    CertificatePins,
    CertificateValidation,
    SanKind,
    SubjectAltNameMatcher,
    TlsCertificate,
)
from pymesh.proxy.tls.context_builder import TLS_VERSIONS, check_certificate, check_crl, check_trusted_ca
from pymesh.proxy.tls.file_secrets import file_certificate, file_root

_PACKAGE = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."
UPSTREAM_TLS_CONTEXT = _PACKAGE + "UpstreamTlsContext"
DOWNSTREAM_TLS_CONTEXT = _PACKAGE + "DownstreamTlsContext"

_SAN_TYPES = ("URI", "DNS", "EMAIL", "IP_ADDRESS")
_OLD_VERSIONS = ("TLSv1_0", "TLSv1_1")
_DATA_SOURCES = ("filename", "inline_bytes", "inline_string", "environment_variable")


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
        return OWN_CERTIFICATE in self.certificate_secrets and self.validation_secret == ROOT_CA


@dataclass(frozen=True, slots=True)
class DownstreamTlsConfig:
    common: CommonTlsConfig
    require_client_certificate: bool = False


@dataclass(frozen=True, slots=True)
class UpstreamTlsConfig:
    """`auto_host_sni`: SNI is the endpoint's hostname; `auto_sni_san_validation`: the certificate must be for it."""

    common: CommonTlsConfig
    sni: str = ""
    auto_host_sni: bool = False
    auto_sni_san_validation: bool = False


def decode_downstream_tls(reader: Reader) -> DownstreamTlsConfig:
    """Of envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext. Raises DecodeError."""
    reader.ignore(
        "@type",
        "disable_stateless_session_resumption",  # mesh peers never resume; see context_builder
        "session_timeout",  # OpenSSL's own, two hours, is shorter than a certificate lives
        "prefer_client_ciphers",  # a preference among equally accepted ones
    )
    config = DownstreamTlsConfig(
        common=_decode_common(reader.required_object("common_tls_context")),
        require_client_certificate=reader.boolean("require_client_certificate"),
    )
    if not config.common.certificates and not config.common.certificate_secrets:
        reader.fail("common_tls_context", "a server needs a certificate")
    if config.require_client_certificate and not _has_trust(config.common):
        reader.fail("require_client_certificate", "needs a trusted_ca to verify the certificate against")
    return config


def decode_upstream_tls(reader: Reader) -> UpstreamTlsConfig:
    """Of envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext. Raises DecodeError."""
    reader.ignore(
        "@type",
        "max_session_keys",  # sessions are not resumed upstream
        "enforce_rsa_key_usage",  # OpenSSL always does
    )
    if reader.boolean("allow_renegotiation"):
        reader.fail("allow_renegotiation", "renegotiation is never allowed")
    return UpstreamTlsConfig(
        common=_decode_common(reader.required_object("common_tls_context")),
        sni=reader.string("sni"),
        auto_host_sni=reader.boolean("auto_host_sni"),
        auto_sni_san_validation=reader.boolean("auto_sni_san_validation"),
    )


def _decode_common(reader: Reader) -> CommonTlsConfig:
    config = CommonTlsConfig(alpn=reader.strings("alpn_protocols"))
    parameters = reader.object("tls_params")
    if parameters is not None:
        config = _with_parameters(config, parameters)
    for certificate in reader.objects("tls_certificates"):
        config = _with_certificate(config, certificate)
    names = tuple(secret_name(item) for item in reader.objects("tls_certificate_sds_secret_configs"))
    config = replace(config, certificate_secrets=config.certificate_secrets + names)
    return _with_validation(config, reader)


def _with_parameters(config: CommonTlsConfig, reader: Reader) -> CommonTlsConfig:
    # TlsParameters: TLS_AUTO is TLSv1_2 for a client's and a server's minimum, and TLSv1_3 for the maximum of a server
    # (TLSv1_2 of Envoy's client, whose reason, old servers, has passed).
    reader.ignore("ecdh_curves", "signature_algorithms")  # narrower than OpenSSL's own safe list; nothing is opened
    allowed = ("TLS_AUTO", *_OLD_VERSIONS, *TLS_VERSIONS)
    lowest = reader.enum("tls_minimum_protocol_version", allowed)
    highest = reader.enum("tls_maximum_protocol_version", allowed)
    if highest in _OLD_VERSIONS:
        reader.fail("tls_maximum_protocol_version", "TLS 1.2 is the oldest that this proxy speaks")
    return replace(
        config,
        # Who allows older versions still gets 1.2 at least.
        min_version=lowest if lowest in TLS_VERSIONS else "TLSv1_2",
        max_version="TLSv1_3" if highest == "TLS_AUTO" else highest,
        cipher_suites=_decode_cipher_suites(reader),
    )


def _decode_cipher_suites(reader: Reader) -> tuple[str, ...]:
    """`[A|B]` is BoringSSL's group of equal preference; its members are listed in turn here."""
    suites = reader.strings("cipher_suites")
    names = tuple(name for suite in suites for name in suite.strip("[]").split("|"))
    try:
        if names:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).set_ciphers(":".join(names))
    except ssl.SSLError:
        reader.fail("cipher_suites", f"OpenSSL knows none of {', '.join(names)}")
    return names


def _with_certificate(config: CommonTlsConfig, reader: Reader) -> CommonTlsConfig:
    chain, key = reader.required_object("certificate_chain"), reader.required_object("private_key")
    if "filename" in chain and "filename" in key:
        name = file_certificate(chain.required_string("filename"), key.required_string("filename"))
        for source in (chain, key):
            source.ignore("watched_directory")  # every file is watched
        return replace(config, certificate_secrets=(*config.certificate_secrets, name))
    return replace(config, certificates=(*config.certificates, _inline_certificate(reader, chain, key)))


def decode_certificate(reader: Reader) -> TlsCertificate:
    """Of TlsCertificate with inline data, whose chain and key belong together. Raises DecodeError."""
    return _inline_certificate(
        reader, reader.required_object("certificate_chain"), reader.required_object("private_key")
    )


def _inline_certificate(reader: Reader, chain: Reader, key: Reader) -> TlsCertificate:
    certificate = TlsCertificate(_decode_data(chain), _decode_data(key))
    _check(reader, "private_key", lambda: check_certificate(certificate))
    return certificate


def _with_validation(config: CommonTlsConfig, reader: Reader) -> CommonTlsConfig:
    match reader.oneof("validation_context", "validation_context_sds_secret_config", "combined_validation_context"):
        case "validation_context":
            return _with_validation_context(config, reader.required_object("validation_context"))
        case "validation_context_sds_secret_config":
            named = reader.required_object("validation_context_sds_secret_config")
            return replace(config, validation_secret=secret_name(named))
        case "combined_validation_context":
            combined = reader.required_object("combined_validation_context")
            config = _with_validation_context(config, combined.required_object("default_validation_context"))
            named = combined.required_object("validation_context_sds_secret_config")
            return replace(config, validation_secret=secret_name(named))
    return config


def _with_validation_context(config: CommonTlsConfig, reader: Reader) -> CommonTlsConfig:
    trusted = reader.object("trusted_ca")
    revoked = reader.object("crl")
    if trusted is not None and "filename" in trusted:
        for source in (trusted, revoked):
            if source is not None:
                source.ignore("watched_directory")  # every file is watched
        crl = revoked.required_string("filename") if revoked is not None else ""
        config = replace(config, validation_secret=file_root(trusted.required_string("filename"), crl))
        trusted = revoked = None
    return replace(config, validation=_decode_validation(reader, trusted, revoked))


def decode_validation(reader: Reader) -> CertificateValidation:
    """Of CertificateValidationContext with inline data. Raises DecodeError."""
    return _decode_validation(reader, reader.object("trusted_ca"), reader.object("crl"))


def _decode_validation(reader: Reader, trusted: Reader | None, revoked: Reader | None) -> CertificateValidation:
    pem = "" if trusted is None else _decode_data(trusted)
    if pem:
        _check(reader, "trusted_ca", lambda: check_trusted_ca(pem))
    crl = "" if revoked is None else _decode_data(revoked)
    if crl:
        _check(reader, "crl", lambda: check_crl(crl))
    chain = reader.enum("trust_chain_verification", ("VERIFY_TRUST_CHAIN", "ACCEPT_UNTRUSTED"))
    matchers = reader.objects("match_typed_subject_alt_names")
    return CertificateValidation(
        trusted_ca=pem,
        system_roots=reader.object("system_root_certs") is not None,
        subject_alt_names=tuple(_decode_san_matcher(matcher) for matcher in matchers),
        accept_untrusted=chain == "ACCEPT_UNTRUSTED",
        pins=_decode_pins(reader),
        crl=crl,
    )


def _decode_pins(reader: Reader) -> CertificatePins:
    """verify_certificate_hash is hexadecimal, with colons or without; verify_certificate_spki is base64."""
    return CertificatePins(
        frozenset(_decode_hash(reader, "verify_certificate_hash", _from_hexadecimal)),
        frozenset(_decode_hash(reader, "verify_certificate_spki", partial(b64decode, validate=True))),
    )


def _decode_hash(reader: Reader, key: str, decode: Callable[[str], bytes]) -> Iterator[bytes]:
    for text in reader.strings(key):
        try:
            digest = decode(text)
        except ValueError:
            digest = b""
        if len(digest) != sha256().digest_size:
            reader.fail(key, f"{text} is no SHA-256 hash")
        yield digest


def _from_hexadecimal(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _decode_san_matcher(reader: Reader) -> SubjectAltNameMatcher:
    san_type = reader.enum("san_type", _SAN_TYPES, default="")
    matcher = reader.required_object("matcher")
    kind: SanKind | None = next((kind for kind in get_args(SanKind) if kind in matcher), None)
    if kind is None or matcher.boolean("ignore_case"):
        matcher.fail(
            "ignore_case" if kind else "exact", f"must be one of {', '.join(get_args(SanKind))}, with its case"
        )
    return SubjectAltNameMatcher(san_type, matcher.required_string(kind), kind)


def secret_name(reader: Reader) -> str:
    """Of SdsSecretConfig. Where it comes from is not read: secrets come with the poll, or this proxy makes them."""
    reader.ignore("sds_config")
    return reader.required_string("name")


def _decode_data(reader: Reader) -> str:
    """Text of an envoy.config.core.v3.DataSource that is not a file."""
    match source := reader.oneof(*_DATA_SOURCES):
        case "inline_string":
            return reader.string("inline_string")
        case "inline_bytes":
            return _decode_base64(reader)
        case "environment_variable":
            return os.environ.get(reader.string("environment_variable"), "")
        case _:
            return reader.fail(source or "inline_string", "must be inline here, or chain and key both in files")


def _decode_base64(reader: Reader) -> str:
    try:
        return b64decode(reader.string("inline_bytes"), validate=True).decode("ascii")
    except ValueError:
        reader.fail("inline_bytes", "must be base64 of PEM")


def _check(reader: Reader, key: str, check: Callable[[], None]) -> None:
    try:
        check()
    except (ssl.SSLError, ValueError) as error:
        reader.fail(key, f"is not usable: {error}")


def _has_trust(common: CommonTlsConfig) -> bool:
    return bool(common.validation_secret) or (common.validation is not None and common.validation.is_verifying)
