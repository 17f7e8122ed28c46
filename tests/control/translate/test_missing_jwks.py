import json

import jwt

from pymesh.control.translate.missing_jwks import build_missing_jwks


def test_the_key_is_one_that_libraries_take_and_says_what_is_missing() -> None:
    (key,) = json.loads(build_missing_jwks("https://issuer/keys"))["keys"]
    assert jwt.PyJWK(key).key_type == "EC"  # it lies on the curve
    assert key["kid"].endswith("-https://issuer/keys")


def test_it_is_the_same_each_time() -> None:
    assert build_missing_jwks("a") == build_missing_jwks("a") != build_missing_jwks("b")
