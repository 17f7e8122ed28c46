"""Consistent hashing: hash -> endpoint, by a ring (ketama) or a Maglev table. Pure.

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/load_balancers#ring-hash
The tables are Envoy's to the last slot, so that both proxies send a key to the same endpoint: the order of the
endpoints and each step of floating point are part of that.
"""

import math
from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from xxhash import xxh64_intdigest

from pymesh.proxy.upstream.endpoint import Endpoint
from pymesh.proxy.upstream.murmur import murmur_hash2

MINIMUM_RING = 1024
MAXIMUM_RING = 8 * 1024 * 1024
DEFAULT_MAGLEV_TABLE = 65537

HASH_FUNCTIONS: dict[str, Callable[[bytes], int]] = {"XX_HASH": xxh64_intdigest, "MURMUR_HASH_2": murmur_hash2}

_HASH_MASK = 2**64 - 1


class Share(NamedTuple):
    """An endpoint, what stands for it in the hash, and its share of the traffic: all of a table add up to 1."""

    endpoint: Endpoint
    key: str
    weight: float


class HashTable(Protocol):
    def find(self, value: int, attempt: int) -> Endpoint:
        """`attempt` counts from 0: with each further one it is, most likely, another endpoint."""


class Ring:
    """Points in ascending order, and whose each is. An endpoint has some by its weight, at hashes of `<key>_<i>`."""

    __slots__ = ("_owners", "_points")

    def __init__(
        self, shares: Sequence[Share], minimum_size: int, maximum_size: int, hash_function: Callable[[bytes], int]
    ) -> None:
        points = sorted(_points(shares, minimum_size, maximum_size, hash_function))
        self._points = [point for point, _ in points]
        owners = [shares[index].endpoint for _, index in points]
        self._owners = [*owners, owners[0]]  # behind the last point, the first one's

    def find(self, value: int, attempt: int) -> Endpoint:
        index = bisect_left(self._points, value)
        if attempt:
            size = len(self._points)
            index = ((index if index < size else 0) + attempt) % size
        return self._owners[index]


def _points(
    shares: Sequence[Share], minimum_size: int, maximum_size: int, hash_function: Callable[[bytes], int]
) -> list[tuple[int, int]]:
    smallest = min(share.weight for share in shares)
    # Envoy: as many as give the lightest endpoint a whole number of points, within the limits.
    scale = min(math.ceil(smallest * minimum_size) / smallest, float(maximum_size))
    points: list[tuple[int, int]] = []
    target = 0.0
    for index, share in enumerate(shares):
        target += scale * share.weight
        number = 0
        while len(points) < target:
            points.append((hash_function(f"{share.key}_{number}".encode()), index))
            number += 1
    return points


class MaglevTable:
    """Each endpoint in turn, as often as its weight says, takes the next free slot of its own permutation.

    "Maglev: A Fast and Reliable Software Network Load Balancer", section 3.4. `size` is prime.
    """

    __slots__ = ("_endpoints", "_slots")

    def __init__(self, shares: Sequence[Share], size: int) -> None:
        ordered = sorted(shares, key=lambda share: share.key)
        self._endpoints = [share.endpoint for share in ordered]
        self._slots = _fill(ordered, size)

    def find(self, value: int, attempt: int) -> Endpoint:
        if attempt:
            value ^= _HASH_MASK - attempt + 1
        slots = self._slots
        return self._endpoints[slots[value % len(slots)]]


def _fill(shares: Sequence[Share], size: int) -> "array[int]":
    weights = [share.weight for share in shares]
    heaviest = max(weights)
    targets = [0.0] * len(shares)
    keys = [share.key.encode() for share in shares]
    nexts = [xxh64_intdigest(key) % size for key in keys]
    skips = [xxh64_intdigest(key, 1) % (size - 1) + 1 for key in keys]
    slots, is_taken = array("H" if len(shares) <= 1 << 16 else "L", [0]) * size, bytearray(size)
    left, turn = size, 0
    while True:
        turn += 1
        for index, weight in enumerate(weights):
            if turn * weight < targets[index]:
                continue
            targets[index] += heaviest
            slot, skip = nexts[index], skips[index]
            while is_taken[slot]:
                slot += skip
                if slot >= size:
                    slot -= size
            slots[slot] = index
            is_taken[slot] = 1
            nexts[index] = slot
            left -= 1
            if not left:
                return slots
