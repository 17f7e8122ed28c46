"""The key set that stands for keys which could not be fetched: no token fits it.

Its one key is a point of the curve P-256 that is found by hashing, so that nobody knows the private key. (Istio's own,
an RSA modulus made of the URI, is refused by Envoy where it is short, and can be factored.)
"""

import json
from base64 import urlsafe_b64encode
from hashlib import sha256
from itertools import count

# FIPS 186-4 D.1.2.3
_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B


def build_missing_jwks(uri: str) -> str:
    """The key's id says what is missing, for who looks at the configuration."""
    name = f"Error-FailedToFetchJwksUri-{uri}"
    x, y = _point(name)
    key = {"kty": "EC", "crv": "P-256", "kid": name, "x": _coordinate(x), "y": _coordinate(y)}
    return json.dumps({"keys": [key]})


def _point(name: str) -> tuple[int, int]:
    for attempt in count():
        x = int.from_bytes(sha256(f"{attempt} {name}".encode()).digest()) % _P
        square = (x * x * x - 3 * x + _B) % _P
        y = pow(square, (_P + 1) // 4, _P)
        if y * y % _P == square:
            return x, y
    raise AssertionError  # every second number is a coordinate


def _coordinate(value: int) -> str:
    return urlsafe_b64encode(value.to_bytes(32)).rstrip(b"=").decode()
