import socket

import pytest

from pymesh.proxy.upstream.dns import DnsConfig, DnsEndpoints, SystemResolver, choose_family
from pymesh.proxy.upstream.endpoint import EndpointConfig
from pymesh.tasks import TaskGroup

DB = EndpointConfig("db.example.com", 5432, weight=3)


@pytest.fixture
def published():
    return []


@pytest.fixture
def make_endpoints(clock, resolver, published):
    made = []

    def make(*configs: EndpointConfig, is_logical: bool = False) -> DnsEndpoints:
        dns = DnsConfig(60.0)
        endpoints = DnsEndpoints(
            "db",
            configs,
            dns,
            is_logical=is_logical,
            resolver=resolver,
            tasks=TaskGroup(),
            clock=clock,
            publish=lambda found: published.append([endpoint.host for endpoint in found]),
        )
        made.append(endpoints)
        return endpoints

    yield make
    for endpoints in made:
        endpoints.close()


async def test_names_are_resolved_again_and_again(make_endpoints, resolver, clock, settle, published):
    resolver.answers["db.example.com"] = ("10.1.0.1",)
    make_endpoints(DB)
    await settle()
    resolver.answers["db.example.com"] = ("10.1.0.2",)
    clock.advance(59)
    await settle()
    assert published == [["10.1.0.1"]]
    clock.advance(1)
    await settle()
    assert published == [["10.1.0.1"], ["10.1.0.2"]]


async def test_a_name_that_fails_keeps_its_last_answer(make_endpoints, resolver, clock, settle, published):
    resolver.answers["db.example.com"] = ("10.1.0.1",)
    make_endpoints(DB)
    await settle()
    resolver.answers.clear()
    clock.advance(60)
    await settle()
    assert published[-1] == ["10.1.0.1"]


async def test_a_name_without_any_answer_is_asked_for_again_soon(make_endpoints, resolver, clock, settle, published):
    make_endpoints(DB)
    await settle()
    resolver.answers["db.example.com"] = ("10.1.0.1",)
    clock.advance(2)
    await settle()
    assert published == [[], ["10.1.0.1"]]


async def test_one_name_that_fails_does_not_cost_the_others(make_endpoints, resolver, settle, published):
    resolver.answers["db.example.com"] = ("10.1.0.1",)
    make_endpoints(EndpointConfig("gone.example.com", 80), DB, EndpointConfig("10.7.0.7", 80))
    await settle()
    assert published == [["10.1.0.1", "10.7.0.7"]]
    assert sorted(resolver.asked) == ["db.example.com", "gone.example.com"]


async def test_a_logical_name_is_one_address_that_stays_while_it_is_valid(
    make_endpoints, resolver, clock, settle, published
):
    resolver.answers["db.example.com"] = ("10.1.0.1", "10.1.0.2")
    make_endpoints(DB, is_logical=True)
    await settle()
    resolver.answers["db.example.com"] = ("10.1.0.2", "10.1.0.1")
    clock.advance(60)
    await settle()
    resolver.answers["db.example.com"] = ("10.1.0.2",)
    clock.advance(60)
    await settle()
    assert published == [["10.1.0.1"], ["10.1.0.1"], ["10.1.0.2"]]


async def test_after_closing_nothing_is_asked(make_endpoints, resolver, clock, settle):
    resolver.answers["db.example.com"] = ("10.1.0.1",)
    endpoints = make_endpoints(DB)
    await settle()
    endpoints.close()
    clock.advance(600)
    await settle()
    assert resolver.asked == ["db.example.com"]


async def test_the_system_knows_localhost():
    assert await SystemResolver().resolve("localhost", "V4_ONLY") == ("127.0.0.1",)


async def test_the_system_says_so_when_a_name_is_unknown():
    with pytest.raises(socket.gaierror):
        await SystemResolver().resolve("no-such-host.invalid", "AUTO")


@pytest.mark.parametrize(
    ("family", "chosen"),
    [
        ("AUTO", ("::1",)),
        ("V4_PREFERRED", ("10.0.0.1",)),
        ("ALL", ("10.0.0.1", "::1")),
        ("V4_ONLY", ("10.0.0.1", "::1")),
    ],
)
def test_families_are_chosen_as_envoy_does(family, chosen):
    assert choose_family(["10.0.0.1", "::1", "10.0.0.1"], family) == chosen


def test_auto_falls_back_to_ipv4():
    assert choose_family(["10.0.0.1"], "AUTO") == ("10.0.0.1",)
