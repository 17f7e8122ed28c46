"""Passive health: an endpoint that fails again and again is ejected for a while. Pure: time is an argument.

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/outlier
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import sqrt

from pymesh.proxy.upstream.endpoint import Endpoint

CONSECUTIVE_5XX = "consecutive_5xx"
CONSECUTIVE_GATEWAY_FAILURE = "consecutive_gateway_failure"
CONSECUTIVE_LOCAL_ORIGIN_FAILURE = "consecutive_local_origin_failure"
SUCCESS_RATE = "success_rate"
FAILURE_PERCENTAGE = "failure_percentage"

_GATEWAY_FAILURES = (502, 503, 504)


@dataclass(frozen=True, slots=True)
class OutlierDetectionConfig:
    """Envoy's fields and defaults; times in seconds, `enforcing_*` and percentages 0..100.

    A count of 0 never ejects, and neither does what is enforced to 0 %.
    """

    consecutive_5xx: int = 5
    consecutive_gateway_failure: int = 5
    consecutive_local_origin_failure: int = 5
    split_external_local_origin_errors: bool = False
    enforcing_consecutive_5xx: int = 100
    enforcing_consecutive_gateway_failure: int = 0
    enforcing_consecutive_local_origin_failure: int = 100
    interval: float = 10.0
    base_ejection_time: float = 30.0
    max_ejection_time: float = 300.0
    max_ejection_time_jitter: float = 0.0
    max_ejection_percent: int = 10
    always_eject_one_host: bool = False
    enforcing_success_rate: int = 100
    success_rate_minimum_hosts: int = 5
    success_rate_request_volume: int = 100
    success_rate_stdev_factor: int = 1900  # in thousandths
    enforcing_failure_percentage: int = 0
    failure_percentage_threshold: int = 85
    failure_percentage_minimum_hosts: int = 5
    failure_percentage_request_volume: int = 50


class OutlierMonitor:
    """What is remembered of one endpoint. `multiplier` is Envoy's ejection back-off: it grows with each ejection and
    falls with each interval without one."""

    __slots__ = (
        "consecutive_5xx",
        "consecutive_gateway_failure",
        "consecutive_local_origin_failure",
        "ejected_at",
        "ejections",
        "jitter",
        "multiplier",
        "successes",
        "total",
    )

    def __init__(self) -> None:
        self.consecutive_5xx = 0
        self.consecutive_gateway_failure = 0
        self.consecutive_local_origin_failure = 0
        # of this interval
        self.total = 0
        self.successes = 0
        # ejection
        self.ejected_at = 0.0
        self.ejections = 0
        self.multiplier = 0
        self.jitter = 0.0


class OutlierDetector:
    """One per cluster that has outlier detection. `on_change` after every ejection and return.

    `ejections` counts by cause; `overflow` those that max_ejection_percent has prevented.
    """

    def __init__(
        self,
        config: OutlierDetectionConfig,
        endpoints: Callable[[], Iterable[Endpoint]],
        on_change: Callable[[], None],
        now: Callable[[], float],
        random_value: Callable[[], float],
    ) -> None:
        self.config = config
        self.ejections: dict[str, int] = {}
        self.overflow = 0
        self._endpoints = endpoints
        self._on_change = on_change
        self._now = now
        self._random = random_value

    # the data path

    def on_result(self, endpoint: Endpoint, code: int | None, failure: str | None) -> None:
        """An HTTP status; or a failure of our own end (connect, reset, timeout); or neither: a TCP success."""
        monitor: OutlierMonitor | None = endpoint.outlier_monitor
        if monitor is None:
            monitor = endpoint.outlier_monitor = OutlierMonitor()
        if failure is not None:
            self._on_failure(endpoint, monitor, failure)
            return
        monitor.consecutive_local_origin_failure = 0
        monitor.total += 1
        if code is not None and code >= 500:
            self._on_5xx(endpoint, monitor, code)
        else:
            monitor.successes += 1
            monitor.consecutive_5xx = 0
            monitor.consecutive_gateway_failure = 0

    def _on_failure(self, endpoint: Endpoint, monitor: OutlierMonitor, failure: str) -> None:
        # "split_external_local_origin_errors: false": local origin errors are taken for 5xx. Envoy maps a timeout to
        # 504, a failed connect and a reset to 503; all are gateway failures.
        if not self.config.split_external_local_origin_errors:
            monitor.total += 1
            self._on_5xx(endpoint, monitor, 503)
            return
        monitor.consecutive_local_origin_failure += 1
        if monitor.consecutive_local_origin_failure == self.config.consecutive_local_origin_failure:
            monitor.consecutive_local_origin_failure = 0
            self._judge(endpoint, CONSECUTIVE_LOCAL_ORIGIN_FAILURE)

    def _on_5xx(self, endpoint: Endpoint, monitor: OutlierMonitor, code: int) -> None:
        if code in _GATEWAY_FAILURES:
            monitor.consecutive_gateway_failure += 1
            if monitor.consecutive_gateway_failure == self.config.consecutive_gateway_failure:
                monitor.consecutive_gateway_failure = 0
                self._judge(endpoint, CONSECUTIVE_GATEWAY_FAILURE)
        else:
            monitor.consecutive_gateway_failure = 0
        monitor.consecutive_5xx += 1
        if monitor.consecutive_5xx == self.config.consecutive_5xx:
            monitor.consecutive_5xx = 0
            self._judge(endpoint, CONSECUTIVE_5XX)

    def _judge(self, endpoint: Endpoint, cause: str) -> None:
        if not endpoint.is_ejected and self._eject(endpoint, cause):
            self._on_change()

    # ejection

    def _eject(self, endpoint: Endpoint, cause: str) -> bool:
        if not self._is_enforced(cause):
            return False
        if not self._has_room():
            self.overflow += 1
            return False
        config, monitor = self.config, self._monitor(endpoint)
        monitor.ejected_at = self._now()
        monitor.ejections += 1
        monitor.jitter = config.max_ejection_time_jitter * self._random()
        if monitor.multiplier * config.base_ejection_time < self._longest() + config.base_ejection_time:
            monitor.multiplier += 1
        endpoint.set_ejected(True)
        self.ejections[cause] = self.ejections.get(cause, 0) + 1
        return True

    def _has_room(self) -> bool:
        """Envoy 1.40: with this one, no more than max_ejection_percent of all may be out. So 10 % of fewer than ten is
        nobody, unless always_eject_one_host lets the first go in any case."""
        endpoints = list(self._endpoints())
        ejected = sum(endpoint.is_ejected for endpoint in endpoints)
        if self.config.always_eject_one_host and not ejected:
            return True
        return 100.0 * (ejected + 1) <= self.config.max_ejection_percent * len(endpoints)

    def _is_enforced(self, cause: str) -> bool:
        percent = int(getattr(self.config, f"enforcing_{cause}"))
        return percent >= 100 or self._random() * 100 < percent

    def _longest(self) -> float:
        # max_ejection_time: "if not specified, the default value (300 s) or base_ejection_time, whichever is larger".
        return max(self.config.max_ejection_time, self.config.base_ejection_time)

    # every interval

    def on_interval(self) -> None:
        """Take back whose time is up, and judge the rates of the interval that ends."""
        endpoints = list(self._endpoints())
        has_changed = False
        for endpoint in endpoints:
            has_changed |= self._check_return(endpoint)
        has_changed |= self._judge_rates(endpoints)
        for endpoint in endpoints:
            monitor = self._monitor(endpoint)
            monitor.total = monitor.successes = 0
        if has_changed:
            self._on_change()

    def _check_return(self, endpoint: Endpoint) -> bool:
        monitor = self._monitor(endpoint)
        if not endpoint.is_ejected:
            monitor.multiplier = max(0, monitor.multiplier - 1)
            return False
        time = min(self.config.base_ejection_time * monitor.multiplier, self._longest()) + monitor.jitter
        if self._now() - monitor.ejected_at < time:
            return False
        endpoint.set_ejected(False)
        monitor.consecutive_5xx = monitor.consecutive_gateway_failure = 0
        monitor.consecutive_local_origin_failure = 0
        return True

    def _judge_rates(self, endpoints: list[Endpoint]) -> bool:
        config = self.config
        slow = self._failing_rates(endpoints) if config.enforcing_success_rate else []
        failing = self._failing_percentages(endpoints) if config.enforcing_failure_percentage else []
        ejected = [self._eject(endpoint, SUCCESS_RATE) for endpoint in slow]
        ejected += [self._eject(endpoint, FAILURE_PERCENTAGE) for endpoint in failing if not endpoint.is_ejected]
        return any(ejected)

    def _failing_rates(self, endpoints: list[Endpoint]) -> list[Endpoint]:
        """Whose success rate is below the mean by more than so many standard deviations."""
        rates = self._rates(endpoints, self.config.success_rate_request_volume)
        if not rates or len(rates) < self.config.success_rate_minimum_hosts:
            return []
        mean = sum(rates.values()) / len(rates)
        deviation = sqrt(sum((rate - mean) ** 2 for rate in rates.values()) / len(rates))
        threshold = mean - deviation * self.config.success_rate_stdev_factor / 1000
        return [endpoint for endpoint, rate in rates.items() if rate < threshold]

    def _failing_percentages(self, endpoints: list[Endpoint]) -> list[Endpoint]:
        rates = self._rates(endpoints, self.config.failure_percentage_request_volume)
        if len(rates) < self.config.failure_percentage_minimum_hosts:
            return []
        return [e for e, rate in rates.items() if 100 - rate >= self.config.failure_percentage_threshold]

    def _rates(self, endpoints: list[Endpoint], volume: int) -> dict[Endpoint, float]:
        """Success in percent of the endpoints that are in and had enough requests."""
        monitors = [(endpoint, self._monitor(endpoint)) for endpoint in endpoints if not endpoint.is_ejected]
        return {e: 100 * m.successes / m.total for e, m in monitors if m.total and m.total >= volume}

    def _monitor(self, endpoint: Endpoint) -> OutlierMonitor:
        if endpoint.outlier_monitor is None:
            endpoint.outlier_monitor = OutlierMonitor()
        monitor: OutlierMonitor = endpoint.outlier_monitor
        return monitor


def close_outlier_detection(endpoints: Iterable[Endpoint]) -> None:
    """The cluster no longer detects outliers: everybody is in, nothing is remembered."""
    for endpoint in endpoints:
        endpoint.outlier_monitor = None
        endpoint.set_ejected(False)
