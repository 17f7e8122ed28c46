from itertools import pairwise

import pytest

from pymesh.proxy.upstream.dns import DnsConfig, FailureRefresh
from pymesh.proxy.upstream.dns_endpoints import DnsEndpoints
from pymesh.proxy.upstream.endpoint import EndpointConfig
from pymesh.tasks import TaskGroup

DB = EndpointConfig("db.example.com", 5432, weight=3)


@pytest.fixture
def published():
    return []


@pytest.fixture
def make_endpoints(clock, resolver, published):
    made = []

    def make(*configs: EndpointConfig, is_logical: bool = False, **fields) -> DnsEndpoints:
        dns = DnsConfig(60.0, **fields)
        endpoints = DnsEndpoints(
            "db",
            configs,
            dns,
            is_logical=is_logical,
            resolver=resolver,
            tasks=TaskGroup(),
            clock=clock,
            random_value=lambda: 0.75,
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
    assert published[-1] == ["10.1.0.1", "10.7.0.7"]
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
    assert published == [["10.1.0.1"], ["10.1.0.2"]]


async def test_after_closing_nothing_is_asked(make_endpoints, resolver, clock, settle):
    resolver.answers["db.example.com"] = ("10.1.0.1",)
    endpoints = make_endpoints(DB)
    await settle()
    endpoints.close()
    clock.advance(600)
    await settle()
    assert resolver.asked == ["db.example.com"]


async def test_a_name_that_hangs_does_not_hold_the_others_up(make_endpoints, resolver, clock, settle, published):
    resolver.answers["db.example.com"] = ("10.1.0.1",)
    resolver.hanging.add("slow.example.com")
    make_endpoints(EndpointConfig("slow.example.com", 80), DB)
    await settle()
    resolver.answers["db.example.com"] = ("10.1.0.2",)
    clock.advance(60)
    await settle()
    assert published == [["10.1.0.1"], ["10.1.0.2"]]
    assert resolver.asked.count("slow.example.com") == 1


async def test_an_answer_like_the_last_one_is_not_published_again(make_endpoints, resolver, clock, settle, published):
    resolver.answers["db.example.com"] = ("10.1.0.1",)
    make_endpoints(DB)
    for _ in range(3):
        await settle()
        clock.advance(60)
    assert published == [["10.1.0.1"]]


async def test_addresses_need_no_resolving(make_endpoints, resolver, published):
    make_endpoints(EndpointConfig("10.7.0.7", 80))
    assert published == [["10.7.0.7"]]
    assert resolver.asked == []


async def test_a_refresh_has_jitter(make_endpoints, resolver, clock, settle):
    resolver.answers["db.example.com"] = ("10.1.0.1",)
    make_endpoints(DB, jitter=20.0)
    await settle()
    clock.advance(74)
    await settle()
    assert len(resolver.asked) == 1
    clock.advance(1)
    await settle()
    assert len(resolver.asked) == 2


async def test_a_name_that_fails_is_asked_for_more_and_more_seldom(make_endpoints, resolver, clock, settle, published):
    make_endpoints(DB, failure_refresh=FailureRefresh(2.0, 6.0))
    times = []
    for _ in range(200):
        before = len(resolver.asked)
        await settle()
        if len(resolver.asked) > before:
            times.append(clock.now - 1000)
        clock.advance(0.1)
    # three quarters of 2, 4, 6, 6, ... seconds
    assert [round(later - earlier, 1) for earlier, later in pairwise(times)] == [1.5, 3.0, 4.5, 4.5, 4.5]
    resolver.answers["db.example.com"] = ("10.1.0.1",)
    clock.advance(5)
    await settle()
    assert published[-1] == ["10.1.0.1"]
    asked = len(resolver.asked)
    clock.advance(59)
    await settle()
    assert len(resolver.asked) == asked
