import json
from typing import Any

import pytest

from pymesh.proxy.jwt_verify.key_set import read_key_set
from pymesh.proxy.jwt_verify.status import Status
from pymesh.proxy.jwt_verify.token import parse_token


def verify(jwks: str, text: str) -> Status:
    return read_key_set(jwks).verify(parse_token(text.encode()))


@pytest.mark.parametrize("algorithm", ["RS256", "PS512", "ES256", "ES512", "EdDSA"])
def test_a_signature_of_each_kind_is_verified(issuer: Any, algorithm: str) -> None:
    good = issuer.sign(algorithm)
    assert verify(issuer.jwks, good) is Status.OK
    head, _, signature = good.split(".")
    other_payload = issuer.sign(algorithm, admin=True).split(".")[1]
    assert verify(issuer.jwks, f"{head}.{other_payload}.{signature}") is Status.VERIFICATION_FAILS


def test_without_a_key_id_every_key_is_tried(issuer: Any) -> None:
    assert verify(issuer.jwks, issuer.sign("ES256", key_id="")) is Status.OK


def test_a_key_id_that_nobody_has_is_told(issuer: Any) -> None:
    assert verify(issuer.jwks, issuer.sign("ES256", key_id="other")) is Status.NO_MATCHING_KEY


def test_a_public_key_is_no_secret_of_a_symmetric_algorithm(issuer: Any) -> None:
    """Or everybody could sign: the public key is known."""
    import jwt

    forged = jwt.encode({"iss": "me"}, "a secret that is long enough for it", "HS256", {"kid": "RS256"})
    assert verify(issuer.jwks, forged) is Status.VERIFICATION_FAILS


@pytest.mark.parametrize("jwks", ["", "[]", "{}", '{"keys": [{}, 1, {"kty": "RSA", "n": "x"}]}'])
def test_broken_keys_are_left_out(issuer: Any, jwks: str) -> None:
    assert verify(jwks, issuer.sign()) is Status.NO_VALID_KEYS


def test_one_broken_key_does_not_spoil_the_others(issuer: Any) -> None:
    keys = json.loads(issuer.jwks)["keys"]
    assert verify(json.dumps({"keys": [{"kty": "?"}, *keys]}), issuer.sign()) is Status.OK
