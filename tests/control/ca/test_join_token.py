import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from pymesh.control.ca.join_token import JoinToken, TokenAuthority, TokenError


class Clock:
    now = 1_800_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def tokens(clock):
    return TokenAuthority(ec.generate_private_key(ec.SECP256R1()), "ab" * 32, clock)


def test_a_token_says_whom_its_bearer_may_be(tokens):
    assert tokens.verify(tokens.mint("shop", "payment")) == JoinToken("shop", "payment")


def test_the_bearer_can_read_the_roots_hash(tokens, clock):
    claims = jwt.decode(tokens.mint("shop", "*", ttl=60), options={"verify_signature": False})
    assert claims == {
        "iss": "pymesh",
        "ns": "shop",
        "sa": "*",
        "iat": 1_800_000_000,
        "exp": 1_800_000_060,
        "ca_sha256": "ab" * 32,
    }


def test_a_token_ends_with_its_ttl(tokens, clock):
    token = tokens.mint("shop", "payment", ttl=60)
    clock.now += 59
    tokens.verify(token)
    clock.now += 1
    with pytest.raises(TokenError, match="has expired"):
        tokens.verify(token)


def test_a_token_of_another_mesh_is_refused(tokens):
    foreign = TokenAuthority(ec.generate_private_key(ec.SECP256R1()), "ab" * 32).mint("shop", "payment")
    with pytest.raises(TokenError, match="not valid"):
        tokens.verify(foreign)


@pytest.mark.parametrize("token", ["", "a.b.c", "garbage", jwt.encode({"iss": "pymesh", "exp": 9e9}, "", "none")])
def test_what_is_not_signed_by_us_is_refused(tokens, token):
    with pytest.raises(TokenError):
        tokens.verify(token)


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(tokens):
    with pytest.raises(TokenError):
        tokens.verify(jwt.encode({"iss": "pymesh", "exp": 9_000_000_000, "ns": "a", "sa": "b"}, "x" * 64, "HS256"))


@pytest.mark.parametrize("name", ["", "Shop", "a/b", "../a", "a b", "-a"])
def test_a_token_is_not_minted_for_what_is_no_name(tokens, name):
    with pytest.raises(TokenError):
        tokens.mint("shop", name)


def test_a_star_allows_every_name_and_a_name_only_itself():
    assert JoinToken("*", "*").allows("shop", "payment")
    assert JoinToken("shop", "*").allows("shop", "payment")
    assert not JoinToken("shop", "*").allows("bank", "payment")
    assert not JoinToken("shop", "web").allows("shop", "payment")
