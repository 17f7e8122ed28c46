"""The active health checks of a cluster: a session for each endpoint, whose verdicts the cluster hears.

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/health_checking
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace

from pymesh.proxy.timers import Clock
from pymesh.proxy.upstream.cluster import Cluster
from pymesh.proxy.upstream.endpoint import Endpoint
from pymesh.proxy.upstream.health_check import (
    ACTIVE,
    NETWORK_TIMEOUT,
    HealthCheckConfig,
    HealthTracker,
    HttpCheck,
    Transition,
    next_interval,
)
from pymesh.proxy.upstream.health_check_event import HealthCheckEvents
from pymesh.proxy.upstream.health_probe import Connecting, HttpProbe, Probe, TcpProbe
from pymesh.proxy.upstream.transport import Connector
from pymesh.tasks import TaskGroup

log = logging.getLogger(__name__)


@dataclass(slots=True)
class HealthCheckStats:
    """Envoy's names, of `cluster.<name>.health_check`."""

    attempt: int = 0
    success: int = 0
    failure: int = 0
    network_failure: int = 0


class HealthChecker:
    """A HealthMonitor."""

    def __init__(
        self,
        cluster: Cluster,
        config: HealthCheckConfig,
        *,
        clock: Clock,
        tasks: TaskGroup,
        random_value: Callable[[], float],
        connector: Connector,
    ) -> None:
        self.cluster = cluster
        self.config = config
        self.clock = clock
        self.tasks = tasks
        self.random = random_value
        self.connector = connector
        self.stats = HealthCheckStats()
        self.events = HealthCheckEvents(cluster.name, config)
        self._sessions: dict[Endpoint, _Session] = {}

    def update(self, endpoints: Iterable[Endpoint]) -> None:
        checked = [endpoint for endpoint in endpoints if not endpoint.config.health_check.is_disabled]
        for endpoint in set(self._sessions).difference(checked):
            self._sessions.pop(endpoint).close()
        for endpoint in checked:
            if endpoint not in self._sessions:
                self._sessions[endpoint] = session = _Session(self, endpoint)
                session.start()

    def close(self) -> None:
        self.update(())

    def describe(self) -> dict[str, int]:
        return {
            **asdict(self.stats),
            "healthy": sum(not endpoint.is_failing for endpoint in self._sessions),
            "degraded": sum(endpoint.is_check_degraded for endpoint in self._sessions),
        }


class _Session:
    """The Report of one endpoint's probe: a check, a pause, a check. A check that takes too long has failed."""

    def __init__(self, checker: HealthChecker, endpoint: Endpoint) -> None:
        self._checker = checker
        self._endpoint = endpoint
        self._tracker = HealthTracker(checker.config, endpoint)
        self._probe = self._build_probe()
        self._timer: asyncio.TimerHandle | None = None  # of the pause, or of the check's timeout

    def start(self) -> None:
        jitter = self._checker.config.initial_jitter * self._checker.random()
        if jitter:
            self._call_later(jitter, self._begin)
        else:
            self._begin()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._probe.abort()

    def _build_probe(self) -> Probe:
        checker, config = self._checker, self._checker.config
        connecting = Connecting(checker.cluster, check_target(self._endpoint), checker.tasks, checker.connector)
        if isinstance(config.check, HttpCheck):
            return HttpProbe(config.check, connecting, self, config.reuse_connection)
        return TcpProbe(config.check, connecting, self, config.reuse_connection)

    def _begin(self) -> None:
        self._checker.stats.attempt += 1
        self._call_later(self._checker.config.timeout, self._on_timeout)
        self._probe.begin()

    def _on_timeout(self) -> None:
        self._probe.abort()
        self.on_failed(NETWORK_TIMEOUT)

    def _call_later(self, delay: float, callback: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        clock = self._checker.clock
        self._timer = clock.call_at(clock.time() + delay, callback)

    # the probe's report

    def on_passed(self, is_degraded: bool = False) -> None:
        checker, endpoint = self._checker, self._endpoint
        is_first, was_degraded = self._tracker.is_first, endpoint.is_check_degraded
        checker.stats.success += 1
        transition = self._tracker.on_success(is_degraded, checker.clock.time())
        endpoint.check_status = "HEALTHY"
        checker.events.on_success(endpoint, transition, is_first, was_degraded)
        self._finish(transition, was_success=True)

    def on_failed(self, failure: str, is_retriable: bool = False, is_immediate: bool = False, status: int = 0) -> None:
        checker, endpoint = self._checker, self._endpoint
        is_first = self._tracker.is_first
        checker.stats.failure += 1
        checker.stats.network_failure += failure != ACTIVE
        transition = self._tracker.on_failure(failure, is_retriable, is_immediate)
        endpoint.check_status = failure if not status else f"{failure} {status}"
        checker.events.on_failure(endpoint, failure, transition, is_first, status)
        self._finish(transition, was_success=False)

    def _finish(self, transition: Transition, was_success: bool) -> None:
        """The cluster may end this session when it hears of the change."""
        checker = self._checker
        has_traffic = checker.cluster.stats.upstream_cx_total > 0
        self._call_later(
            next_interval(checker.config, was_success, transition, has_traffic, checker.random), self._begin
        )
        checker.cluster.on_health_check(self._endpoint, was_success, transition is Transition.CHANGED)


def check_target(endpoint: Endpoint) -> Endpoint:
    """Where the checks of an endpoint go: over its own TLS, to another address where its config says so."""
    config = endpoint.config
    address = config.health_check
    if not address.host and not address.port:
        return endpoint
    return Endpoint(replace(config, host=address.host or config.host, port=address.port or config.port), endpoint.tls)
