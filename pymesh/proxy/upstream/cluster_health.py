"""Who of a cluster's endpoints is well: what its requests say (outlier detection) and what its health checks say."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

from pymesh.proxy.timers import Clock
from pymesh.proxy.upstream.cluster_config import ClusterConfig
from pymesh.proxy.upstream.endpoint import Endpoint, EndpointConfig
from pymesh.proxy.upstream.health_check import HealthCheckConfig, HealthMonitor
from pymesh.proxy.upstream.load_balancer import RandomValue
from pymesh.proxy.upstream.outlier_detection import OutlierDetector, close_outlier_detection

BuildMonitor = Callable[[HealthCheckConfig], HealthMonitor]


class ClusterHealth:
    """`apply` for each config of the cluster; `on_change` is called when somebody's health has changed."""

    def __init__(
        self,
        endpoints: Callable[[], list[Endpoint]],
        on_change: Callable[[], None],
        build_monitor: BuildMonitor,
        clock: Clock,
        random_value: RandomValue,
    ) -> None:
        self.detector: OutlierDetector | None = None
        self._endpoints = endpoints
        self._on_change = on_change
        self._build_monitor = build_monitor
        self._clock = clock
        self._random = random_value
        self._config: ClusterConfig | None = None
        self._monitor: HealthMonitor | None = None
        self._interval: asyncio.TimerHandle | None = None
        self._past: Counter[str] = Counter()  # of detectors and monitors that the cluster no longer has

    def apply(self, config: ClusterConfig) -> None:
        before, self._config = self._config, config
        if config.health_check != (before and before.health_check):
            self._apply_health_check(config.health_check)
        if config.outlier_detection != (before and before.outlier_detection):
            self._apply_outlier_detection(config)

    def close(self) -> None:
        if self._interval is not None:
            self._interval.cancel()
        self._close_monitor()

    def _close_monitor(self) -> None:
        if self._monitor is not None:
            self._past.update(self._monitor.describe())
            self._monitor.close()
            self._monitor = None

    def count(self, name: str) -> int:
        """`ejections`, `ejections_overflow`, or `attempt` and `failure` of health checks: all so far."""
        return self._past[name] + self._current().get(name, 0)

    def _current(self) -> dict[str, int]:
        found = {} if self._monitor is None else dict(self._monitor.describe())
        if self.detector is not None:
            found |= {"ejections": sum(self.detector.ejections.values()), "ejections_overflow": self.detector.overflow}
        return found

    def describe(self) -> dict[str, Any]:
        detector = self.detector
        return {
            "health_check": {} if self._monitor is None else self._monitor.describe(),
            "ejections": {} if detector is None else dict(detector.ejections),
            "ejections_detected": {} if detector is None else dict(detector.detections),
            "ejections_active": sum(endpoint.is_ejected for endpoint in self._endpoints()),
            "ejections_overflow": 0 if detector is None else detector.overflow,
        }

    # outlier detection

    def _apply_outlier_detection(self, cluster: ClusterConfig) -> None:
        config = cluster.outlier_detection
        if self._interval is not None:
            self._interval.cancel()
            self._interval = None
        if config is None:
            if self.detector is not None:
                self._past["ejections"] += sum(self.detector.ejections.values())
                self._past["ejections_overflow"] += self.detector.overflow
            self.detector = None
            close_outlier_detection(self._endpoints())
            self._on_change()
            return
        if self.detector is None:
            self.detector = OutlierDetector(config, self._endpoints, self._on_change, self._clock.time, self._random)
        self.detector.config = config
        self._start_interval(config.interval)

    def _start_interval(self, interval: float) -> None:
        self._interval = self._clock.call_at(self._clock.time() + interval, self._on_interval)

    def _on_interval(self) -> None:
        if self.detector is not None:
            self.detector.on_interval()
            self._start_interval(self.detector.config.interval)

    # active health checks

    def on_members(self, came: list[Endpoint]) -> None:
        """Before anybody chooses. Envoy: an endpoint that is checked is unhealthy until it has passed."""
        if self._monitor is None or self._config is None:
            return
        for endpoint in came:
            if not endpoint.config.health_check.is_disabled:
                waits = self._config.load_balancer.ignore_new_hosts_until_first_hc
                endpoint.set_checked(is_failing=True, is_excluded=waits)

    def check_members(self) -> None:
        """Afterwards: begin with who has come, and leave who has left."""
        if self._monitor is not None:
            self._monitor.update(self._endpoints())

    def kept(self, configs: list[EndpointConfig]) -> list[EndpointConfig]:
        """Envoy: who has left the list and still passes its health checks stays until it fails one."""
        if self._monitor is None or self._config is None or self._config.ignore_health_on_host_removal:
            return []
        addresses = {(config.host, config.port) for config in configs}
        return [
            endpoint.config
            for endpoint in self._endpoints()
            if (endpoint.host, endpoint.port) not in addresses
            and not endpoint.is_failing
            and not endpoint.config.health_check.is_disabled
        ]

    def on_health_check(self, endpoint: Endpoint, has_passed: bool, has_changed: bool) -> None:
        """The verdict stands in the endpoint already."""
        if has_passed and not endpoint.is_failing and self.detector is not None:
            self.detector.on_health_check_passed(endpoint)
        if has_changed:
            self._on_change()

    def _apply_health_check(self, config: HealthCheckConfig | None) -> None:
        self._close_monitor()
        if config is not None:
            self._monitor = self._build_monitor(config)
            self._monitor.update(self._endpoints())
        else:
            for endpoint in self._endpoints():
                endpoint.set_checked(is_failing=False)
            self._on_change()
