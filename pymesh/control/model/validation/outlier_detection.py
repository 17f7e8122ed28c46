"""Rules of an outlierDetection. Istio: validateOutlierDetection in pkg/config/validation."""

from pymesh.control.model.destination_rule import OutlierDetection
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax


def check_outlier_detection(outlier: OutlierDetection | None, at: Scope) -> None:
    if outlier is None:
        return
    counters = {
        "consecutiveErrors": outlier.consecutive_errors,
        "consecutive5xxErrors": outlier.consecutive_5xx_errors,
        "consecutiveGatewayErrors": outlier.consecutive_gateway_errors,
        "consecutiveLocalOriginFailures": outlier.consecutive_local_origin_failures,
    }
    for name, counter in counters.items():
        syntax.check_not_negative(counter or 0, at[name])
    if outlier.consecutive_errors:
        at["consecutiveErrors"].warn("is deprecated; use consecutive5xxErrors or consecutiveGatewayErrors")
    is_split = outlier.split_external_local_origin_errors or not outlier.consecutive_local_origin_failures
    at["consecutiveLocalOriginFailures"].require(is_split, "needs splitExternalLocalOriginErrors: true")
    syntax.check_duration(outlier.interval, at["interval"])
    syntax.check_duration(outlier.base_ejection_time, at["baseEjectionTime"])
    syntax.check_range(outlier.max_ejection_percent, 0, 100, at["maxEjectionPercent"])
    syntax.check_range(outlier.min_health_percent, 0, 100, at["minHealthPercent"])
    for index, code in enumerate(outlier.outlier_detection_http_error_codes):
        syntax.check_range(code, 100, 599, at["outlierDetectionHttpErrorCodes"][index])
