"""SSL contexts made of plain values, and shared by content. No config, no names of secrets."""

import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from hashlib import sha256
from weakref import WeakValueDictionary

from pymesh.proxy.tls.certificates import TlsCertificate

_VERSIONS = {
    "TLSv1_2": ssl.TLSVersion.TLSv1_2,
    "TLSv1_3": ssl.TLSVersion.TLSv1_3,
}
TLS_VERSIONS = tuple(_VERSIONS)

# A context lives as long as a listener, a cluster or a connection that uses it.
_contexts: WeakValueDictionary[bytes, ssl.SSLContext] = WeakValueDictionary()


@dataclass(frozen=True, slots=True)
class ContextSpec:
    """All that a context depends on. `verify`: what the peer's certificate must be."""

    is_server: bool
    certificates: tuple[TlsCertificate, ...] = ()
    trusted_ca: str = ""
    system_roots: bool = False
    verify: ssl.VerifyMode = ssl.CERT_NONE
    alpn: tuple[str, ...] = ()
    min_version: str = "TLSv1_2"
    max_version: str = "TLSv1_3"
    cipher_suites: tuple[str, ...] = ()
    crl: str = ""


def cached_context(spec: ContextSpec) -> ssl.SSLContext:
    """The context of this content. Raises ssl.SSLError where a certificate or key is unusable."""
    digest = sha256(repr(astuple(spec)).encode()).digest()
    context = _contexts.get(digest)
    if context is None:
        context = _contexts[digest] = build_context(spec)
    return context


def build_context(spec: ContextSpec) -> ssl.SSLContext:
    """TLS 1.2 or later. Names are not checked here: check_hostname is off."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if spec.is_server else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = _VERSIONS[spec.min_version]
    context.maximum_version = _VERSIONS[spec.max_version]
    context.check_hostname = False
    context.verify_mode = spec.verify
    # As Envoy: an intermediate CA may be the anchor that is trusted.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    _set_trust(context, spec)
    # OpenSSL keeps one for each kind of key, the last one; Envoy's default is the first one.
    for certificate in reversed(spec.certificates):
        _load_certificate(context, certificate)
    if spec.alpn:
        context.set_alpn_protocols(list(spec.alpn))
    if spec.cipher_suites:
        context.set_ciphers(":".join(spec.cipher_suites))
    if spec.is_server and spec.verify == ssl.CERT_REQUIRED:
        _disable_resumption(context)
    return context


def check_certificate(certificate: TlsCertificate) -> None:
    """Raises ssl.SSLError or ValueError where the chain or the key is no PEM, or they do not belong together."""
    _load_certificate(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), certificate)


def check_trusted_ca(pem: str) -> None:
    """Raises ssl.SSLError or ValueError where this is not at least one certificate in PEM."""
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)


def check_crl(pem: str) -> None:
    """Raises ssl.SSLError or ValueError where this is not at least one revocation list in PEM."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _load_crl(context, pem)
    if not context.cert_store_stats()["crl"]:
        raise ValueError("there is no revocation list in it")


def _load_crl(context: ssl.SSLContext, pem: str) -> None:
    with _as_file(pem) as path:
        context.load_verify_locations(cafile=path)


def _set_trust(context: ssl.SSLContext, spec: ContextSpec) -> None:
    if spec.trusted_ca:
        context.load_verify_locations(cadata=spec.trusted_ca)
    if spec.system_roots:
        context.set_default_verify_paths()
    if spec.crl:
        _load_crl(context, spec.crl)
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN


def _disable_resumption(context: ssl.SSLContext) -> None:
    """A mesh peer proves its certificate on every connection, so that an expired one is not resumed; and our own
    clients never resume, so tickets would be sent for nothing."""
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET


def _load_certificate(context: ssl.SSLContext, certificate: TlsCertificate) -> None:
    with _as_file(certificate.certificate_chain) as chain, _as_file(certificate.private_key) as key:
        context.load_cert_chain(chain, key, password=_refuse_password)


def _refuse_password() -> str:
    # Without this OpenSSL would ask at the terminal.
    raise ValueError("the private key is encrypted")


@contextlib.contextmanager
def _as_file(text: str) -> Iterator[str]:
    """A path at which OpenSSL can read the text. In memory where there are memfds, else a file with mode 0600; gone at
    the end either way."""
    if not hasattr(os, "memfd_create") or not os.path.isdir("/proc/self/fd"):
        with tempfile.NamedTemporaryFile("w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            yield file.name
        return
    descriptor = os.memfd_create("pem")
    try:
        with os.fdopen(os.dup(descriptor), "w", encoding="ascii") as file:
            file.write(text)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
