"""The CA's key files: made once, read ever after, for nobody else's eyes."""

import logging
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pymesh.errors import UsageError
from pymesh.state_dir import write_private

log = logging.getLogger(__name__)


def load_or_create_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The ECDSA P-256 key of the file, which is made where it is missing. Raises UsageError."""
    if not path.exists():
        write_private(path, private_pem(ec.generate_private_key(ec.SECP256R1())))
    return _load_key(path)


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        _restrict(path)
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        raise UsageError(f"{path}: is not a private key: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise UsageError(f"{path}: is not an ECDSA P-256 key")
    return key


def _restrict(path: Path) -> None:
    """A copied or restored key file may have lost its mode."""
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        log.warning("%s had mode %o, is now 600", path, mode)
        path.chmod(0o600)
