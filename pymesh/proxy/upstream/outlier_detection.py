"""Passive health: an endpoint that fails again and again is ejected for a while. Pure: time is an argument.

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/outlier
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pymesh.proxy.upstream.endpoint import Endpoint
from pymesh.proxy.upstream.outlier_monitor import OutlierMonitor
from pymesh.proxy.upstream.success_rate import SuccessCount, find_failing, find_outliers

CONSECUTIVE_5XX = "consecutive_5xx"
CONSECUTIVE_GATEWAY_FAILURE = "consecutive_gateway_failure"
CONSECUTIVE_LOCAL_ORIGIN_FAILURE = "consecutive_local_origin_failure"
SUCCESS_RATE = "success_rate"
FAILURE_PERCENTAGE = "failure_percentage"
LOCAL_ORIGIN_SUCCESS_RATE = "local_origin_success_rate"
LOCAL_ORIGIN_FAILURE_PERCENTAGE = "failure_percentage_local_origin"

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
    # only where local origin errors are split off
    enforcing_local_origin_success_rate: int = 100
    enforcing_failure_percentage_local_origin: int = 0
    successful_active_health_check_uneject_host: bool = True


class OutlierDetector:
    """One per cluster that has outlier detection. `on_change` after every ejection and return.

    `ejections` and `detections` count by cause what was enforced and what was found; `overflow` those that
    max_ejection_percent has prevented.
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
        self.ejections: Counter[str] = Counter()
        self.detections: Counter[str] = Counter()
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
            self._on_failure(endpoint, monitor)
            return
        if self.config.split_external_local_origin_errors:
            monitor.consecutive_local_origin_failure = 0
            monitor.local_total += 1
            monitor.local_successes += 1
            if code is None:
                return
        monitor.total += 1
        if code is not None and code >= 500:
            self._on_5xx(endpoint, monitor, code)
        else:
            monitor.successes += 1
            monitor.consecutive_5xx = 0
            monitor.consecutive_gateway_failure = 0

    def _on_failure(self, endpoint: Endpoint, monitor: OutlierMonitor) -> None:
        # "split_external_local_origin_errors: false": local origin errors are taken for 5xx. Envoy maps a timeout to
        # 504, a failed connect and a reset to 503; all are gateway failures.
        if not self.config.split_external_local_origin_errors:
            monitor.total += 1
            self._on_5xx(endpoint, monitor, 503)
            return
        monitor.local_total += 1
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
        self.detections[cause] += 1
        if not self._has_room():
            self.overflow += 1
            return False
        if endpoint.is_ejected or not self._is_enforced(cause):
            return False
        config, monitor = self.config, self._monitor(endpoint)
        monitor.ejected_at = self._now()
        monitor.ejections += 1
        monitor.jitter = config.max_ejection_time_jitter * self._random()
        if monitor.multiplier * config.base_ejection_time < self._longest() + config.base_ejection_time:
            monitor.multiplier += 1
        endpoint.set_ejected(True)
        self.ejections[cause] += 1
        return True

    def _has_room(self) -> bool:
        """Envoy 1.40: with this one, no more than max_ejection_percent of all may be out. So 10 % of fewer than ten is
        nobody, unless always_eject_one_host lets the first go in any case."""
        endpoints = list(self._endpoints())
        ejected = sum(endpoint.is_ejected for endpoint in endpoints)
        if self.config.always_eject_one_host and not ejected:
            return True
        return 100.0 * (ejected + 1) / len(endpoints) <= self.config.max_ejection_percent

    def _is_enforced(self, cause: str) -> bool:
        percent = int(getattr(self.config, f"enforcing_{cause}"))
        return percent >= 100 or self._random() * 100 < percent

    def _longest(self) -> float:
        # max_ejection_time: "if not specified, the default value (300 s) or base_ejection_time, whichever is larger".
        return max(self.config.max_ejection_time, self.config.base_ejection_time)

    # return

    def on_health_check_passed(self, endpoint: Endpoint) -> None:
        """Who passes an active health check is let in at once, where the cluster does not say otherwise."""
        if endpoint.is_ejected and self.config.successful_active_health_check_uneject_host:
            self._uneject(endpoint, self._monitor(endpoint))
            self._on_change()

    def _uneject(self, endpoint: Endpoint, monitor: OutlierMonitor) -> None:
        endpoint.set_ejected(False)
        monitor.unejected_at = self._now()
        monitor.consecutive_5xx = monitor.consecutive_gateway_failure = 0
        monitor.consecutive_local_origin_failure = 0

    # every interval

    def on_interval(self) -> None:
        """Take back whose time is up, judge the rates of the interval that ends, and forgive who was not ejected."""
        monitors = [(endpoint, self._monitor(endpoint)) for endpoint in self._endpoints()]
        has_changed = False
        for endpoint, monitor in monitors:
            has_changed |= self._check_return(endpoint, monitor)
        has_changed |= self._judge_rates(monitors)
        for endpoint, monitor in monitors:
            monitor.total = monitor.successes = monitor.local_total = monitor.local_successes = 0
            self._forgive(endpoint, monitor)
        if has_changed:
            self._on_change()

    def _check_return(self, endpoint: Endpoint, monitor: OutlierMonitor) -> bool:
        if not endpoint.is_ejected:
            return False
        time = min(self.config.base_ejection_time * monitor.multiplier, self._longest()) + monitor.jitter
        if self._now() - monitor.ejected_at < time:
            return False
        self._uneject(endpoint, monitor)
        return True

    def _forgive(self, endpoint: Endpoint, monitor: OutlierMonitor) -> None:
        """Envoy: only who has been back for an interval."""
        if not monitor.multiplier or endpoint.is_ejected or monitor.unejected_at is None:
            return
        if self._now() - monitor.unejected_at >= self.config.interval:
            monitor.multiplier -= 1

    def _judge_rates(self, monitors: list[tuple[Endpoint, OutlierMonitor]]) -> bool:
        judged = [(endpoint, monitor) for endpoint, monitor in monitors if not endpoint.is_ejected]
        volume = min(self.config.success_rate_request_volume, self.config.failure_percentage_request_volume)
        for _, monitor in monitors:
            monitor.note_rates(volume)
        external = [SuccessCount(e, m.successes, m.total) for e, m in judged if m.total]
        ejected = self._judge_counts(external, SUCCESS_RATE, FAILURE_PERCENTAGE)
        local = [SuccessCount(e, m.local_successes, m.local_total) for e, m in judged if m.local_total]
        return self._judge_counts(local, LOCAL_ORIGIN_SUCCESS_RATE, LOCAL_ORIGIN_FAILURE_PERCENTAGE) or ejected

    def _judge_counts(self, counts: list[SuccessCount], outlier: str, failing: str) -> bool:
        """`outlier` and `failing` are the causes. Who is ejected by rate is counted by percentage, too."""
        config = self.config
        found = find_outliers(
            [count for count in counts if count.total >= config.success_rate_request_volume],
            config.success_rate_minimum_hosts,
            config.success_rate_stdev_factor / 1000.0,
        )
        ejected = [self._eject(endpoint, outlier) for endpoint in found]
        found = find_failing(
            [count for count in counts if count.total >= config.failure_percentage_request_volume],
            config.failure_percentage_minimum_hosts,
            config.failure_percentage_threshold,
        )
        ejected += [self._eject(endpoint, failing) for endpoint in found]
        return any(ejected)

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
