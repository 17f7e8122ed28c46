"""An issuer with keys of every kind."""

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa


class Issuer:
    """Signs tokens; `jwks` are the public keys, whose ids are their algorithms."""

    def __init__(self) -> None:
        rsa_key = rsa.generate_private_key(65537, 2048)
        self.keys: dict[str, Any] = {
            "RS256": rsa_key,
            "PS512": rsa_key,
            "ES256": ec.generate_private_key(ec.SECP256R1()),
            "ES512": ec.generate_private_key(ec.SECP521R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate(),
        }
        self.jwks = json.dumps({"keys": [self._public(name) for name in self.keys]})

    def sign(self, algorithm: str = "ES256", key_id: str | None = None, **claims: Any) -> str:
        headers = {"kid": algorithm if key_id is None else key_id}
        return jwt.encode({"iss": "me", "sub": "alice", **claims}, self.keys[algorithm], algorithm, headers)

    def _public(self, name: str) -> dict[str, Any]:
        algorithm = jwt.get_algorithm_by_name(name)
        return {**algorithm.to_jwk(self.keys[name].public_key(), as_dict=True), "kid": name}


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    return Issuer()
