import pytest

from pymesh.proxy.tls.config import CommonTlsConfig, UpstreamTlsConfig
from pymesh.proxy.tls.secrets import SecretStore
from pymesh.proxy.upstream.dns import DnsConfig
from pymesh.proxy.upstream.dynamic_forward_proxy import (
    BAD_AUTHORITY,
    CACHE_OVERFLOW,
    RESOLUTION_FAILURE,
    DnsCacheConfig,
    DynamicEndpoints,
    parse_authority,
)
from pymesh.proxy.upstream.transport_socket_matcher import TransportSocketMatcher, TransportSocketsConfig
from pymesh.tasks import TaskGroup

CONFIG = DnsCacheConfig(DnsConfig(60.0), host_ttl=300.0, max_hosts=2)


@pytest.fixture
def make_endpoints(clock, resolver):
    made = []

    def make(sockets: TransportSocketsConfig | None = None) -> DynamicEndpoints:
        matcher = TransportSocketMatcher(sockets or TransportSocketsConfig(), "", SecretStore())
        endpoints = DynamicEndpoints("Passthrough", CONFIG, matcher, resolver=resolver, tasks=TaskGroup(), clock=clock)
        made.append(endpoints)
        return endpoints

    yield make
    for endpoints in made:
        endpoints.drain()


async def test_all_who_wait_for_a_name_hear_of_its_one_answer(make_endpoints, resolver, settle):
    resolver.answers["example.com"] = ("10.9.0.1",)
    endpoints, heard = make_endpoints(), []
    assert not endpoints.resolve(b"example.com", heard.append)
    assert not endpoints.resolve(b"example.com", heard.append)
    await settle()
    assert heard == [None, None]
    assert resolver.asked == ["example.com"]
    assert endpoints.choose(b"example.com").address == "10.9.0.1:80"
    assert endpoints.resolve(b"example.com", heard.append)
    assert heard == [None, None]


async def test_a_name_that_fails_says_so_and_is_asked_for_again(make_endpoints, resolver, settle):
    endpoints, heard = make_endpoints(), []
    endpoints.resolve(b"example.com", heard.append)
    await settle()
    assert heard == [RESOLUTION_FAILURE]
    assert endpoints.choose(b"example.com") is None
    resolver.answers["example.com"] = ("10.9.0.1",)
    endpoints.resolve(b"example.com", heard.append)
    await settle()
    assert heard == [RESOLUTION_FAILURE, None]


def test_an_address_needs_no_resolving(make_endpoints, resolver):
    endpoints = make_endpoints()
    assert endpoints.choose(b"10.9.0.1:8080").address == "10.9.0.1:8080"
    assert endpoints.resolve(b"[::1]:8080", pytest.fail)
    assert endpoints.choose(b"[::1]:8080").address == "[::1]:8080"
    assert resolver.asked == []


async def test_an_old_answer_serves_while_it_is_renewed(make_endpoints, resolver, clock, settle, make_pool):
    resolver.answers["example.com"] = ("10.9.0.1",)
    endpoints = make_endpoints()
    endpoints.resolve(b"example.com", lambda failure: None)
    await settle()
    old = endpoints.choose(b"example.com")
    old.pool = make_pool()
    resolver.answers["example.com"] = ("10.9.0.2",)
    clock.advance(61)
    assert endpoints.resolve(b"example.com", pytest.fail)
    assert endpoints.choose(b"example.com") is old
    await settle()
    assert endpoints.choose(b"example.com").host == "10.9.0.2"
    assert old.pool.is_drained


async def test_an_endpoint_stays_while_its_address_is_in_the_answer(make_endpoints, resolver, clock, settle):
    resolver.answers["example.com"] = ("10.9.0.1",)
    endpoints = make_endpoints()
    endpoints.resolve(b"example.com", lambda failure: None)
    await settle()
    old = endpoints.choose(b"example.com")
    resolver.answers["example.com"] = ("10.9.0.2", "10.9.0.1")
    clock.advance(61)
    endpoints.resolve(b"example.com", pytest.fail)
    await settle()
    assert endpoints.choose(b"example.com") is old


async def test_the_last_good_answer_outlives_a_failure(make_endpoints, resolver, clock, settle):
    resolver.answers["example.com"] = ("10.9.0.1",)
    endpoints = make_endpoints()
    endpoints.resolve(b"example.com", lambda failure: None)
    await settle()
    resolver.answers.clear()
    clock.advance(61)
    endpoints.resolve(b"example.com", pytest.fail)
    await settle()
    assert endpoints.choose(b"example.com").host == "10.9.0.1"


async def test_the_cache_is_bounded(make_endpoints, resolver, clock, settle):
    resolver.answers |= dict.fromkeys(("a", "b", "c"), ("10.9.0.1",))
    endpoints, heard = make_endpoints(), []
    for name in (b"a", b"b"):
        endpoints.resolve(name, lambda failure: None)
    await settle()
    assert not endpoints.resolve(b"c", heard.append)
    assert endpoints.choose(b"10.0.0.1:80") is None
    clock.advance(0)
    assert heard == [CACHE_OVERFLOW]
    assert endpoints.overflow == 1


async def test_what_nobody_asks_for_is_dropped(make_endpoints, resolver, clock, settle, make_pool):
    resolver.answers |= dict.fromkeys(("a", "b"), ("10.9.0.1",))
    endpoints = make_endpoints()
    for name in (b"a", b"b"):
        endpoints.resolve(name, lambda failure: None)
    await settle()
    unused = endpoints.choose(b"a")
    unused.pool = make_pool()
    clock.advance(200)
    endpoints.choose(b"b")
    clock.advance(200)
    assert unused.pool.is_drained
    assert len(endpoints.endpoints) == 1
    clock.advance(600)
    assert endpoints.endpoints == []
    assert clock.pending == 0


def test_a_malformed_authority_fails_later(make_endpoints, clock):
    endpoints, heard = make_endpoints(), []
    assert not endpoints.resolve(b"a:b:c", heard.append)
    assert heard == []
    clock.advance(0)
    assert heard == [BAD_AUTHORITY]


def test_over_tls_the_default_port_is_443(make_endpoints):
    endpoints = make_endpoints(TransportSocketsConfig(UpstreamTlsConfig(CommonTlsConfig()), auto_sni=True))
    assert endpoints.choose(b"10.9.0.1").address == "10.9.0.1:443"


@pytest.mark.parametrize(
    ("authority", "host", "port"),
    [
        (b"example.com", "example.com", 80),
        (b"example.com:8080", "example.com", 8080),
        (b"[::1]", "::1", 80),
        (b"[::1]:8080", "::1", 8080),
    ],
)
def test_an_authority_has_a_host_and_maybe_a_port(authority, host, port):
    config = parse_authority(authority, 80)
    assert (config.host, config.port, config.hostname) == (host, port, host)


@pytest.mark.parametrize("authority", [b"", b":80", b"::1", b"a:0", b"a:65536", b"a:x", b"[]:80", b"\xff"])
def test_what_is_no_authority_is_nothing(authority):
    assert parse_authority(authority, 80) is None
