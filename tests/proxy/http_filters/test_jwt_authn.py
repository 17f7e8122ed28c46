import json
from dataclasses import replace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from pymesh.errors import DecodeError
from pymesh.protojson import Reader
from pymesh.proxy.downstream.hcm_config import HttpFilterConfig
from pymesh.proxy.http_filters import jwt_authn
from pymesh.proxy.http_filters.jwt_authn import JwtAuthnConfig, decode_jwt_authn
from pymesh.proxy.matchers.metadata_matcher import MetadataMatcher, ValueMatcher
from pymesh.proxy.matchers.string_matcher import StringMatcher
from pymesh.proxy.telemetry.metric_names import JWT_ALLOWED, JWT_DENIED, JWT_PREFLIGHT_BYPASSED

KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = jwt.get_algorithm_by_name("ES256").to_jwk(KEY.public_key(), as_dict=True)
OPTIONAL = {"requires_any": {"requirements": [{"provider_name": "o"}, {"allow_missing": {}}]}}


def config(**provider: Any) -> dict[str, Any]:
    jwks = json.dumps({"keys": [PUBLIC]})
    return {
        "providers": {"o": {"issuer": "me", "local_jwks": {"inline_string": jwks}, **provider}},
        "rules": [{"match": {"prefix": "/"}, "requires": OPTIONAL}],
        "bypass_cors_preflight": True,
    }


def decode(value: dict[str, Any]) -> JwtAuthnConfig:
    reader = Reader(value)
    decoded = decode_jwt_authn(reader)
    reader.reject_unread()
    return decoded


def use(proxy: Any, **provider: Any) -> Any:
    item = HttpFilterConfig(jwt_authn.NAME, jwt_authn.FACTORY, decode(config(**provider)))
    proxy.route(proxy.forward(), filters=(item,))
    return proxy.connect()


def get(token: str = "", path: str = "/a", extra: str = "", method: str = "GET") -> bytes:
    bearer = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"{method} {path} HTTP/1.1\r\nHost: shop\r\n{bearer}{extra}\r\n".encode()


def sign(**claims: Any) -> str:
    return jwt.encode({"iss": "me", **claims}, KEY, "ES256")


def count(proxy: Any, metric: Any) -> int:
    return proxy.context.telemetry.metrics.counter(metric).value


async def test_a_bad_token_gets_envoys_401(proxy: Any) -> None:
    client = use(proxy)
    client.send(get(sign(iss="other")))
    head, _, body = client.received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
    assert body == b"Jwt issuer is not configured"
    assert b'www-authenticate: Bearer realm="http://shop/a", error="invalid_token"' in head
    assert proxy.info.response_code_details == "jwt_authn_access_denied{Jwt_issuer_is_not_configured}"
    assert (count(proxy, JWT_ALLOWED), count(proxy, JWT_DENIED)) == (0, 1)


async def test_a_token_for_somebody_else_gets_403(proxy: Any) -> None:
    client = use(proxy, audiences=["shop"])
    client.send(get(sign(aud="bank")))
    assert client.received.startswith(b"HTTP/1.1 403 ")
    assert client.received.endswith(b"Audiences in Jwt are not allowed")


async def test_a_good_token_goes_no_further_and_its_claims_are_known(proxy: Any) -> None:
    client = use(proxy, payload_in_metadata="payload")
    client.send(get(sign(sub="alice")))
    server = await proxy.server()
    assert b"authorization" not in server.received
    server.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert proxy.info.dynamic_metadata[jwt_authn.NAME] == {"payload": {"iss": "me", "sub": "alice"}}
    assert count(proxy, JWT_ALLOWED) == 1


async def test_a_token_in_the_query_goes_no_further(proxy: Any) -> None:
    client = use(proxy)
    client.send(get(path=f"/a?x=1&access_token={sign()}"))
    assert (await proxy.server()).received.startswith(b"GET /a?x=1 HTTP/1.1\r\n")


async def test_a_request_without_a_token_passes_without_the_headers_that_tokens_make(proxy: Any) -> None:
    client = use(proxy, claim_to_headers=[{"header_name": "X-User", "claim_name": "sub"}])
    client.send(get(extra="X-User: root\r\n"))
    assert b"x-user" not in (await proxy.server()).received


async def test_a_cors_preflight_needs_no_token(proxy: Any) -> None:
    client = use(proxy)
    origin = "Origin: a\r\nAccess-Control-Request-Method: GET\r\n"
    client.send(get("bad", method="OPTIONS", extra=origin))
    assert (await proxy.server()).received.startswith(b"OPTIONS /a ")
    assert count(proxy, JWT_PREFLIGHT_BYPASSED) == 1


async def test_a_route_may_be_chosen_by_a_claim_with_the_timeouts_of_that_route(proxy: Any) -> None:
    is_bob = ValueMatcher("string_match", StringMatcher("exact", "bob"))
    claim = MetadataMatcher(jwt_authn.NAME, ("payload", "sub"), is_bob)
    bobs = proxy.forward(cluster="bobs", idle_timeout=5.0)
    bobs = replace(bobs, name="bobs", match=replace(bobs.match, dynamic_metadata=(claim,)))
    proxy.add_cluster("bobs", "10.0.0.8:80")
    parsed = decode(config(payload_in_metadata="payload", clear_route_cache=True))
    item = HttpFilterConfig(jwt_authn.NAME, jwt_authn.FACTORY, parsed)
    proxy.route(bobs, proxy.forward(idle_timeout=1.0), filters=(item,))
    client = proxy.connect()
    client.send(get(sign(sub="bob")))
    assert (await proxy.server()).address == "10.0.0.8:80"
    proxy.clock.advance(4.0)
    assert client.received == b""
    proxy.clock.advance(2.0)
    assert client.received.startswith(b"HTTP/1.1 504 ")
    assert proxy.info.route_name == "bobs"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"providers": {"o": {"issuer": "x"}}}, "providers.o.local_jwks"),
        ({"rules": [{"requires": OPTIONAL}]}, "rules[0].match"),
        (
            {"rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "p"}}]},
            "rules[0].requires.provider_name: there is no provider 'p'",
        ),
        ({"rules": [{"match": {"prefix": "/"}, "requires": {}}]}, "rules[0].requires.requires_type"),
    ],
)
def test_a_bad_configuration_is_refused_with_its_path(change: Any, path: str) -> None:
    with pytest.raises(DecodeError) as raised:
        decode(config() | change)
    assert str(raised.value).startswith(path)
