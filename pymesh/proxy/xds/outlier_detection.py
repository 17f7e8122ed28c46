"""Cluster.outlier_detection -> OutlierDetectionConfig. Pure."""

from pymesh.durations import read_positive_seconds, read_seconds
from pymesh.protojson import Reader
from pymesh.proxy.upstream.outlier_detection import OutlierDetectionConfig


def decode_outlier_detection(reader: Reader) -> OutlierDetectionConfig | None:
    """https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/cluster/v3/outlier_detection.proto"""
    found = reader.object("outlier_detection")
    if found is None:
        return None
    default = OutlierDetectionConfig()
    config = OutlierDetectionConfig(
        interval=read_positive_seconds(found, "interval", default.interval),
        base_ejection_time=read_positive_seconds(found, "base_ejection_time", default.base_ejection_time),
        max_ejection_time=read_positive_seconds(found, "max_ejection_time", default.max_ejection_time),
        max_ejection_time_jitter=read_seconds(found, "max_ejection_time_jitter", 0.0),
        split_external_local_origin_errors=found.boolean("split_external_local_origin_errors"),
        always_eject_one_host=found.boolean("always_eject_one_host"),
        successful_active_health_check_uneject_host=found.boolean("successful_active_health_check_uneject_host", True),
        **{key: found.integer(key, getattr(default, key)) for key in _OUTLIER_COUNTS},
        **{key: _outlier_percent(found, key, getattr(default, key)) for key in _OUTLIER_PERCENTS},
    )
    if "max_ejection_time" in found and config.max_ejection_time < config.base_ejection_time:
        # Envoy: "outlier detector's max_ejection_time cannot be smaller than base_ejection_time"
        found.fail("max_ejection_time", "must not be below base_ejection_time")
    return config


_OUTLIER_COUNTS = (
    "consecutive_5xx",
    "consecutive_gateway_failure",
    "consecutive_local_origin_failure",
    "success_rate_minimum_hosts",
    "success_rate_request_volume",
    "success_rate_stdev_factor",
    "failure_percentage_minimum_hosts",
    "failure_percentage_request_volume",
)
_OUTLIER_PERCENTS = (
    "enforcing_consecutive_5xx",
    "enforcing_consecutive_gateway_failure",
    "enforcing_consecutive_local_origin_failure",
    "enforcing_success_rate",
    "enforcing_failure_percentage",
    "enforcing_local_origin_success_rate",
    "enforcing_failure_percentage_local_origin",
    "failure_percentage_threshold",
    "max_ejection_percent",
)


def _outlier_percent(reader: Reader, key: str, default: int) -> int:
    value = reader.integer(key, default)
    return value if 0 <= value <= 100 else reader.fail(key, "must be 0..100")
