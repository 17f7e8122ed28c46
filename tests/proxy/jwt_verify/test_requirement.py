from types import SimpleNamespace
from typing import Any

import pytest

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.jwt_verify.locations import Location
from pymesh.proxy.jwt_verify.provider import ClaimHeader, Provider, ProviderConfig
from pymesh.proxy.jwt_verify.requirement import (
    AllOf,
    AllowMissing,
    AnyOf,
    ByProvider,
    Requirement,
    Verification,
    compile_requirement,
)
from pymesh.proxy.jwt_verify.status import Status

OPTIONAL = AnyOf((ByProvider("me"), AllowMissing()))
NOW = 1_000_000.0


def request(*tokens: str, path: bytes = b"/", **headers: str) -> Any:
    pairs = [("authorization", f"Bearer {token}") for token in tokens] + list(headers.items())
    return SimpleNamespace(path=path, headers=HeaderMap((name.encode(), value.encode()) for name, value in pairs))


def verify(requirement: Requirement, carrier: Any, *configs: ProviderConfig) -> tuple[Status, dict[str, Any]]:
    providers = {config.issuer: Provider(config) for config in configs}
    metadata: dict[str, Any] = {}
    return compile_requirement(requirement, providers, ())(Verification(carrier, NOW, metadata)), metadata


def test_without_a_token_an_optional_one_is_missing_and_a_required_one_missed(issuer: Any) -> None:
    me = ProviderConfig("me", jwks=issuer.jwks)
    assert verify(OPTIONAL, request(), me)[0] is Status.OK
    assert verify(ByProvider("me"), request(), me)[0] is Status.MISSED


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({}, Status.OK),
        ({"iss": "other"}, Status.UNKNOWN_ISSUER),
        ({"exp": 10}, Status.EXPIRED),
        ({"aud": "x"}, Status.OK),
    ],
)
def test_a_token_is_checked_although_it_could_be_missing(issuer: Any, claims: Any, status: Status) -> None:
    assert verify(OPTIONAL, request(issuer.sign(**claims)), ProviderConfig("me", jwks=issuer.jwks))[0] is status


def test_of_audiences_one_is_enough_whatever_its_scheme(issuer: Any) -> None:
    me = ProviderConfig("me", ("https://shop/", "y"), issuer.jwks)
    assert verify(OPTIONAL, request(issuer.sign(aud=["x", "shop"])), me)[0] is Status.OK
    assert verify(OPTIONAL, request(issuer.sign(aud="x")), me)[0] is Status.AUDIENCE_NOT_ALLOWED


def test_all_tokens_must_be_good(issuer: Any) -> None:
    me = ProviderConfig("me", jwks=issuer.jwks)
    both = request(issuer.sign(), path=b"/?access_token=" + issuer.sign(key_id="x").encode())
    assert verify(OPTIONAL, both, me)[0] is Status.NO_MATCHING_KEY


def test_a_verified_token_is_taken_away_unless_it_is_forwarded(issuer: Any) -> None:
    carrier = request(issuer.sign())
    verify(OPTIONAL, carrier, ProviderConfig("me", jwks=issuer.jwks))
    assert b"authorization" not in carrier.headers
    carrier = request(issuer.sign())
    verify(OPTIONAL, carrier, ProviderConfig("me", jwks=issuer.jwks, is_forwarded=True))
    assert b"authorization" in carrier.headers


def test_claims_become_headers_and_metadata(issuer: Any) -> None:
    claims = (ClaimHeader("x-sub", "sub"), ClaimHeader("x-n", "a.n"), ClaimHeader("x-b", "b"), ClaimHeader("x-l", "l"))
    me = ProviderConfig(
        "me",
        jwks=issuer.jwks,
        payload_header="x-payload",
        claim_headers=(*claims, ClaimHeader("x-evil", "evil")),
        payload_key="payload",
        space_delimited=("scope",),
    )
    token = issuer.sign(a={"n": 5}, b=True, l=[1], scope="r w", evil="a\r\nx: y")
    carrier = request(token)
    _, metadata = verify(OPTIONAL, carrier, me)
    headers = {name: value for name, value in carrier.headers.items() if name != b"x-payload"}
    assert headers == {b"x-sub": b"alice", b"x-n": b"5", b"x-b": b"true", b"x-l": b"WzFd"}
    assert carrier.headers[b"x-payload"].decode() == token.split(".")[1]
    assert metadata["payload"]["scope"] == ["r", "w"]


def test_one_of_several_issuers_is_enough(issuer: Any) -> None:
    configs = [ProviderConfig(name, jwks=issuer.jwks) for name in ("me", "you")]
    each = tuple(AnyOf((ByProvider(name), AllowMissing())) for name in ("me", "you"))
    either = AnyOf((ByProvider("me"), ByProvider("you"), AllOf(each)))
    assert verify(either, request(issuer.sign(iss="you")), *configs)[0] is Status.OK
    assert verify(either, request(), *configs)[0] is Status.OK
    assert verify(either, request(issuer.sign(iss="them")), *configs)[0] is Status.UNKNOWN_ISSUER
    assert verify(either, request(issuer.sign(iss="you", exp=1)), *configs)[0] is Status.EXPIRED


def test_a_verified_token_is_remembered_but_not_beyond_its_time(issuer: Any) -> None:
    provider = Provider(ProviderConfig("me", jwks=issuer.jwks))
    text = issuer.sign(exp=NOW).encode()
    assert provider.verify(text, provider.read(text), NOW) is Status.OK
    known = provider.read(text)
    assert provider.read(text) is known
    assert provider.verify(text, known, NOW + 100) is Status.EXPIRED
    assert provider.read(text) is not known


def test_the_memory_of_tokens_is_bounded(issuer: Any) -> None:
    provider = Provider(ProviderConfig("me", jwks=issuer.jwks))
    provider._verified = {str(i).encode(): None for i in range(1000)}  # type: ignore[misc]
    text = issuer.sign().encode()
    provider.verify(text, provider.read(text), NOW)
    assert len(provider._verified) == 1000
    assert b"0" not in provider._verified


def test_a_token_where_its_issuer_does_not_look_is_not_seen(issuer: Any) -> None:
    me = ProviderConfig("me", jwks=issuer.jwks, locations=(Location("cookie", "session"),))
    assert verify(ByProvider("me"), request(issuer.sign()), me)[0] is Status.MISSED
    assert verify(ByProvider("me"), request(cookie=f"session={issuer.sign()}"), me)[0] is Status.OK
