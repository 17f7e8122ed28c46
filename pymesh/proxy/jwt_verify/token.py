"""A JSON Web Token in its parts, unverified. RFC 7519."""

import json
import re
from binascii import Error as BinasciiError
from binascii import a2b_base64
from dataclasses import dataclass
from typing import Any

from pymesh.proxy.jwt_verify.status import Status

# RFC 7518 3.1, as far as Envoy knows them.
ALGORITHMS = frozenset(
    (
        *("ES256", "ES384", "ES512", "HS256", "HS384", "HS512"),
        *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA"),
    )
)
_BASE64URL = re.compile(rb"([A-Za-z0-9_-]*)={0,2}")
# What is told of a time that is no number, and of one that is out of range.
_TIMES = {
    "iat": (Status.IAT_NOT_INTEGER, Status.IAT_OUT_OF_RANGE),
    "nbf": (Status.NBF_NOT_INTEGER, Status.NBF_OUT_OF_RANGE),
    "exp": (Status.EXP_NOT_INTEGER, Status.EXP_OUT_OF_RANGE),
}


@dataclass(frozen=True, slots=True)
class Token:
    """`payload_text` and `signed` are as they came. Times are seconds since the epoch; 0: none is given."""

    algorithm: str
    key_id: str
    payload: dict[str, Any]
    payload_text: bytes
    signed: bytes
    signature: bytes
    issuer: str = ""
    audiences: tuple[str, ...] = ()
    not_before: int = 0
    expires: int = 0

    def check_time(self, now: float, skew: float) -> Status:
        if now + skew < self.not_before:
            return Status.NOT_YET_VALID
        return Status.EXPIRED if self.expires and now > self.expires + skew else Status.OK


class TokenError(Exception):
    """Not a token, for the reason of `status`."""

    def __init__(self, status: Status) -> None:
        super().__init__(status)
        self.status = status


def parse_token(text: bytes) -> Token:
    """Raises TokenError with Envoy's reason."""
    parts = text.split(b".")
    if len(parts) != 3 or not all(parts):
        raise TokenError(Status.BAD_FORMAT)
    header = _object(parts[0], Status.HEADER_BAD_BASE64, Status.HEADER_BAD_JSON)
    algorithm, key_id = header.get("alg"), header.get("kid", "")
    if not isinstance(algorithm, str):
        raise TokenError(Status.HEADER_BAD_ALG)
    if algorithm not in ALGORITHMS:
        raise TokenError(Status.HEADER_UNKNOWN_ALG)
    if not isinstance(key_id, str):
        raise TokenError(Status.HEADER_BAD_KID)
    payload = _object(parts[1], Status.PAYLOAD_BAD_BASE64, Status.PAYLOAD_BAD_JSON)
    issuer = _text(payload, "iss", Status.ISS_NOT_STRING)
    _text(payload, "sub", Status.SUB_NOT_STRING)
    times = {name: _time(payload, name, *statuses) for name, statuses in _TIMES.items()}
    return Token(
        algorithm=algorithm,
        key_id=key_id,
        payload=payload,
        payload_text=parts[1],
        signed=parts[0] + b"." + parts[1],
        signature=_decode(parts[2], Status.SIGNATURE_BAD_BASE64),
        issuer=issuer,
        audiences=_audiences(payload),
        not_before=times["nbf"],
        expires=times["exp"],
    )


def _decode(text: bytes, status: Status) -> bytes:
    """RFC 7515 2: base64url without padding, which Envoy lets pass."""
    match = _BASE64URL.fullmatch(text)
    if match is None:
        raise TokenError(status)
    plain = match[1]
    try:
        return a2b_base64(plain.replace(b"-", b"+").replace(b"_", b"/") + b"=" * (-len(plain) % 4))
    except BinasciiError:
        raise TokenError(status) from None


def _object(text: bytes, bad_base64: Status, bad_json: Status) -> dict[str, Any]:
    data = _decode(text, bad_base64)
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise TokenError(bad_json) from None
    if not isinstance(value, dict):
        raise TokenError(bad_json)
    return value


def _text(payload: dict[str, Any], name: str, status: Status) -> str:
    value = payload.get(name, "")
    if not isinstance(value, str):
        raise TokenError(status)
    return value


def _time(payload: dict[str, Any], name: str, no_number: Status, out_of_range: Status) -> int:
    value = payload.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenError(no_number)
    if not 0 <= value < 2**63:
        raise TokenError(out_of_range)
    return int(value)


def _audiences(payload: dict[str, Any]) -> tuple[str, ...]:
    value = payload.get("aud", [])
    audiences = value if isinstance(value, list) else [value]
    if not all(isinstance(audience, str) for audience in audiences):
        raise TokenError(Status.AUD_NOT_STRING)
    return tuple(audiences)
