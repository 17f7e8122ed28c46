"""Consistent hashing: hash -> endpoint, by a ring (ketama) or a Maglev table. Pure.

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/load_balancers#ring-hash
The tables are Envoy's, made with the same hash (xxHash64), so that both proxies send a key to the same endpoint.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence

from pymesh.proxy.upstream.endpoint import Endpoint
from pymesh.proxy.xxhash import xxhash64

MINIMUM_RING = 1024
MAXIMUM_RING = 8 * 1024 * 1024
DEFAULT_MAGLEV_TABLE = 65537


class Ring:
    """Points in ascending order and whose each is. Without points, a table that is indexed by the hash's remainder."""

    __slots__ = ("_owners", "_points")

    def __init__(self, points: Sequence[int], owners: Sequence[Endpoint]) -> None:
        self._points = points
        self._owners = owners

    def find(self, value: int) -> Endpoint:
        """The owner of the first point that is not below the hash; behind the last, the first."""
        if not self._points:
            return self._owners[value % len(self._owners)]
        index = bisect_left(self._points, value)
        return self._owners[index if index < len(self._points) else 0]


def build_ring(endpoints: Sequence[Endpoint], minimum_size: int, maximum_size: int) -> Ring:
    """Each endpoint has points by its weight, at the hashes of `<address>_<number>`."""
    if not endpoints:
        return Ring((), ())
    total = sum(endpoint.weight for endpoint in endpoints)
    smallest = min(endpoint.weight for endpoint in endpoints) / total
    # Envoy: as many as give the lightest endpoint a whole number of points, within the limits.
    scale = min(math.ceil(smallest * minimum_size) / smallest, float(maximum_size))
    points: list[tuple[int, int]] = []
    target = made = 0.0
    for index, endpoint in enumerate(endpoints):
        target += scale * endpoint.weight / total
        number = 0
        while made < target:
            points.append((xxhash64(f"{endpoint.address}_{number}".encode()), index))
            number += 1
            made += 1
    points.sort()
    return Ring([point for point, _ in points], [endpoints[index] for _, index in points])


def build_maglev(endpoints: Sequence[Endpoint], table_size: int) -> Ring:
    """Each endpoint in turn, as often as its weight says, takes the next free slot of its own permutation.

    "Maglev: A Fast and Reliable Software Network Load Balancer", section 3.4. `table_size` is prime.
    """
    if not endpoints:
        return Ring((), ())
    ordered = sorted(endpoints, key=lambda endpoint: endpoint.address)
    heaviest = max(endpoint.weight for endpoint in ordered)
    table: list[Endpoint | None] = [None] * table_size
    slots = [_offset(endpoint, table_size) for endpoint in ordered]
    skips = [_skip(endpoint, table_size) for endpoint in ordered]
    credits = [0.0] * len(ordered)
    left, turn = table_size, 0
    while left:
        turn += 1
        for index, endpoint in enumerate(ordered):
            if turn * endpoint.weight < credits[index]:
                continue
            credits[index] += heaviest
            slot, skip = slots[index], skips[index]
            while table[slot] is not None:
                slot += skip
                if slot >= table_size:
                    slot -= table_size
            table[slot] = endpoint
            slots[index] = slot
            left -= 1
            if not left:
                break
    return Ring((), [endpoint for endpoint in table if endpoint is not None])


def _offset(endpoint: Endpoint, table_size: int) -> int:
    return xxhash64(endpoint.address.encode()) % table_size


def _skip(endpoint: Endpoint, table_size: int) -> int:
    return xxhash64(endpoint.address.encode(), seed=1) % (table_size - 1) + 1
