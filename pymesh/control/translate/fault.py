"""envoy.extensions.filters.http.fault.v3.HTTPFault, per route."""

from typing import Any

from pymesh.control.model.virtual_service import GRPC_STATUSES, Abort, Delay, HTTPFaultInjection
from pymesh.control.translate.config_source import duration
from pymesh.control.translate.type_urls import HTTP_FAULT
from pymesh.protojson import fractional_percent


def build_fault(fault: HTTPFaultInjection | None) -> dict[str, Any] | None:
    """None where nothing is injected. A percentage that is not given is 0 %.

    `exponentialDelay` and `http2Error` have no effect, as in Istio.
    """
    if fault is None:
        return None
    built: dict[str, Any] = {"@type": HTTP_FAULT}
    if fault.delay is not None and fault.delay.fixed_delay is not None:
        built["delay"] = _delay(fault.delay, fault.delay.fixed_delay)
    abort = _abort(fault.abort) if fault.abort is not None else None
    if abort is not None:
        built["abort"] = abort
    return built if len(built) > 1 else None


def _delay(delay: Delay, fixed: str) -> dict[str, Any]:
    percent = delay.percentage.value if delay.percentage is not None else delay.percent
    return {"fixed_delay": duration(fixed), "percentage": fractional_percent(percent)}


def _abort(abort: Abort) -> dict[str, Any] | None:
    percentage = fractional_percent(abort.percentage.value if abort.percentage is not None else 0)
    if abort.http_status is not None:
        return {"http_status": abort.http_status, "percentage": percentage}
    if abort.grpc_status is not None and abort.grpc_status.upper() in GRPC_STATUSES:
        return {"grpc_status": GRPC_STATUSES.index(abort.grpc_status.upper()), "percentage": percentage}
    return None
