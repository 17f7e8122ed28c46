"""Rules of a fault. Istio: validateHTTPFaultInjection in pkg/config/validation."""

from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax
from pymesh.control.model.virtual_service import GRPC_STATUSES, Abort, Delay, HTTPFaultInjection


def check_fault(fault: HTTPFaultInjection | None, at: Scope) -> None:
    if fault is None:
        return
    at.require(fault.delay or fault.abort, "must have at least one of delay and abort")
    if fault.delay is not None:
        _check_delay(fault.delay, at["delay"])
    if fault.abort is not None:
        _check_abort(fault.abort, at["abort"])


def _check_delay(delay: Delay, at: Scope) -> None:
    syntax.check_range(delay.percent, 0, 100, at["percent"])
    syntax.check_percent(delay.percentage, at["percentage"])
    at["fixedDelay"].require(delay.fixed_delay or delay.exponential_delay, "is required")
    syntax.check_duration(delay.fixed_delay, at["fixedDelay"])


def _check_abort(abort: Abort, at: Scope) -> None:
    syntax.check_percent(abort.percentage, at["percentage"])
    alternatives = (abort.http_status, abort.grpc_status, abort.http2_error)
    chosen = sum(alternative is not None for alternative in alternatives)
    at.require(chosen <= 1, "must have only one of httpStatus and grpcStatus")
    if not chosen:
        at.warn("has no effect without httpStatus or grpcStatus")
    if abort.http_status is not None:
        syntax.check_range(abort.http_status, 200, 599, at["httpStatus"])
    if abort.grpc_status is not None:
        is_known = abort.grpc_status.upper() in GRPC_STATUSES
        at["grpcStatus"].require(is_known, f"must be one of {', '.join(GRPC_STATUSES)}, not {abort.grpc_status!r}")
