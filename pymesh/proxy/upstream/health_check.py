"""Active health checks: what is asked, how often, and what many answers in a row mean. Pure: time is an argument.

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/health_checking
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from pymesh.proxy.matchers.string_matcher import StringMatcher
from pymesh.proxy.routing.header_mutations import NO_MUTATIONS, HeaderMutations
from pymesh.proxy.upstream.endpoint import Endpoint

StatusRange = tuple[int, int]  # from the first to before the second

ACTIVE, NETWORK, NETWORK_TIMEOUT = "ACTIVE", "NETWORK", "NETWORK_TIMEOUT"  # Envoy's failure types


@dataclass(frozen=True, slots=True)
class HttpCheck:
    """HealthCheck.HttpHealthCheck. `receive`: pieces that the body must have in this order, with anything between."""

    path: str
    host: str = ""  # empty: the cluster's name
    method: str = "GET"
    send: bytes = b""
    receive: tuple[bytes, ...] = ()
    response_buffer_size: int = 1024  # 0: no limit
    request_headers: HeaderMutations = NO_MUTATIONS
    expected_statuses: tuple[StatusRange, ...] = ((200, 201),)
    retriable_statuses: tuple[StatusRange, ...] = ()
    service_name: StringMatcher | None = None  # of what the server says whose it is


@dataclass(frozen=True, slots=True)
class TcpCheck:
    """HealthCheck.TcpHealthCheck. Without `receive` it is enough that the connection comes about."""

    send: bytes = b""
    receive: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class HealthCheckConfig:
    """Times in seconds. Intervals: see `next_interval`."""

    check: HttpCheck | TcpCheck
    timeout: float
    interval: float
    unhealthy_threshold: int
    healthy_threshold: int
    initial_jitter: float = 0.0
    interval_jitter: float = 0.0
    interval_jitter_percent: int = 0
    unhealthy_interval: float = 0.0
    unhealthy_edge_interval: float = 0.0
    healthy_edge_interval: float = 0.0
    no_traffic_interval: float = 60.0
    no_traffic_healthy_interval: float = 60.0
    reuse_connection: bool = True
    always_log_failures: bool = False
    always_log_success: bool = False
    event_log_path: str = ""


class Transition(Enum):
    UNCHANGED = 0
    PENDING = 1  # the threshold is not reached yet
    CHANGED = 2


class HealthMonitor(Protocol):
    """What a cluster asks of its health checker."""

    def update(self, endpoints: Iterable[Endpoint]) -> None:
        """The whole list: check who has come, leave who has left."""

    def close(self) -> None: ...

    def describe(self) -> dict[str, int]: ...


class HealthTracker:
    """The verdict on one endpoint, which is written to it. An endpoint is born failing: see `Cluster`."""

    __slots__ = ("_config", "_endpoint", "_healthy", "_unhealthy", "is_first")

    def __init__(self, config: HealthCheckConfig, endpoint: Endpoint) -> None:
        self.is_first = True  # nothing is known yet
        self._config = config
        self._endpoint = endpoint
        self._healthy = 0
        self._unhealthy = 0

    def on_success(self, is_degraded: bool, now: float) -> Transition:
        """At first one success is enough."""
        endpoint = self._endpoint
        before = (endpoint.is_check_degraded, endpoint.is_excluded)
        transition, is_failing = Transition.UNCHANGED, endpoint.is_failing
        self._unhealthy = 0
        if is_failing:
            self._healthy += 1
            is_failing = not self.is_first and self._healthy != self._config.healthy_threshold
            transition = Transition.PENDING if is_failing else Transition.CHANGED
            endpoint.healthy_since = now
        self.is_first = False
        endpoint.set_checked(is_failing, is_degraded, is_excluded=False)
        if transition is Transition.UNCHANGED and before[0] != is_degraded:
            transition = Transition.CHANGED
        return Transition.CHANGED if before[1] else transition

    def on_failure(self, failure: str, is_retriable: bool = False, is_excluded: bool = False) -> Transition:
        """An answer that is wrong is enough, unless it is retriable; a network failure must repeat itself."""
        endpoint = self._endpoint
        was_excluded = endpoint.is_excluded
        transition, is_failing = Transition.UNCHANGED, endpoint.is_failing
        self._healthy = 0
        if not is_failing:
            self._unhealthy += failure != ACTIVE or is_retriable
            is_failing = (failure == ACTIVE and not is_retriable) or self._unhealthy == self._config.unhealthy_threshold
            transition = Transition.CHANGED if is_failing else Transition.PENDING
        self.is_first = False
        endpoint.set_checked(is_failing, endpoint.is_check_degraded, is_excluded and is_failing)
        return Transition.CHANGED if was_excluded and not is_excluded else transition


def next_interval(
    config: HealthCheckConfig,
    was_success: bool,
    transition: Transition,
    has_traffic: bool,
    random_value: Callable[[], float],
) -> float:
    """Seconds until the next check. An edge is what is on the way to another verdict; a cluster that nobody has ever
    sent a request to is checked more seldom."""
    is_edge = transition is Transition.PENDING
    if not has_traffic:
        is_quiet = was_success and not is_edge
        base = config.no_traffic_healthy_interval if is_quiet else config.no_traffic_interval
    elif was_success:
        base = config.healthy_edge_interval if is_edge else config.interval
    else:
        base = config.unhealthy_edge_interval if is_edge else config.unhealthy_interval
    jitter = base * config.interval_jitter_percent / 100 * random_value()
    return max(0.001, base + jitter + config.interval_jitter * random_value())


def is_in(status: int, ranges: tuple[StatusRange, ...]) -> bool:
    return any(first <= status < end for first, end in ranges)


def has_all(pieces: tuple[bytes, ...], data: bytes) -> bool:
    """Each behind the one before."""
    position = 0
    for piece in pieces:
        found = data.find(piece, position)
        if found < 0:
            return False
        position = found + len(piece)
    return True
