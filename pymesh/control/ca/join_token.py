"""Join tokens: what a workload shows once, to get its first certificate. JWTs that only this CA signs and reads."""

import re
import time
from collections.abc import Callable
from typing import Any

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from pymesh.errors import PymeshError

ANY = "*"
DEFAULT_TTL = 3600.0  # seconds; istioctl's token default

_ISSUER = "pymesh"
_ALGORITHM = "ES256"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


class TokenError(PymeshError):
    """The token is not ours, is over, or names nobody."""


class JoinToken(msgspec.Struct, frozen=True):
    """Whom the bearer may be; `*` stands for any namespace or service account."""

    namespace: str
    service_account: str

    def allows(self, namespace: str, service_account: str) -> bool:
        return self.namespace in (ANY, namespace) and self.service_account in (ANY, service_account)


class TokenAuthority:
    """Mints and verifies. `clock` tells seconds since the epoch; `ca_sha256` goes into every token, so that the bearer
    knows the mesh's root when it first meets it."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, ca_sha256: str, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._ca_sha256 = ca_sha256
        self._clock = clock

    def mint(self, namespace: str, service_account: str, ttl: float = DEFAULT_TTL) -> str:
        """Raises TokenError where a name cannot stand in an identity."""
        for name in (namespace, service_account):
            if name != ANY and not is_name(name):
                raise TokenError(f"{name!r} is not a name of lower-case letters, digits, '-' and '.'")
        now = int(self._clock())
        claims = {"iss": _ISSUER, "ns": namespace, "sa": service_account, "iat": now, "exp": now + int(ttl)}
        return jwt.encode(claims | {"ca_sha256": self._ca_sha256}, self._key, algorithm=_ALGORITHM)

    def verify(self, token: str) -> JoinToken:
        """Raises TokenError."""
        try:
            claims = jwt.decode(
                token,
                self._key.public_key(),
                algorithms=[_ALGORITHM],
                issuer=_ISSUER,
                # The time is compared below, with our clock.
                options={"verify_exp": False, "verify_iat": False, "require": ["exp", "iss"]},
            )
        except jwt.InvalidTokenError as error:
            raise TokenError(f"the join token is not valid: {error}") from error
        return self._decode(claims)

    def _decode(self, claims: dict[str, Any]) -> JoinToken:
        expiry, namespace, account = claims["exp"], claims.get("ns"), claims.get("sa")
        if not isinstance(expiry, int) or expiry <= self._clock():
            raise TokenError("the join token has expired")
        if not isinstance(namespace, str) or not isinstance(account, str):
            raise TokenError("the join token names no namespace and service account")
        return JoinToken(namespace, account)


def is_name(text: str) -> bool:
    """A name that may stand in a SPIFFE ID: a DNS subdomain, as Kubernetes demands of service accounts."""
    return _NAME.fullmatch(text) is not None
