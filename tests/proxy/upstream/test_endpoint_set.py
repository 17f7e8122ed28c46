from dataclasses import replace
from types import SimpleNamespace

import pytest

from pymesh.proxy.upstream.endpoint import EndpointConfig
from pymesh.proxy.upstream.endpoint_set import EndpointSet

A, B, C = (EndpointConfig(f"10.0.0.{i}", 80) for i in (1, 2, 3))


@pytest.fixture
def tls():
    """By host, for the endpoints that are spoken to over TLS."""
    return {}


@pytest.fixture
def members(tls):
    members = EndpointSet(lambda config: tls.get(config.host))
    members.update([A, B])
    return members


def test_an_endpoint_that_stays_is_the_same_object_with_its_counts(members):
    first = members.endpoints[0]
    first.active_requests = 3
    came, left = members.update([replace(A, weight=5), C])
    assert members.endpoints[0] is first
    assert first.weight == 5
    assert first.active_requests == 3
    assert [endpoint.host for endpoint in came] == [C.host]
    assert [endpoint.host for endpoint in left] == [B.host]


def test_an_ejected_endpoint_stays_ejected_over_an_update(members):
    members.endpoints[0].set_ejected(True)
    members.update([A, B, C])
    assert [endpoint.is_healthy for endpoint in members.endpoints] == [False, True, True]


def test_a_health_checks_verdict_stays_over_an_update(members):
    members.endpoints[0].set_checked(is_failing=True)
    members.update([A, B])
    assert not members.endpoints[0].is_healthy
    assert members.endpoints[0].health_flags == "/failed_active_hc"


def test_an_endpoint_whose_tls_changes_is_another_one(members, tls):
    before = members.endpoints[0]
    tls[A.host] = SimpleNamespace(config=SimpleNamespace(common=SimpleNamespace(is_mesh=True)))
    came, left = members.update([A, B])
    assert came == [members.endpoints[0]]
    assert left == [before]
    assert came[0].is_mtls


def test_of_two_entries_with_one_address_the_first_counts(members):
    members.update([replace(A, weight=3), replace(A, weight=7)])
    assert [endpoint.weight for endpoint in members.endpoints] == [3]
