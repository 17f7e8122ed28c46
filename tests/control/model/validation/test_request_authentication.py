"""Rules of RequestAuthentications: a spec, and what is said of it."""

import json
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

Check = Callable[[str, str], tuple[list[str], list[str]]]

_RSA = RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048).public_key(), as_dict=True)
_EC = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}


def rule(text: str) -> str:
    return "{jwtRules: [{issuer: a, " + text + "}]}"


def jwks(*keys: object) -> str:
    return rule("jwks: " + json.dumps(json.dumps({"keys": keys})))


@pytest.mark.parametrize(
    "spec",
    [
        "{}",
        "{jwtRules: [{jwksUri: 'https://a/'}]}",
        rule("jwksUri: 'https://a.example.com:8443/jwks'"),
        rule("fromHeaders: [{name: x-jwt, prefix: 'Bearer '}], fromParams: [token], fromCookies: [token]"),
        rule("outputPayloadToHeader: x-a, outputClaimToHeaders: [{header: x-b, claim: c.d}], timeout: 1s"),
        rule("forwardOriginalToken: true, audiences: [b]"),
        jwks(_RSA, _EC),
        jwks({"kty": "later", "x": 1}),
    ],
)
def test_what_istio_takes_is_taken(spec: str, check: Check) -> None:
    assert check("ra", spec) == ([], [])


@pytest.mark.parametrize(
    ("spec", "violations"),
    [
        ("{jwtRules: [{}]}", ["jwtRules[0].issuer: is required without jwksUri"]),
        (rule("jwksUri: ftp://a"), ["jwtRules[0].jwksUri: must be a URL with http or https, not 'ftp://a'"]),
        (
            rule("jwksUri: 'http://a:port/'"),
            ["jwtRules[0].jwksUri: must be a URL with http or https, not 'http://a:port/'"],
        ),
        (
            rule("jwksUri: 'http://a/', jwks: '{'"),
            [
                "jwtRules[0]: must have only one of jwks and jwksUri",
                "jwtRules[0].jwks: is not JSON: Expecting property name enclosed in double quotes: "
                "line 1 column 2 (char 1)",
            ],
        ),
        (
            rule("jwks: '[]'"),
            ['jwtRules[0].jwks: must be a JSON Web Key Set: {"keys": [...]} with at least one key'],
        ),
        (jwks({"n": "a"}), ["jwtRules[0].jwks: keys[0] must be an object with kty"]),
        (
            jwks({**_EC, "d": "secret"}),
            ["jwtRules[0].jwks: keys[0] is a private key; only the public part may stand here"],
        ),
        (
            rule("audiences: [''], fromParams: [''], fromCookies: [''], fromHeaders: [{}]"),
            [
                "jwtRules[0].audiences[0]: must not be empty",
                "jwtRules[0].fromParams[0]: must not be empty",
                "jwtRules[0].fromCookies[0]: must not be empty",
                "jwtRules[0].fromHeaders[0].name: is required",
            ],
        ),
        (
            rule("outputClaimToHeaders: [{header: 'a b'}], timeout: 0s"),
            [
                "jwtRules[0].outputClaimToHeaders[0].claim: is required",
                "jwtRules[0].outputClaimToHeaders[0].header: 'a b' is not a name of letters, digits, '-' and '_'",
                "jwtRules[0].timeout: must be whole milliseconds, >= 1ms",
            ],
        ),
    ],
)
def test_what_istio_refuses_is_refused_with_the_path(spec: str, violations: list[str], check: Check) -> None:
    assert check("ra", spec)[0] == violations


@pytest.mark.parametrize("key", [{"kty": "RSA", "e": "AQAB"}, {**_EC, "x": "AA"}, {**_RSA, "n": 5}])
def test_a_broken_key_is_refused(key: object, check: Check) -> None:
    (violation,) = check("ra", jwks(_RSA, key))[0]
    assert violation.startswith("jwtRules[0].jwks: keys[1] is not a key: ")
