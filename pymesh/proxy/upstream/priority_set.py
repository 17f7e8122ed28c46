"""The endpoints of a cluster by priority: who stays when the list changes, and which of them take requests now.

Pure but for what it drains. Panic and the load of priorities follow
https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/priority
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pymesh.proxy.tls.contexts import ClientTls
from pymesh.proxy.upstream.endpoint import Endpoint, EndpointConfig
from pymesh.proxy.upstream.load_balancer import LoadBalancer, LoadBalancerContext, RandomValue

# Envoy: 100 % of a priority's load stays in it while this many percent of its endpoints x 1.4 are healthy.
OVERPROVISIONING = 140
PANIC_THRESHOLD = 50.0

# Envoy, and Istio in its default retry policy: host_selection_retry_max_attempts.
_CHOICES = 5


@dataclass(slots=True)
class _Priority:
    """One level. `share` is where, in [0, 1], the load of this and of all levels before it ends."""

    endpoints: Sequence[Endpoint]
    balancer: LoadBalancer
    share: float = 0.0
    is_panicking: bool = False


class Health(NamedTuple):
    """How many endpoints a priority has, and how many of them are healthy."""

    total: int
    healthy: int

    @property
    def percent(self) -> float:
        return 100.0 * self.healthy / self.total if self.total else 0.0


class PrioritySet:
    """`update` for a new list, `refresh` when an endpoint's health has changed, `choose` on the data path."""

    def __init__(
        self,
        build_balancer: Callable[[], LoadBalancer],
        select_tls: Callable[[EndpointConfig], ClientTls | None],
        random_value: RandomValue,
    ) -> None:
        self.panic_threshold = PANIC_THRESHOLD
        self.overprovisioning = OVERPROVISIONING
        self._build_balancer = build_balancer
        self._select_tls = select_tls
        self._random = random_value
        self._endpoints: dict[tuple[str, int], Endpoint] = {}
        self._priorities: dict[int, _Priority] = {}
        self._serving: list[_Priority] = []

    @property
    def endpoints(self) -> list[Endpoint]:
        return list(self._endpoints.values())

    @property
    def is_panicking(self) -> bool:
        return any(priority.is_panicking for priority in self._serving)

    # the data path

    def choose(self, context: LoadBalancerContext) -> Endpoint | None:
        """None where nobody may serve. One of `context.tried` only where there is nobody else."""
        serving = self._serving
        if not serving:
            return None
        balancer = serving[0].balancer if len(serving) == 1 else self._by_load().balancer
        endpoint = balancer.choose(context)
        return endpoint if endpoint not in context.tried else self._choose_untried(balancer, context, endpoint)

    def _by_load(self) -> _Priority:
        value = self._random()
        return next((priority for priority in self._serving if value < priority.share), self._serving[-1])

    def _choose_untried(self, balancer: LoadBalancer, context: LoadBalancerContext, chosen: Endpoint) -> Endpoint:
        """Envoy tries five times more and then takes what it has. We then look whether there is another one at all, so
        that a retry never goes where it failed while somebody else could help."""
        for _ in range(_CHOICES):
            endpoint = balancer.choose(context)
            if endpoint not in context.tried:
                return endpoint
        untried = [endpoint for endpoint in self._usable() if endpoint not in context.tried]
        return untried[int(self._random() * len(untried))] if untried else chosen

    def _usable(self) -> Iterable[Endpoint]:
        for priority in self._serving:
            yield from _usable(priority)

    # changes

    def update(self, configs: Sequence[EndpointConfig]) -> None:
        """The whole list. An address that stays is the same object; one that left is drained."""
        before = self._endpoints
        self._endpoints = {}
        for config in configs:
            # Envoy: of two entries with one address, the first counts.
            self._endpoints.setdefault((config.host, config.port), self._keep_or_make(config, before))
        self._group()
        for key, endpoint in before.items():
            if self._endpoints.get(key) is not endpoint:
                endpoint.drain()

    def set_balancers(self, build_balancer: Callable[[], LoadBalancer]) -> None:
        """Another policy for the same endpoints."""
        self._build_balancer = build_balancer
        self._priorities.clear()
        self._group()

    def _keep_or_make(self, config: EndpointConfig, before: dict[tuple[str, int], Endpoint]) -> Endpoint:
        tls = self._select_tls(config)
        endpoint = before.get((config.host, config.port))
        if endpoint is None or endpoint.tls is not tls:
            # Over other TLS it is another peer: its connections cannot be used on.
            return Endpoint(config, tls)
        endpoint.apply(config)
        return endpoint

    def _group(self) -> None:
        levels: dict[int, list[Endpoint]] = {}
        for endpoint in self._endpoints.values():
            levels.setdefault(endpoint.config.priority, []).append(endpoint)
        before = self._priorities
        self._priorities = {
            level: _Priority(levels[level], before[level].balancer if level in before else self._build_balancer())
            for level in sorted(levels)
        }
        self.refresh()

    def refresh(self) -> None:
        """Compute anew who serves."""
        priorities = list(self._priorities.values())
        healths = [_health(priority.endpoints) for priority in priorities]
        loads, panics = distribute_load(healths, self.overprovisioning, self.panic_threshold)
        self._serving = []
        share = 0.0
        for priority, load, is_panicking in zip(priorities, loads, panics, strict=True):
            priority.is_panicking = is_panicking
            usable = _usable(priority)
            if load > 0 and usable:
                share += load / 100
                priority.share = share
                priority.balancer.update(usable)
                self._serving.append(priority)


def distribute_load(
    healths: Sequence[Health], overprovisioning: int, panic_threshold: float
) -> tuple[list[float], list[bool]]:
    """The load of each priority in percent, and whether it panics: takes all its endpoints, healthy or not.

    A priority gets as much as its healthy endpoints can take (their percentage x overprovisioning); the next gets what
    is left. If all together cannot take 100 %, what they can take is scaled up, and those below the threshold panic.
    """
    available = [min(100.0, health.percent * overprovisioning / 100) for health in healths]
    total = min(100.0, sum(available))
    if total == 0.0:
        # "Everything is terrible": all goes to the first, if panic is allowed at all.
        return [100.0 if i == 0 else 0.0 for i in range(len(healths))], [panic_threshold > 0] * len(healths)
    loads, left = [], 100.0
    for share in available:
        loads.append(min(left, share * 100 / total))
        left -= loads[-1]
    return loads, [total < 100.0 and health.percent < panic_threshold for health in healths]


def _usable(priority: _Priority) -> Sequence[Endpoint]:
    if priority.is_panicking:
        return priority.endpoints
    return [endpoint for endpoint in priority.endpoints if endpoint.is_healthy]


def _health(endpoints: Sequence[Endpoint]) -> Health:
    return Health(len(endpoints), sum(endpoint.is_healthy for endpoint in endpoints))
