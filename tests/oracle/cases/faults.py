"""Faults on purpose, and answers that a route gives itself."""

from typing import Any

from oracle.script import SHOP, Case, Setup, Step, answered, case, get, hang_up, http, pause, post

_FILTER = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault"
_HEAD, _HEAD_10 = http("HEAD / HTTP/1.1\nHost: shop"), http("HEAD / HTTP/1.0\nHost: shop")
_GRPC = get("/", "Content-Type: application/grpc")


def abort(status: int = 503, percent: int = 100) -> dict[str, Any]:
    return {"abort": {"http_status": status, "percentage": {"numerator": percent}}}


def delay(duration: str = "0.1s", percent: int = 100) -> dict[str, Any]:
    return {"delay": {"fixed_delay": duration, "percentage": {"numerator": percent}}}


def _fault(name: str, *steps: Step | bytes, action: dict[str, Any] | None = None, **fault: Any) -> Case:
    config = {"envoy.filters.http.fault": {"@type": _FILTER, **fault}}
    route = {"match": {"prefix": "/"}, "route": {"cluster": SHOP, **(action or {})}, "typed_per_filter_config": config}
    return case(f"fault: {name}", *steps, setup=Setup(routes=(route,)))


def _direct(name: str, *steps: Step | bytes, status: int = 200, body: str = "hello", **fields: Any) -> Case:
    response = {"status": status, **({"body": {"inline_string": body}} if body else {})}
    route = {"match": {"prefix": "/"}, "direct_response": response, **fields}
    return case(f"direct response: {name}", *steps, setup=Setup(routes=(route,)))


def _added(key: str, value: str, action: str) -> dict[str, Any]:
    return {"response_headers_to_add": [{"header": {"key": key, "value": value}, "append_action": action}]}


_GRPC_ABORT = {"grpc_status": 14, "percentage": {"numerator": 100}}

CASES = (
    *(_fault(f"abort with {status}", get(), **abort(status)) for status in (200, 400, 404, 418, 451, 503)),
    _fault("abort of a HEAD", _HEAD, **abort()),
    _fault("abort of a POST", post("hello"), **abort()),
    _fault("no abort at 0 %", get(), **abort(percent=0)),
    _fault("abort with a gRPC status of what is no gRPC", get(), abort=_GRPC_ABORT),
    _fault("abort with a gRPC status", _GRPC, abort=_GRPC_ABORT),
    _fault("abort of gRPC", _GRPC, **abort()),
    _fault("delay", get(), **delay()),
    _fault("delay of a POST", post("hello"), **delay()),
    _fault("no delay at 0 %", get(), **delay("5s", 0)),
    _fault("delay and abort", get(), **delay(), **abort()),
    _fault("a delay does not count for the timeout", get(), action={"timeout": "0.2s"}, **delay("0.4s")),
    _fault("a client leaves in a delay", get(), pause(0.05), hang_up(), **delay("0.5s")),
    *(
        _direct(f"{status} {'with' if body else 'without'} a body", get("/a?b"), status=status, body=body)
        for status in (200, 201, 204, 301, 302, 304, 400, 404, 503, 599)
        for body in ("hello", "")
    ),
    _direct("to a HEAD", _HEAD),
    _direct("to a HEAD, without a body", _HEAD, body=""),
    _direct("to a HEAD of HTTP/1.0, without a body", _HEAD_10, body=""),
    _direct("to a HEAD, 204", _HEAD, status=204, body=""),
    _direct("to a POST", post("hello")),
    _direct("to a POST without its body", http("POST / HTTP/1.1\nHost: shop\nContent-Length: 5"), answered()),
    _direct("of another type", get(), **_added("content-type", "application/json", "OVERWRITE_IF_EXISTS_OR_ADD")),
    _direct("of one more type", get(), **_added("content-type", "application/json", "APPEND_IF_EXISTS_OR_ADD")),
    _direct("of one more location", get(), status=302, **_added("location", "/x", "APPEND_IF_EXISTS_OR_ADD")),
    _direct("of another location", get(), status=302, **_added("location", "/x", "OVERWRITE_IF_EXISTS_OR_ADD")),
)
