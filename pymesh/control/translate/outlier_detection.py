"""A cluster's outlier detection. Without the block in a DestinationRule there is none."""

from typing import Any

from pymesh.control.model.destination_rule import OutlierDetection
from pymesh.control.translate.config_source import duration


def build_outlier_detection(settings: OutlierDetection | None) -> dict[str, Any]:
    """The fields of a cluster. A counter that the user set to 0 is switched off by its `enforcing_` percentage.

    Ejection by success rate is always off. Istio: applyOutlierDetection in cluster_traffic_policy.go.
    """
    if settings is None:
        return {}
    fields: dict[str, Any] = {"enforcing_success_rate": 0}
    fields |= _counter("consecutive_5xx", settings.consecutive_5xx_errors, settings.consecutive_errors)
    fields |= _counter("consecutive_gateway_failure", settings.consecutive_gateway_errors, 0)
    if settings.interval:
        fields["interval"] = duration(settings.interval)
    if settings.base_ejection_time:
        fields["base_ejection_time"] = duration(settings.base_ejection_time)
    if settings.max_ejection_percent:
        fields["max_ejection_percent"] = settings.max_ejection_percent
    if settings.split_external_local_origin_errors:
        fields["split_external_local_origin_errors"] = True
        local = settings.consecutive_local_origin_failures
        fields |= _counter("consecutive_local_origin_failure", local, 0)
    panic = {"healthy_panic_threshold": {"value": settings.min_health_percent}}
    return {"outlier_detection": fields, "common_lb_config": panic}


def _counter(name: str, count: int | None, deprecated: int) -> dict[str, Any]:
    """None leaves Envoy's default: five 5xx in a row eject, gateway failures do not."""
    if count is None:
        return {name: deprecated} if deprecated else {}
    return {name: count, f"enforcing_{name}": 100} if count > 0 else {f"enforcing_{name}": 0}
