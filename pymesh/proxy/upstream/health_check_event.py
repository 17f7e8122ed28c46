"""Changes of health, told to the log and, where the cluster names a file, written to it as Envoy writes them.

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/health_checking#health-check-event-logging
"""

import json
import logging
from datetime import UTC, datetime
from typing import Any

from pymesh.proxy.upstream.endpoint import Endpoint
from pymesh.proxy.upstream.health_check import HealthCheckConfig, HttpCheck, Transition

log = logging.getLogger(__name__)


class HealthCheckEvents:
    """envoy.data.core.v3.HealthCheckEvent; events are rare, a line each."""

    def __init__(self, cluster: str, config: HealthCheckConfig) -> None:
        self._cluster = cluster
        self._config = config
        self._type = "HTTP" if isinstance(config.check, HttpCheck) else "TCP"

    def on_success(self, endpoint: Endpoint, transition: Transition, is_first: bool, was_degraded: bool) -> None:
        is_degraded = endpoint.is_check_degraded
        if transition is Transition.CHANGED and is_degraded == was_degraded:
            log.info("cluster %s: %s passes its health checks", self._cluster, endpoint.address)
            self._write(endpoint, "add_healthy_event", {"first_check": is_first})
        elif is_degraded != was_degraded:
            log.info("cluster %s: %s is %s", self._cluster, endpoint.address, "degraded" if is_degraded else "whole")
            self._write(endpoint, "degraded_healthy_host" if is_degraded else "no_longer_degraded_host", {})
        elif self._config.always_log_success:
            self._write(endpoint, "successful_health_check_event", {})

    def on_failure(self, endpoint: Endpoint, failure: str, transition: Transition, is_first: bool, status: int) -> None:
        if transition is Transition.CHANGED and endpoint.is_failing and not is_first:
            why = f"{failure} {status}" if status else failure
            log.warning("cluster %s: %s fails its health checks: %s", self._cluster, endpoint.address, why)
            self._write(endpoint, "eject_unhealthy_event", {"failure_type": failure})
        if is_first or self._config.always_log_failures:
            self._write(endpoint, "health_check_failure_event", {"failure_type": failure, "first_check": is_first})

    def _write(self, endpoint: Endpoint, event: str, fields: dict[str, Any]) -> None:
        if not self._config.event_log_path:
            return
        address = {"protocol": "TCP", "address": endpoint.host, "port_value": endpoint.port, "resolver_name": ""}
        line = {
            "health_checker_type": self._type,
            "host": {"socket_address": address},
            "cluster_name": self._cluster,
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            event: fields,
        }
        try:
            with open(self._config.event_log_path, "a") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            log.warning("cluster %s: no health check event log: %s", self._cluster, error)
