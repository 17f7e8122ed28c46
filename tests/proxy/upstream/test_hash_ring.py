import random

import pytest

from pymesh.proxy.upstream.endpoint import Endpoint, EndpointConfig
from pymesh.proxy.upstream.hash_ring import MAXIMUM_RING, Ring, build_maglev, build_ring
from pymesh.proxy.xxhash import xxhash64

BUILDERS = {"ring": lambda e: build_ring(e, 1024, MAXIMUM_RING), "maglev": lambda e: build_maglev(e, 1009)}
_chance = random.Random(7)
HASHES = [_chance.getrandbits(64) for _ in range(3000)]


def endpoints(*weights: int) -> list[Endpoint]:
    return [Endpoint(EndpointConfig(f"10.0.0.{i}", 8080, weight=weight)) for i, weight in enumerate(weights)]


@pytest.fixture(params=list(BUILDERS))
def build(request):
    return BUILDERS[request.param]


def test_keys_are_spread_evenly(build):
    members = endpoints(1, 1, 1, 1)
    ring = build(members)
    for member in members:
        assert sum(ring.find(value) is member for value in HASHES) == pytest.approx(750, rel=0.25)


def test_a_weight_of_two_means_twice_the_keys(build):
    light, heavy = endpoints(1, 2)
    ring = build([light, heavy])
    assert sum(ring.find(value) is heavy for value in HASHES) == pytest.approx(2000, rel=0.15)


def test_when_one_leaves_few_other_keys_move(build):
    members = endpoints(1, 1, 1, 1, 1)
    before, after = build(members), build(members[:-1])
    kept = [value for value in HASHES if before.find(value) is not members[-1]]
    moved = sum(before.find(value) is not after.find(value) for value in kept)
    assert moved / len(kept) < 0.2


def test_the_order_of_the_list_does_not_matter(build):
    members = endpoints(1, 1, 1)
    first, second = build(members), build(members[::-1])
    assert all(first.find(value) is second.find(value) for value in HASHES)


def test_an_empty_set_makes_an_empty_table(build):
    assert isinstance(build([]), Ring)


def test_a_hash_behind_the_last_point_belongs_to_the_first():
    first, second = endpoints(1, 1)
    ring = Ring([10, 20], [first, second])
    assert ring.find(5) is first
    assert ring.find(10) is first
    assert ring.find(11) is second
    assert ring.find(21) is first


def test_points_stand_where_envoy_puts_them():
    (only,) = endpoints(1)
    ring = build_ring([only], 2, 8)
    assert ring._points == sorted([xxhash64(b"10.0.0.0:8080_0"), xxhash64(b"10.0.0.0:8080_1")])
