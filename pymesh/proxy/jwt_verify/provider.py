"""A provider: an issuer, its keys, and what of its tokens reaches the application. Envoy: authenticator.cc."""

import json
from base64 import b64encode
from dataclasses import dataclass
from typing import Any, NamedTuple

from pymesh.proxy.jwt_verify.key_set import read_key_set
from pymesh.proxy.jwt_verify.locations import Location
from pymesh.proxy.jwt_verify.status import Status
from pymesh.proxy.jwt_verify.token import Token, parse_token

# Verified tokens that are remembered, so that a signature is checked once.
_CACHE_SIZE = 1000
_DEFAULT_SKEW = 60.0


class ClaimHeader(NamedTuple):
    """`claim` may be `a.b`: b inside of a."""

    header: str
    claim: str


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """An empty issuer is any. `clock_skew` is seconds. `space_delimited`: claims whose string is a list."""

    issuer: str = ""
    audiences: tuple[str, ...] = ()
    jwks: str = ""
    locations: tuple[Location, ...] = ()
    is_forwarded: bool = False
    payload_header: str = ""
    pads_payload: bool = False
    claim_headers: tuple[ClaimHeader, ...] = ()
    payload_key: str = ""
    space_delimited: tuple[str, ...] = ()
    requires_expiration: bool = False
    clears_route_cache: bool = False
    clock_skew: float = _DEFAULT_SKEW


class Provider:
    def __init__(self, config: ProviderConfig) -> None:
        self.config = config
        self._keys = read_key_set(config.jwks)
        self._audiences = frozenset(map(_plain_audience, config.audiences))
        self._verified: dict[bytes, Token] = {}

    def read(self, text: bytes) -> Token:
        """Perhaps not verified yet. Raises TokenError."""
        return self._verified.get(text) or parse_token(text)

    def verify(self, text: bytes, token: Token, now: float) -> Status:
        """`token` is what was read of `text`."""
        is_known = text in self._verified
        status = self._check(token, now)
        if status is Status.OK and not is_known:
            status = self._keys.verify(token)
        if status is not Status.OK:
            self._verified.pop(text, None)
        elif not is_known:
            self._remember(text, token)
        return status

    def metadata(self, token: Token) -> dict[str, Any]:
        """The claims as other filters find them."""
        split = {
            name: token.payload[name].split()
            for name in self.config.space_delimited
            if isinstance(token.payload.get(name), str)
        }
        return {**token.payload, **split}

    def _check(self, token: Token, now: float) -> Status:
        if self.config.requires_expiration and not token.expires:
            return Status.EXPIRED
        status = token.check_time(now, self.config.clock_skew)
        return Status.AUDIENCE_NOT_ALLOWED if status is Status.OK and not self._is_for_us(token) else status

    def _is_for_us(self, token: Token) -> bool:
        return not self._audiences or not self._audiences.isdisjoint(map(_plain_audience, token.audiences))

    def _remember(self, text: bytes, token: Token) -> None:
        if len(self._verified) >= _CACHE_SIZE:
            del self._verified[next(iter(self._verified))]
        self._verified[text] = token


def claim_text(payload: dict[str, Any], path: str) -> str:
    """A claim as a header's value: lists and objects are JSON in base64.

    Empty where there is none, or nothing that a header can hold.
    """
    value: Any = payload
    for key in [path] if path in payload else path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, list | dict):
        return b64encode(json.dumps(value, separators=(",", ":")).encode()).decode()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number(value)
    return value if isinstance(value, str) and value.isprintable() else ""


def _number(value: float) -> str:
    """Envoy: convertClaimDoubleToString."""
    return str(int(value)) if 0 <= value < 2**64 and value == int(value) else f"{value:.6f}"


def _plain_audience(audience: str) -> str:
    """Envoy compares audiences without their scheme and a slash at the end."""
    return audience.removeprefix("http://").removeprefix("https://").removesuffix("/")
