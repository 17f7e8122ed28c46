import pytest

from pymesh.proxy.routing.domain_table import DomainTable, strip_port

DOMAINS = (
    "www.foo.com",
    "*.foo.com",
    "*-bar.foo.com",
    "foo.*",
    "foo-*",
    "foo-bar.*",
    "Upper.Example",
    "[::1]:80",
    "a:8080",
    "*",
)


def table(ignores_port=False, domains=DOMAINS):
    built = DomainTable[str](ignores_port)
    for domain in domains:
        built.add(domain, domain)
    return built


@pytest.mark.parametrize(
    ("authority", "expected"),
    [
        (b"www.foo.com", "www.foo.com"),
        (b"WWW.Foo.com", "www.foo.com"),
        (b"api.foo.com", "*.foo.com"),
        (b"baz-bar.foo.com", "*-bar.foo.com"),
        (b"-bar.foo.com", "*.foo.com"),
        (b".foo.com", "*"),
        (b"foo.org", "foo.*"),
        (b"foo-x", "foo-*"),
        (b"foo-bar.x", "foo-bar.*"),
        (b"foo.", "*"),
        (b"upper.example", "Upper.Example"),
        (b"[::1]:80", "[::1]:80"),
        (b"a:8080", "a:8080"),
        (b"a:8081", "*"),
        (b"", "*"),
    ],
)
def test_the_most_specific_domain_wins(authority, expected):
    assert table().find(authority) == expected


@pytest.mark.parametrize(
    ("authority", "expected"),
    [(b"www.foo.com:99", "www.foo.com"), (b"api.foo.com:1", "*.foo.com"), (b"a:8080", "*"), (b"A", "*")],
)
def test_the_port_of_the_authority_can_be_ignored(authority, expected):
    assert table(ignores_port=True).find(authority) == expected


def test_without_a_catch_all_an_unknown_host_has_no_virtual_host():
    assert table(domains=("a",)).find(b"b") is None


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (b"a:1", b"a"),
        (b"a", b"a"),
        (b"a:", b"a:"),
        (b"a:x", b"a:x"),
        (b"[::1]:80", b"[::1]"),
        (b"[::1]", b"[::1]"),
        (b"::1", b"::1"),
        (b"", b""),
    ],
)
def test_only_a_port_is_stripped(host, expected):
    assert strip_port(host) == expected
