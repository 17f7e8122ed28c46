"""Slow start: an endpoint that has just become healthy gets a growing share of what its weight says. Pure.

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/slow_start
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pymesh.proxy.upstream.endpoint import Endpoint

# Envoy counts the age of an endpoint in milliseconds, and from the first.
_YOUNGEST = 0.001


@dataclass(frozen=True, slots=True)
class SlowStartConfig:
    """`window` in seconds; `min_weight_percent` 0..100."""

    window: float
    aggression: float = 1.0
    min_weight_percent: float = 10.0


class SlowStart:
    __slots__ = ("_exponent", "_least", "_now", "_window")

    def __init__(self, config: SlowStartConfig, now: Callable[[], float]) -> None:
        self._window = config.window
        self._exponent = 1.0 / config.aggression
        self._least = config.min_weight_percent / 100.0
        self._now = now

    def factor(self, endpoint: Endpoint) -> float:
        """What the weight is multiplied by: 1.0 after the window, and for an endpoint that is degraded."""
        since = endpoint.healthy_since
        age = self._window if since is None or endpoint.is_degraded else self._now() - since
        if age >= self._window:
            return 1.0
        share = float((max(age, _YOUNGEST) / self._window) ** self._exponent)
        return max(share, self._least)

    def ends_at(self, endpoints: Iterable[Endpoint]) -> float:
        """When all of these have their whole weight, by the clock's time; in the past if they have."""
        return self._window + max((e.healthy_since for e in endpoints if e.healthy_since is not None), default=0.0)

    def has_ended(self, at: float) -> bool:
        return at <= self._now()
