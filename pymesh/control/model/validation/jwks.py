"""Rules of a JSON Web Key Set that stands in a rule: keys that can verify a signature. RFC 7517 and 7518."""

from typing import Any

from pymesh.control.model.document import DocumentError, read_json
from pymesh.control.model.scope import Scope


def check_jwks(text: str, at: Scope) -> None:
    """Keys of a kind that PyJWT does not know are taken, as other proxies may; what is broken is not."""
    try:
        value = read_json(text)
    except DocumentError as error:
        at.fail(str(error))
        return
    keys = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(keys, list) or not keys:
        at.fail('must be a JSON Web Key Set: {"keys": [...]} with at least one key')
        return
    for index, key in enumerate(keys):
        _check_key(key, index, at)


def _check_key(key: Any, index: int, at: Scope) -> None:
    if not isinstance(key, dict) or not isinstance(key.get("kty"), str):
        at.fail(f"keys[{index}] must be an object with kty")
        return
    at.require("d" not in key, f"keys[{index}] is a private key; only the public part may stand here")
    if key["kty"] not in ("RSA", "EC", "OKP"):
        return
    import jwt  # with `cryptography`, for which a mesh without keys should not wait

    try:
        jwt.PyJWK({name: item for name, item in key.items() if name != "d"})
    except (jwt.PyJWTError, ValueError, TypeError, KeyError) as error:
        at.fail(f"keys[{index}] is not a key: {' '.join(str(error).split()) or type(error).__name__}")
