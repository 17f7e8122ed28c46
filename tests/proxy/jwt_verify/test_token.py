import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest

from pymesh.proxy.jwt_verify.status import Status
from pymesh.proxy.jwt_verify.token import TokenError, parse_token


def part(value: Any) -> bytes:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(data).rstrip(b"=")


def token(payload: Any = None, header: Any = None, signature: bytes = b"c2ln") -> bytes:
    return b".".join((part(header or {"alg": "RS256"}), part({} if payload is None else payload), signature))


def test_a_token_says_who_made_it_for_whom_and_until_when() -> None:
    claims = {"iss": "me", "sub": "a", "aud": ["x", "y"], "exp": 20, "nbf": 10}
    parsed = parse_token(token(claims, {"alg": "ES256", "kid": "k"}))
    assert (parsed.algorithm, parsed.key_id, parsed.issuer) == ("ES256", "k", "me")
    assert (parsed.audiences, parsed.not_before, parsed.expires) == (("x", "y"), 10, 20)
    assert (parsed.payload, parsed.signature) == (claims, b"sig")


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"a.b", Status.BAD_FORMAT),
        (b"a.b.c.d", Status.BAD_FORMAT),
        (b"!.e30.e30", Status.HEADER_BAD_BASE64),
        (b"a.e30.e30", Status.HEADER_BAD_BASE64),
        (part(b"{") + b".e30.e30", Status.HEADER_BAD_JSON),
        (part([1]) + b".e30.e30", Status.HEADER_BAD_JSON),
        (token(header={"kid": "x"}), Status.HEADER_BAD_ALG),
        (token(header={"alg": "none"}), Status.HEADER_UNKNOWN_ALG),
        (token(header={"alg": "HS256", "kid": 1}), Status.HEADER_BAD_KID),
        (part({"alg": "HS256"}) + b".e30==.e30=x", Status.SIGNATURE_BAD_BASE64),
        (part({"alg": "HS256"}) + b"..e30", Status.BAD_FORMAT),
        (token({"exp": -1}), Status.EXP_OUT_OF_RANGE),
        (token(b"["), Status.PAYLOAD_BAD_JSON),
        (token({"iss": 1}), Status.ISS_NOT_STRING),
        (token({"sub": 1}), Status.SUB_NOT_STRING),
        (token({"exp": "soon"}), Status.EXP_NOT_INTEGER),
        (token({"nbf": True}), Status.NBF_NOT_INTEGER),
        (token({"aud": [1]}), Status.AUD_NOT_STRING),
        (token(signature=b"%"), Status.SIGNATURE_BAD_BASE64),
    ],
)
def test_what_is_no_token_is_refused_with_the_reason(text: bytes, status: Status) -> None:
    with pytest.raises(TokenError) as raised:
        parse_token(text)
    assert raised.value.status is status


@pytest.mark.parametrize(
    ("now", "status"),
    [(939, Status.NOT_YET_VALID), (940, Status.OK), (2060, Status.OK), (2061, Status.EXPIRED)],
)
def test_clocks_may_differ_by_a_minute(now: int, status: Status) -> None:
    assert parse_token(token({"nbf": 1000, "exp": 2000})).check_time(now, 60) is status
