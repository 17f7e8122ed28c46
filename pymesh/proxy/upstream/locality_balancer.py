"""Localities by weight: each gets what its weight says, less what its unhealthy endpoints cannot take. Pure.

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/locality_weight
"""

from collections.abc import Sequence
from typing import NamedTuple

from pymesh.proxy.upstream.edf_schedule import EdfSchedule
from pymesh.proxy.upstream.endpoint import Endpoint
from pymesh.proxy.upstream.load_balancer import LoadBalancer, LoadBalancerContext, RandomValue


class WeightedLocality(NamedTuple):
    weight: float
    balancer: LoadBalancer


class LocalityBalancer:
    """Chooses a locality in turn, as often as its weight says, and has its own balancer choose the endpoint."""

    __slots__ = ("_schedule",)

    def __init__(self, localities: Sequence[WeightedLocality], random_value: RandomValue) -> None:
        self._schedule = EdfSchedule(localities, lambda locality: locality.weight, random_value)

    def update(self, endpoints: Sequence[Endpoint]) -> None:
        """Whoever makes it has updated the balancers of the localities."""

    def choose(self, context: LoadBalancerContext, attempt: int = 0) -> Endpoint:
        return self._schedule.choose().balancer.choose(context, attempt)


def effective_weight(weight: int, eligible: int, total: int, overprovisioning: int) -> float:
    """`total` is without those whose health nobody knows yet."""
    return weight * min(1.0, overprovisioning / 100.0 * (eligible / total)) if total else 0.0
