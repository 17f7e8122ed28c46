"""A JSON Web Key Set, and whether one of its keys made a signature. RFC 7517 and 7518."""

import json
from functools import lru_cache
from typing import Any, NamedTuple

from pymesh.proxy.jwt_verify.status import Status
from pymesh.proxy.jwt_verify.token import Token

# Which keys an algorithm takes: kty, and the curve where it has one.
_ELLIPTIC = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_KEY_TYPES = {"R": "RSA", "P": "RSA", "H": "oct"}  # by the first letter of the algorithm


class Key(NamedTuple):
    """`handle` is what cryptography has made of it; empty texts are not given."""

    kind: str
    curve: str
    key_id: str
    algorithm: str
    handle: Any

    def fits(self, algorithm: str) -> bool:
        if algorithm in _ELLIPTIC:
            return self.kind == "EC" and self.curve == _ELLIPTIC[algorithm]
        return self.kind == ("OKP" if algorithm == "EdDSA" else _KEY_TYPES[algorithm[0]])


class KeySet:
    """Keys that are broken, or of a kind that nobody here knows, are left out."""

    def __init__(self, keys: tuple[Key, ...], algorithms: dict[str, Any]) -> None:
        self._keys = keys
        self._algorithms = algorithms

    def verify(self, token: Token) -> Status:
        """One key is enough. Envoy: verifyJwtWithoutTimeChecking."""
        if not self._keys:
            return Status.NO_VALID_KEYS
        matching = [key for key in self._keys if _matches(key, token)]
        if not matching:
            return Status.NO_MATCHING_KEY
        return Status.OK if any(self._has_signed(key, token) for key in matching) else Status.VERIFICATION_FAILS

    def _has_signed(self, key: Key, token: Token) -> bool:
        if not key.fits(token.algorithm):
            return False
        has_signed: bool = self._algorithms[token.algorithm].verify(token.signed, key.handle, token.signature)
        return has_signed


@lru_cache(maxsize=64)
def read_key_set(text: str) -> KeySet:
    """What is no key set at all has no valid key."""
    import jwt  # with it comes cryptography

    try:
        value = json.loads(text)
    except ValueError:
        value = None
    keys = value.get("keys") if isinstance(value, dict) else None
    found = (_read_key(key, jwt) for key in (keys if isinstance(keys, list) else ()))
    return KeySet(tuple(key for key in found if key is not None), jwt.algorithms.get_default_algorithms())


def _matches(key: Key, token: Token) -> bool:
    has_id = not key.key_id or not token.key_id or key.key_id == token.key_id
    return has_id and key.algorithm in ("", token.algorithm)


def _read_key(value: Any, jwt: Any) -> Key | None:
    if not isinstance(value, dict):
        return None
    try:
        handle = jwt.PyJWK(value).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    kind, curve, key_id, algorithm = (str(value.get(name, "")) for name in ("kty", "crv", "kid", "alg"))
    return Key(kind, curve, key_id, algorithm, handle)
