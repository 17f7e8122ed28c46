"""Who of some endpoints succeeds too seldom, compared with the others or in itself. Pure.

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/outlier#success-rate
"""

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

from pymesh.proxy.upstream.endpoint import Endpoint


class SuccessCount(NamedTuple):
    """Of one endpoint in one interval; `total` is above 0."""

    endpoint: Endpoint
    successes: int
    total: int

    @property
    def percent(self) -> float:
        return self.successes * 100.0 / self.total


def find_outliers(counts: Sequence[SuccessCount], minimum_hosts: int, factor: float) -> list[Endpoint]:
    """Whose success rate is below the mean by more than so many standard deviations."""
    if not counts or len(counts) < minimum_hosts:
        return []
    mean = sum(count.percent for count in counts) / len(counts)
    deviation = sqrt(sum((count.percent - mean) ** 2 for count in counts) / len(counts))
    return [count.endpoint for count in counts if count.percent < mean - factor * deviation]


def find_failing(counts: Sequence[SuccessCount], minimum_hosts: int, threshold: int) -> list[Endpoint]:
    """Who fails in at least so many percent."""
    if len(counts) < minimum_hosts:
        return []
    return [count.endpoint for count in counts if 100.0 - count.percent >= threshold]
