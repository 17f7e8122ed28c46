"""Which endpoint of a set takes the next request. Pure: chance is an argument, nothing is connected.

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/load_balancers
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from heapq import heapify, heapreplace
from typing import Protocol

from pymesh.proxy.upstream.endpoint import Endpoint
from pymesh.proxy.upstream.hash_ring import (
    DEFAULT_MAGLEV_TABLE,
    MAXIMUM_RING,
    MINIMUM_RING,
    Ring,
    build_maglev,
    build_ring,
)

RandomValue = Callable[[], float]  # uniform in [0, 1)


class LoadBalancerContext:
    """What a request brings to the choice. `hash`: 64 bits of the route's hash policy; `tried`: endpoints that failed
    it already; `authority`: `host[:port]`, by which a dynamic forward proxy goes."""

    __slots__ = ("authority", "hash", "tried")

    def __init__(self, hash: int | None = None, tried: Collection[Endpoint] = (), authority: bytes = b"") -> None:
        self.hash = hash
        self.tried = tried
        self.authority = authority


NO_CONTEXT = LoadBalancerContext()


@dataclass(frozen=True, slots=True)
class LoadBalancerConfig:
    """`policy` is Envoy's lb_policy."""

    policy: str = "ROUND_ROBIN"
    choice_count: int = 2
    active_request_bias: float = 1.0
    minimum_ring_size: int = MINIMUM_RING
    maximum_ring_size: int = MAXIMUM_RING
    table_size: int = DEFAULT_MAGLEV_TABLE


class LoadBalancer(Protocol):
    """`update` whenever the set changes; `choose` is called only while the set is not empty."""

    def update(self, endpoints: Sequence[Endpoint]) -> None: ...

    def choose(self, context: LoadBalancerContext) -> Endpoint: ...


def build_load_balancer(config: LoadBalancerConfig, random_value: RandomValue) -> LoadBalancer:
    match config.policy:
        case "LEAST_REQUEST":
            return LeastRequest(config.choice_count, config.active_request_bias, random_value)
        case "RANDOM":
            return Random(random_value)
        case "RING_HASH":
            return HashBalancer(
                lambda endpoints: build_ring(endpoints, config.minimum_ring_size, config.maximum_ring_size),
                random_value,
            )
        case "MAGLEV":
            return HashBalancer(lambda endpoints: build_maglev(endpoints, config.table_size), random_value)
        case _:
            return RoundRobin(random_value)


class Random:
    """Any endpoint, whatever its weight, as Envoy's."""

    __slots__ = ("_endpoints", "_random")

    def __init__(self, random_value: RandomValue) -> None:
        self._endpoints: Sequence[Endpoint] = ()
        self._random = random_value

    def update(self, endpoints: Sequence[Endpoint]) -> None:
        self._endpoints = endpoints

    def choose(self, context: LoadBalancerContext) -> Endpoint:
        endpoints = self._endpoints
        return endpoints[int(self._random() * len(endpoints))]


class RoundRobin:
    """In turn; with unequal weights, as often as the weight says and evenly spread."""

    __slots__ = ("_endpoints", "_next", "_random", "_schedule")

    def __init__(self, random_value: RandomValue) -> None:
        self._endpoints: Sequence[Endpoint] = ()
        self._next = 0
        self._random = random_value
        self._schedule: EdfSchedule | None = None

    def update(self, endpoints: Sequence[Endpoint]) -> None:
        self._endpoints = endpoints
        self._schedule = None if has_equal_weights(endpoints) else EdfSchedule(endpoints, _weight, self._random)
        # Many proxies start at once; they should not all begin with the same endpoint.
        self._next = int(self._random() * len(endpoints))

    def choose(self, context: LoadBalancerContext) -> Endpoint:
        if self._schedule is not None:
            return self._schedule.choose()
        index = self._next
        self._next = index + 1 if index + 1 < len(self._endpoints) else 0
        return self._endpoints[index]


class LeastRequest:
    """The least busy of `choice_count` random endpoints (power of two choices, drawn with replacement as Envoy does).

    With unequal weights: weighted round robin with weight / (active requests + 1) ^ bias.
    """

    __slots__ = ("_bias", "_choices", "_endpoints", "_random", "_schedule")

    def __init__(self, choice_count: int, bias: float, random_value: RandomValue) -> None:
        self._choices = range(choice_count - 1)
        self._bias = bias
        self._random = random_value
        self._endpoints: Sequence[Endpoint] = ()
        self._schedule: EdfSchedule | None = None

    def update(self, endpoints: Sequence[Endpoint]) -> None:
        self._endpoints = endpoints
        is_equal = has_equal_weights(endpoints)
        self._schedule = None if is_equal else EdfSchedule(endpoints, self._biased_weight, self._random)

    def choose(self, context: LoadBalancerContext) -> Endpoint:
        if self._schedule is not None:
            return self._schedule.choose()
        endpoints, count, random = self._endpoints, len(self._endpoints), self._random
        if count == 1:
            return endpoints[0]
        chosen = endpoints[int(random() * count)]
        for _ in self._choices:
            other = endpoints[int(random() * count)]
            if other.active_requests < chosen.active_requests:
                chosen = other
        return chosen

    def _biased_weight(self, endpoint: Endpoint) -> float:
        return float(endpoint.weight / (endpoint.active_requests + 1) ** self._bias)


class HashBalancer:
    """The same endpoint for the same hash, as far as the set stays; without a hash, a random one."""

    __slots__ = ("_build", "_random", "_ring")

    def __init__(self, build: Callable[[Sequence[Endpoint]], Ring], random_value: RandomValue) -> None:
        self._build = build
        self._random = random_value
        self._ring = Ring((), ())

    def update(self, endpoints: Sequence[Endpoint]) -> None:
        self._ring = self._build(endpoints)

    def choose(self, context: LoadBalancerContext) -> Endpoint:
        value = context.hash
        return self._ring.find(int(self._random() * 2**64) if value is None else value)


class EdfSchedule:
    """Earliest deadline first: each choice puts an endpoint off by 1 / its weight, so a heavy one comes round sooner.

    Envoy: source/extensions/load_balancing_policies/common (EdfScheduler). Weights are asked for anew at each choice.
    """

    __slots__ = ("_heap", "_weight")

    def __init__(
        self, endpoints: Sequence[Endpoint], weight: Callable[[Endpoint], float], random_value: RandomValue
    ) -> None:
        self._weight = weight
        # A random share of the first period, so that proxies that start at once do not move in step.
        self._heap = [(random_value() / weight(endpoint), i, endpoint) for i, endpoint in enumerate(endpoints)]
        heapify(self._heap)

    def choose(self) -> Endpoint:
        deadline, order, endpoint = self._heap[0]
        heapreplace(self._heap, (deadline + 1 / self._weight(endpoint), order, endpoint))
        return endpoint


def has_equal_weights(endpoints: Sequence[Endpoint]) -> bool:
    return len({endpoint.weight for endpoint in endpoints}) <= 1


def _weight(endpoint: Endpoint) -> float:
    return float(endpoint.weight)
