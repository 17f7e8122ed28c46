"""Which endpoint of a set takes the next request. Pure: chance and time are arguments, nothing is connected.

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/load_balancers
"""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from pymesh.proxy.matchers.metadata_match import MetadataMatch
from pymesh.proxy.upstream.edf_schedule import EdfSchedule
from pymesh.proxy.upstream.endpoint import Endpoint
from pymesh.proxy.upstream.slow_start import SlowStart

RandomValue = Callable[[], float]  # uniform in [0, 1)


class LoadBalancerContext:
    """What a request brings to the choice. `hash`: 64 bits of the route's hash policy; `tried`: endpoints that failed
    it already; `authority`: `host[:port]`, by which a dynamic forward proxy goes."""

    __slots__ = ("authority", "hash", "tried")

    def __init__(self, hash: int | None = None, tried: Collection[Endpoint] = (), authority: bytes = b"") -> None:
        self.hash = hash
        self.tried = tried
        self.authority = authority

    def metadata_match(self) -> MetadataMatch:
        """What the route asks of an endpoint's metadata; only clusters with subsets want to know."""
        return ()

    def avoided_priorities(self) -> Collection[int]:
        """Where this request has failed too often; asked only where there are `tried` endpoints."""
        return ()

    def original_destination(self) -> str:
        """`host:port` where the client's connection was going before it was redirected; empty if it was not."""
        return ""


NO_CONTEXT = LoadBalancerContext()


class LoadBalancer(Protocol):
    """`update` whenever the set changes; `choose` is called only while the set is not empty.

    `attempt` counts the choices for one try of one request from 0.
    """

    def update(self, endpoints: Sequence[Endpoint]) -> None: ...

    def choose(self, context: LoadBalancerContext, attempt: int = 0) -> Endpoint: ...


class Random:
    """Any endpoint, whatever its weight, as Envoy's."""

    __slots__ = ("_endpoints", "_random")

    def __init__(self, random_value: RandomValue) -> None:
        self._endpoints: Sequence[Endpoint] = ()
        self._random = random_value

    def update(self, endpoints: Sequence[Endpoint]) -> None:
        self._endpoints = endpoints

    def choose(self, context: LoadBalancerContext, attempt: int = 0) -> Endpoint:
        endpoints = self._endpoints
        return endpoints[int(self._random() * len(endpoints))]


class Scheduled:
    """Chooses by a schedule while weights differ or an endpoint starts slowly; else the policy has a cheaper way."""

    __slots__ = ("_endpoints", "_random", "_schedule", "_slow_start", "_slow_until")

    def __init__(self, random_value: RandomValue, slow_start: SlowStart | None = None) -> None:
        self._endpoints: Sequence[Endpoint] = ()
        self._random = random_value
        self._schedule: EdfSchedule[Endpoint] | None = None
        self._slow_start = slow_start
        self._slow_until: float | None = None

    def update(self, endpoints: Sequence[Endpoint]) -> None:
        self._endpoints = endpoints
        slow = self._slow_start
        until = None if slow is None or len(endpoints) < 2 else slow.ends_at(endpoints)
        self._slow_until = None if slow is None or until is None or slow.has_ended(until) else until
        needs_schedule = self._slow_until is not None or not has_equal_weights(endpoints)
        weight = self._weight if self._slow_until is None else self._slow_weight
        self._schedule = EdfSchedule(endpoints, weight, self._random) if needs_schedule else None

    def _choose_slowly(self, schedule: EdfSchedule[Endpoint], until: float) -> Endpoint:
        endpoint = schedule.choose()
        if self._slow_start is not None and self._slow_start.has_ended(until):
            self.update(self._endpoints)
        return endpoint

    def _weight(self, endpoint: Endpoint) -> float:
        return float(endpoint.weight)

    def _slow_weight(self, endpoint: Endpoint) -> float:
        assert self._slow_start is not None
        return self._weight(endpoint) * self._slow_start.factor(endpoint)


class RoundRobin(Scheduled):
    """In turn; with unequal weights, as often as the weight says and evenly spread."""

    __slots__ = ("_next",)

    def __init__(self, random_value: RandomValue, slow_start: SlowStart | None = None) -> None:
        super().__init__(random_value, slow_start)
        self._next = 0

    def update(self, endpoints: Sequence[Endpoint]) -> None:
        super().update(endpoints)
        # Many proxies start at once; they should not all begin with the same endpoint.
        self._next = int(self._random() * len(endpoints))

    def choose(self, context: LoadBalancerContext, attempt: int = 0) -> Endpoint:
        schedule = self._schedule
        if schedule is not None:
            return schedule.choose() if self._slow_until is None else self._choose_slowly(schedule, self._slow_until)
        index = self._next
        self._next = index + 1 if index + 1 < len(self._endpoints) else 0
        return self._endpoints[index]


class LeastRequest(Scheduled):
    """The least busy of `choice_count` random endpoints (power of two choices, drawn with replacement as Envoy does).

    With unequal weights: weighted round robin with weight / (active requests + 1) ^ bias.
    """

    __slots__ = ("_bias", "_choices")

    def __init__(
        self, choice_count: int, bias: float, random_value: RandomValue, slow_start: SlowStart | None = None
    ) -> None:
        super().__init__(random_value, slow_start)
        self._choices = range(choice_count - 1)
        self._bias = bias

    def choose(self, context: LoadBalancerContext, attempt: int = 0) -> Endpoint:
        schedule = self._schedule
        if schedule is not None:
            return schedule.choose() if self._slow_until is None else self._choose_slowly(schedule, self._slow_until)
        endpoints, count, random = self._endpoints, len(self._endpoints), self._random
        if count == 1:
            return endpoints[0]
        chosen = endpoints[int(random() * count)]
        for _ in self._choices:
            other = endpoints[int(random() * count)]
            if other.active_requests < chosen.active_requests:
                chosen = other
        return chosen

    def _weight(self, endpoint: Endpoint) -> float:
        return float(endpoint.weight / (endpoint.active_requests + 1) ** self._bias)


def has_equal_weights(endpoints: Sequence[Endpoint]) -> bool:
    return len({endpoint.weight for endpoint in endpoints}) <= 1
