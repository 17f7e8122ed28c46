"""How much of the traffic each priority takes, and from which of its endpoints. Pure; in whole percents, as Envoy's.

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/priority
https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/degraded
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pymesh.proxy.upstream.endpoint import Endpoint

# Envoy: 100 % of a priority's load stays in it while this many percent of its endpoints x 1.4 are healthy.
OVERPROVISIONING = 140
PANIC_THRESHOLD = 50.0


class Health(NamedTuple):
    """How many endpoints a priority has, and how many of them are healthy and degraded; or how much they weigh."""

    total: int
    healthy: int
    degraded: int = 0

    def percent(self) -> float:
        return 100.0 * (self.healthy + self.degraded) / self.total if self.total else 0.0


class PriorityLoad(NamedTuple):
    """Percent for the healthy and for the degraded endpoints. In panic all endpoints take the `healthy` part."""

    healthy: int
    degraded: int = 0
    is_panicking: bool = False


def count_health(endpoints: Iterable[Endpoint], is_weighted: bool = False) -> Health:
    """An endpoint that waits for its first health check does not count, where the cluster says so."""
    counts = [0, 0, 0]
    for endpoint in endpoints:
        if endpoint.is_excluded:
            continue
        amount = endpoint.weight if is_weighted else 1
        counts[0] += amount
        if endpoint.is_healthy:
            counts[2 if endpoint.is_degraded else 1] += amount
    return Health(*counts)


def distribute_load(
    healths: Sequence[Health],
    overprovisioning: int = OVERPROVISIONING,
    panic_threshold: float = PANIC_THRESHOLD,
    weights: Sequence[Health] | None = None,
    sizes: Sequence[int] | None = None,
) -> list[PriorityLoad]:
    """A priority gets as much as its healthy endpoints can take (their percentage x overprovisioning), the next what is
    left, and degraded endpoints what is left then. If all together cannot take 100 %, what they can take is scaled up,
    and those whose endpoints are healthy to less than the threshold panic.

    `weights`, where given, say what endpoints can take; the threshold always counts heads. `sizes` are those of the
    priorities with the endpoints whose health nobody knows yet.
    """
    capacities = healths if weights is None else weights
    healthy = [_available(health.healthy, health.total, overprovisioning) for health in capacities]
    degraded = [_available(health.degraded, health.total, overprovisioning) for health in capacities]
    total = min(100, sum(healthy) + sum(degraded))
    is_panicking = [total < 100 and health.percent() < panic_threshold for health in healths]
    if all(is_panicking):
        return _in_total_panic([health.total for health in healths] if sizes is None else sizes)
    if total == 0:
        return [PriorityLoad(100 if i == 0 else 0) for i in range(len(healths))]
    healthy_loads, left = _spread(healthy, 100, total)
    degraded_loads, left = _spread(degraded, left, total)
    _add_rest(healthy_loads if any(healthy) else degraded_loads, healthy if any(healthy) else degraded, left)
    return [PriorityLoad(*load) for load in zip(healthy_loads, degraded_loads, is_panicking, strict=True)]


def _available(part: int, total: int, overprovisioning: int) -> int:
    return min(100, overprovisioning * part // total) if total else 0


def _spread(available: Sequence[int], load: int, total: int) -> tuple[list[int], int]:
    loads = []
    for percent in available:
        loads.append(min(load, percent * 100 // total))
        load -= loads[-1]
    return loads, load


def _add_rest(loads: list[int], available: Sequence[int], rest: int) -> None:
    """What rounding has left goes to the first who can take anything."""
    loads[next(i for i, percent in enumerate(available) if percent)] += rest


def _in_total_panic(sizes: Sequence[int]) -> list[PriorityLoad]:
    """By the number of endpoints, healthy or not."""
    total = sum(sizes)
    if not total:
        return [PriorityLoad(100 if i == 0 else 0, 0, True) for i in range(len(sizes))]
    loads = [100 * size // total for size in sizes]
    _add_rest(loads, sizes, 100 - sum(loads))
    return [PriorityLoad(load, 0, True) for load in loads]
