"""Secrets that are PEM files of this machine: `file-cert:<chain>~<key>`, `file-root:<bundle>`, `file-root:system`.

Istio's names (`security.SdsCertificateConfig`); `file-root:<bundle>~<revocation lists>` is our own.
Files are read when they are asked for, and again once they changed.
"""

import logging
import os
import ssl
from pathlib import Path

from pymesh.proxy.tls.certificates import CertificateValidation, SecretConfig, TlsCertificate
from pymesh.proxy.tls.context_builder import check_certificate, check_crl, check_trusted_ca

log = logging.getLogger(__name__)

_CERT, _ROOT = "file-cert:", "file-root:"
SYSTEM_ROOTS = "file-root:system"

_Stamp = tuple[int, int, int]


def is_file_secret(name: str) -> bool:
    return name.startswith((_CERT, _ROOT))


def file_certificate(chain: str, key: str) -> str:
    """The name of the secret in these two files."""
    return f"{_CERT}{chain}~{key}"


def file_root(path: str, crl: str = "") -> str:
    return f"{_ROOT}{path}~{crl}" if crl else f"{_ROOT}{path}"


class FileSecrets:
    """What was read, with the state of the files then. Bounded by the configuration that names them."""

    def __init__(self) -> None:
        self._loaded: dict[str, SecretConfig | None] = {}
        self._stamps: dict[str, _Stamp | None] = {}

    def load(self, name: str) -> SecretConfig | None:
        """None, and a line in the log, where a file is missing or is no PEM of its kind."""
        if name not in self._loaded:
            self._stamps.update({path: _stamp(path) for path in _paths(name)})
            self._loaded[name] = _read(name)
        return self._loaded[name]

    def has_changed(self) -> bool:
        """Forgets what was read of files that are not what they were."""
        changed = {path for path, stamp in self._stamps.items() if _stamp(path) != stamp}
        for name in [name for name in self._loaded if changed.intersection(_paths(name))]:
            del self._loaded[name]
        return bool(changed)


def _read(name: str) -> SecretConfig | None:
    if name == SYSTEM_ROOTS:
        return SecretConfig(name, validation=CertificateValidation(system_roots=True))
    try:
        texts = [Path(path).read_text(encoding="ascii") for path in _paths(name)]
        return _secret(name, texts)
    except (OSError, ValueError, ssl.SSLError) as error:
        log.warning("secret %s cannot be read: %s", name, error)
        return None


def _secret(name: str, texts: list[str]) -> SecretConfig:
    if name.startswith(_ROOT):
        return SecretConfig(name, validation=_validation(*texts))
    certificate = TlsCertificate(texts[0], texts[1])
    check_certificate(certificate)
    return SecretConfig(name, tls_certificate=certificate)


def _validation(trusted_ca: str, crl: str = "") -> CertificateValidation:
    check_trusted_ca(trusted_ca)
    if crl:
        check_crl(crl)
    return CertificateValidation(trusted_ca=trusted_ca, crl=crl)


def _paths(name: str) -> list[str]:
    """Of `file-cert:chain~key` both; one that has no `~` holds chain and key in one file."""
    if name == SYSTEM_ROOTS:
        return []
    if name.startswith(_ROOT):
        return name.removeprefix(_ROOT).split("~")
    chain, _, key = name.removeprefix(_CERT).partition("~")
    return [chain, key or chain]


def _stamp(path: str) -> _Stamp | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
