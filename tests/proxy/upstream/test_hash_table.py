import random

import pytest
from xxhash import xxh64_intdigest

from pymesh.proxy.upstream.endpoint import Endpoint, EndpointConfig, Locality
from pymesh.proxy.upstream.hash_balancer import HashBalancer, host_shares
from pymesh.proxy.upstream.hash_table import MAXIMUM_RING, MaglevTable, Ring, Share
from pymesh.proxy.upstream.load_balancer import LoadBalancerContext
from pymesh.proxy.upstream.murmur import murmur_hash2

BUILDERS = {
    "ring": lambda shares: Ring(shares, 1024, MAXIMUM_RING, xxh64_intdigest),
    "ring of murmur": lambda shares: Ring(shares, 1024, MAXIMUM_RING, murmur_hash2),
    "maglev": lambda shares: MaglevTable(shares, 1009),
}
_chance = random.Random(7)
HASHES = [_chance.getrandbits(64) for _ in range(3000)]


def endpoints(*weights: int) -> list[Endpoint]:
    return [Endpoint(EndpointConfig(f"10.0.0.{i}", 8080, weight=weight)) for i, weight in enumerate(weights)]


def shares(members: list[Endpoint]) -> list[Share]:
    return [Share(endpoint, endpoint.address, weight) for endpoint, weight in host_shares(members)]


@pytest.fixture(params=list(BUILDERS))
def build(request):
    return lambda members: BUILDERS[request.param](shares(members))


def test_keys_are_spread_evenly(build):
    members = endpoints(1, 1, 1, 1)
    table = build(members)
    for member in members:
        assert sum(table.find(value, 0) is member for value in HASHES) == pytest.approx(750, rel=0.25)


def test_a_weight_of_two_means_twice_the_keys(build):
    light, heavy = endpoints(1, 2)
    table = build([light, heavy])
    assert sum(table.find(value, 0) is heavy for value in HASHES) == pytest.approx(2000, rel=0.15)


def test_when_one_leaves_few_other_keys_move(build):
    members = endpoints(1, 1, 1, 1, 1)
    before, after = build(members), build(members[:-1])
    kept = [value for value in HASHES if before.find(value, 0) is not members[-1]]
    moved = sum(before.find(value, 0) is not after.find(value, 0) for value in kept)
    assert moved / len(kept) < 0.2


def test_the_order_of_the_list_does_not_matter(build):
    members = endpoints(1, 1, 1)
    first, second = build(members), build(members[::-1])
    assert all(first.find(value, 0) is second.find(value, 0) for value in HASHES)


def test_another_attempt_is_another_endpoint_for_most(build):
    table = build(endpoints(1, 1, 1, 1))
    same = sum(table.find(value, 0) is table.find(value, 1) for value in HASHES)
    assert same < 0.4 * len(HASHES)


def test_points_stand_where_envoy_puts_them():
    first, second = endpoints(1, 1)
    ring = Ring(shares([first, second]), 2, 8, xxh64_intdigest)
    points = {xxh64_intdigest(b"10.0.0.0:8080_0"): first, xxh64_intdigest(b"10.0.0.1:8080_0"): second}
    for point, owner in points.items():
        assert ring.find(point, 0) is owner
        assert ring.find(point - 1, 0) is owner
    low, high = sorted(points)
    assert ring.find(low + 1, 0) is points[high]
    assert ring.find(high + 1, 0) is points[low]  # behind the last point comes the first
    assert ring.find(high + 1, 1) is points[high]


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        # what std::hash<std::string> of libstdc++ says
        (b"foo", 9631199822919835226),
        (b"10.0.0.1:8080_0", 2887472326060304709),
        (b"", 6142509188972423790),
    ],
)
def test_the_other_hash_is_murmur_hash_2(data, digest):
    assert murmur_hash2(data) == digest


def balancer(build_table, **fields) -> HashBalancer:
    return HashBalancer(build_table, random.Random(1).random, **fields)


def test_a_table_is_made_when_it_is_first_asked_and_again_only_for_other_shares():
    made = []
    chosen = balancer(lambda shares: made.append(1) or MaglevTable(shares, 13))
    members = endpoints(1, 1)
    chosen.update(members)
    assert made == []
    for _ in range(2):
        chosen.update(list(members))
        chosen.choose(LoadBalancerContext(5))
    assert made == [1]
    chosen.update(members[:1])
    assert chosen.choose(LoadBalancerContext(5)) is members[0]
    assert made == [1, 1]


def test_an_endpoint_is_hashed_by_its_own_key_or_its_name_where_the_cluster_says_so():
    seen = []

    def build(shares):
        seen.extend(share.key for share in shares)
        return MaglevTable(shares, 13)

    chosen = balancer(build, uses_hostname=True)
    chosen.update(
        [
            Endpoint(EndpointConfig("10.0.0.1", 80, hostname="a.example.com")),
            Endpoint(EndpointConfig("10.0.0.2", 80)),
            Endpoint(EndpointConfig("10.0.0.3", 80, hostname="c.example.com", lb_metadata={"hash_key": "third"})),
        ]
    )
    chosen.choose(LoadBalancerContext(1))
    assert seen == ["a.example.com", "10.0.0.2:80", "third"]


def test_the_weights_of_localities_are_in_the_shares():
    chosen = balancer(BUILDERS["ring"], is_locality_weighted=True)
    east, west = Locality("east"), Locality("west")
    places = ((east, 1), (east, 1), (west, 2), (Locality("north"), 0))
    members = [
        Endpoint(EndpointConfig(f"10.0.0.{i}", 80, locality=locality, locality_weight=weight))
        for i, (locality, weight) in enumerate(places)
    ]
    chosen.update(members)
    found = [chosen.choose(LoadBalancerContext(value)) for value in HASHES]
    assert found.count(members[2]) == pytest.approx(2000, rel=0.1)
    assert found.count(members[0]) == pytest.approx(500, rel=0.2)
    assert members[3] not in found
