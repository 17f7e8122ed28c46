import pytest

from pymesh.proxy.tls.certificates import SubjectAltNameMatcher
from pymesh.proxy.tls.peer_identity import PeerIdentity
from pymesh.proxy.tls.san_matcher import has_matching_name, matches_hostname

CERTIFICATE = PeerIdentity(
    uris=("spiffe://td/ns/a/sa/b",),
    dns_names=("shop.example.com", "*.shop.example.com"),
    subject="",
    sha256="",
    ip_addresses=("10.0.0.1", "0:0:0:0:0:0:0:1"),
    emails=("me@example.com",),
)


@pytest.mark.parametrize(
    ("matcher", "matches"),
    [
        (SubjectAltNameMatcher("URI", "spiffe://td/ns/a/sa/b"), True),
        (SubjectAltNameMatcher("URI", "spiffe://td/ns/a/sa/bb"), False),
        (SubjectAltNameMatcher("URI", "spiffe://td/ns/a/", "prefix"), True),
        (SubjectAltNameMatcher("URI", "/sa/b", "suffix"), True),
        (SubjectAltNameMatcher("URI", "/ns/a/", "contains"), True),
        (SubjectAltNameMatcher("DNS", "spiffe://td/ns/a/sa/b"), False),
        (SubjectAltNameMatcher("DNS", "Shop.example.com"), True),
        (SubjectAltNameMatcher("DNS", "a.shop.example.com"), True),
        (SubjectAltNameMatcher("DNS", "a.b.shop.example.com"), False),
        (SubjectAltNameMatcher("IP_ADDRESS", "10.0.0.1"), True),
        (SubjectAltNameMatcher("EMAIL", "me@example.com"), True),
    ],
)
def test_a_matcher_looks_at_the_names_of_its_type_only(matcher, matches):
    assert has_matching_name(CERTIFICATE, (matcher,)) is matches


@pytest.mark.parametrize(
    ("hostname", "matches"),
    [
        ("shop.example.com", True),
        ("SHOP.example.com.", True),
        ("a.shop.example.com", True),
        (".shop.example.com", False),
        ("example.com", False),
        ("10.0.0.1", True),
        ("::1", True),
        ("10.0.0.2", False),
    ],
)
def test_a_hostname_is_matched_as_rfc_9525_says(hostname, matches):
    assert matches_hostname(CERTIFICATE, hostname) is matches
