"""The endpoints of a cluster, or of a subset of it, by priority, and which of them take requests now. Pure.

What each priority takes is priority_load's; which localities, the locality balancer's; which endpoint, the policy's.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pymesh.proxy.upstream.endpoint import Endpoint
from pymesh.proxy.upstream.load_balancer import LoadBalancer, LoadBalancerContext, RandomValue
from pymesh.proxy.upstream.locality_balancer import LocalityBalancer, WeightedLocality, effective_weight
from pymesh.proxy.upstream.priority_load import (
    OVERPROVISIONING,
    PANIC_THRESHOLD,
    PriorityLoad,
    count_health,
    distribute_load,
)

# Envoy, and Istio in its default retry policy: host_selection_retry_max_attempts.
_CHOICES = 5

_ALL = "all"
_HEALTHY = "healthy"
_DEGRADED = "degraded"


@dataclass(slots=True)
class PriorityPolicy:
    """What the sets of one cluster have in common; a change is obeyed with the next refresh.

    `has_locality_weights`: among the endpoints of a priority, those of a locality get what its weight says, unless the
    policy itself sees to it (`follows_hash`), by which also the priority is chosen.
    """

    panic_threshold: float = PANIC_THRESHOLD
    overprovisioning: int = OVERPROVISIONING
    weighted_priority_health: bool = False
    fail_traffic_on_panic: bool = False
    has_locality_weights: bool = False
    follows_hash: bool = False


@dataclass(frozen=True, slots=True)
class _Part:
    """Some endpoints that take the requests up to `until` percent, counted over all parts. Nobody: they fail."""

    until: int
    endpoints: Sequence[Endpoint]
    balancer: LoadBalancer | None


class PrioritySet:
    """`update` for a new list, `refresh` when an endpoint's health has changed, `choose` on the data path."""

    def __init__(
        self, policy: PriorityPolicy, build_balancer: Callable[[], LoadBalancer], random_value: RandomValue
    ) -> None:
        self.loads: list[PriorityLoad] = []
        self._policy = policy
        self._build_balancer = build_balancer
        self._random = random_value
        self._levels: list[list[Endpoint]] = []
        self._balancers: dict[object, LoadBalancer] = {}
        self._parts: list[_Part] = []
        self._only: LoadBalancer | None = None  # who takes all requests

    @property
    def is_panicking(self) -> bool:
        return any(load.is_panicking for load in self.loads)

    @property
    def is_empty(self) -> bool:
        return not self._levels

    # the data path

    def choose(self, context: LoadBalancerContext) -> Endpoint | None:
        """None where nobody may serve. One of `context.tried` only where there is nobody else."""
        if context.tried and (elsewhere := self._choose_elsewhere(context)) is not None:
            return elsewhere
        balancer = self._only or self._by_load(context)
        if balancer is None:
            return None
        endpoint = balancer.choose(context)
        if not context.tried or endpoint not in context.tried:
            return endpoint
        return self._choose_untried(balancer, context, endpoint)

    def _choose_elsewhere(self, context: LoadBalancerContext) -> Endpoint | None:
        """Any endpoint of the first priority that the request does not avoid and that has healthy ones; None where it
        avoids none. Envoy's previous_priorities spreads what is left over several, by their health."""
        avoided = context.avoided_priorities()
        if not avoided:
            return None
        levels = (level for level in self._levels if level[0].config.priority not in avoided)
        eligible = next((found for level in levels if (found := _eligible(level, _HEALTHY))), ())
        untried = [endpoint for endpoint in eligible if endpoint not in context.tried] or eligible
        return untried[int(self._random() * len(untried))] if untried else None

    def _by_load(self, context: LoadBalancerContext) -> LoadBalancer | None:
        value = context.hash if self._policy.follows_hash else None
        percent = int(self._random() * 100) if value is None else value % 100
        return next((part.balancer for part in self._parts if percent < part.until), None)

    def _choose_untried(self, balancer: LoadBalancer, context: LoadBalancerContext, chosen: Endpoint) -> Endpoint:
        """Envoy tries five times more and then takes what it has. We then look whether there is another one at all, so
        that a retry never goes where it failed while somebody else could help."""
        for attempt in range(1, _CHOICES + 1):
            endpoint = balancer.choose(context, attempt)
            if endpoint not in context.tried:
                return endpoint
        serving = (endpoint for part in self._parts if part.balancer is not None for endpoint in part.endpoints)
        untried = [endpoint for endpoint in serving if endpoint not in context.tried]
        return untried[int(self._random() * len(untried))] if untried else chosen

    # changes

    def update(self, endpoints: Iterable[Endpoint]) -> None:
        """The whole list."""
        levels: dict[int, list[Endpoint]] = {}
        for endpoint in endpoints:
            levels.setdefault(endpoint.config.priority, []).append(endpoint)
        self._levels = [levels[priority] for priority in sorted(levels)]
        self.refresh()

    def refresh(self) -> None:
        """Compute anew who serves."""
        policy, levels = self._policy, self._levels
        self.loads = distribute_load(
            [count_health(level) for level in levels],
            policy.overprovisioning,
            policy.panic_threshold,
            [count_health(level, is_weighted=True) for level in levels] if policy.weighted_priority_health else None,
            [len(level) for level in levels],
        )
        before, self._balancers = self._balancers, {}
        self._parts = self._build_parts(before)
        # An even chance among several needs no balancer of its own; a single part does not even need the chance.
        self._only = self._parts[0].balancer if len(self._parts) == 1 else None

    def _build_parts(self, before: dict[object, LoadBalancer]) -> list[_Part]:
        parts: list[_Part] = []
        until = 0
        for index, (level, load) in enumerate(zip(self._levels, self.loads, strict=True)):
            for kind, percent in ((_ALL if load.is_panicking else _HEALTHY, load.healthy), (_DEGRADED, load.degraded)):
                if percent:
                    until += percent
                    eligible = _eligible(level, kind)
                    parts.append(_Part(until, eligible, self._balancer((index, kind), level, eligible, before)))
        return parts

    def _balancer(
        self,
        key: tuple[int, str],
        level: Sequence[Endpoint],
        eligible: Sequence[Endpoint],
        before: dict[object, LoadBalancer],
    ) -> LoadBalancer | None:
        kind = key[1]
        if not eligible or (kind == _ALL and self._policy.fail_traffic_on_panic):
            return None
        if self._policy.has_locality_weights and not self._policy.follows_hash and kind != _ALL:
            localities = self._weighted_localities(key, level, eligible, before)
            if localities:
                return LocalityBalancer(localities, self._random)
        return self._updated(key, eligible, before)

    def _weighted_localities(
        self, key: object, level: Sequence[Endpoint], eligible: Sequence[Endpoint], before: dict[object, LoadBalancer]
    ) -> list[WeightedLocality]:
        found = []
        for locality in dict.fromkeys(endpoint.config.locality for endpoint in eligible):
            members = [endpoint for endpoint in eligible if endpoint.config.locality == locality]
            total = sum(endpoint.config.locality == locality and not endpoint.is_excluded for endpoint in level)
            weight = effective_weight(
                members[0].config.locality_weight, len(members), total, self._policy.overprovisioning
            )
            if weight > 0:
                found.append(WeightedLocality(weight, self._updated((key, locality), members, before)))
        return found

    def _updated(self, key: object, endpoints: Sequence[Endpoint], before: dict[object, LoadBalancer]) -> LoadBalancer:
        """The balancer that these endpoints had before, which goes on where it was."""
        balancer = self._balancers[key] = before.get(key) or self._build_balancer()
        balancer.update(endpoints)
        return balancer


def _eligible(level: Sequence[Endpoint], kind: str) -> Sequence[Endpoint]:
    if kind == _ALL:
        return level
    return [e for e in level if e.is_healthy and e.is_degraded == (kind == _DEGRADED)]
