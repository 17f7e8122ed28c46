"""The answers that the router gives itself, word for word as Envoy's."""

from pymesh.proxy.codec.grpc import encode_message, grpc_status
from pymesh.proxy.http_filters.filter import LocalReply
from pymesh.proxy.upstream.failure import MAX_STREAM_DURATION, UpstreamFailure

ROUTE_NOT_FOUND = LocalReply(404, b"", "route_not_found", "NR")
NO_HEALTHY_UPSTREAM = LocalReply(503, b"no healthy upstream", "no_healthy_upstream", "UH")
RESPONSE_TIMEOUT = LocalReply(504, b"upstream request timeout", "response_timeout", "UT")
BUFFER_EXCEEDED = LocalReply(
    507, b"exceeded request buffer limit while retrying upstream", "request_payload_exceeded_retry_buffer_limit"
)
UPGRADE_FAILED = LocalReply(403, b"", "upgrade_failed")
INTERNAL_ERROR = LocalReply(500, b"Internal Server Error", "internal_error")
STREAM_IDLE_TIMEOUT_REQUEST = LocalReply(408, b"stream timeout", "stream_idle_timeout", "SI")
STREAM_IDLE_TIMEOUT_RESPONSE = LocalReply(504, b"stream timeout", "stream_idle_timeout", "SI")

REQUEST_TIMEOUT = LocalReply(408, b"request timeout", "request_overall_timeout")
CONNECTION_HEADER_REJECTED = LocalReply(400, b"Bad Request", "http1.connection_header_rejected", "DPE")
REQUEST_HEADER_TIMEOUT = LocalReply(408, b"request header timeout", "request_header_timeout")
MAX_DURATION = LocalReply(504, b"downstream duration timeout", "max_duration_timeout", grpc_status=4)
PATH_REJECTED = LocalReply(400, b"", "path_normalization_failed")
ABSOLUTE_PATH_REJECTED = LocalReply(404, b"", "absolute_path_rejected")

_GRPC = (b"content-type", b"application/grpc")
_OVERLOADED = ((b"x-envoy-overloaded", b"true"),)


def cluster_not_found(status: int) -> LocalReply:
    return LocalReply(status, b"", "cluster_not_found", "NC")


def try_timed_out(failure: UpstreamFailure) -> LocalReply:
    """Of a try that took too long, one way or the other."""
    details = f"upstream_{failure.reason.replace(' ', '_')}"
    if failure is MAX_STREAM_DURATION:
        return LocalReply(504, b"upstream max stream duration reached", details, failure.flag)
    return RESPONSE_TIMEOUT._replace(details=details)


def upstream_failed(failure: UpstreamFailure, was_retried: bool) -> LocalReply:
    """Before any response head has gone downstream."""
    if failure.status == 504:
        return try_timed_out(failure)
    if failure.status == 500:
        return INTERNAL_ERROR
    reason = failure.reason.encode()
    what = b"retried and the latest reset reason: " if was_retried else b"reset reason: "
    body = b"upstream connect error or disconnect/reset before headers. %b%b" % (what, reason)
    detail = failure.reason.replace(" ", "_")
    if failure.transport_failure:
        detail = f"{detail}|{failure.transport_failure.replace(' ', '_')}"
    headers = _OVERLOADED if failure.flag == "UO" else ()
    phase = "before" if failure.before_response else "after"  # after: an interim response came
    return LocalReply(
        failure.status, body, f"upstream_reset_{phase}_response_started{{{detail}}}", failure.flag, headers
    )


def as_grpc(reply: LocalReply, method: bytes) -> LocalReply:
    """For a client of gRPC: no body, and what it would say in fields. Envoy: Http::Utility::sendLocalReply."""
    status = grpc_status(reply.status) if reply.grpc_status is None else reply.grpc_status
    message = ((b"grpc-message", encode_message(reply.body)),) if reply.body and method != b"HEAD" else ()
    others = tuple(pair for pair in reply.headers if pair[0] != b"content-type")
    fields = (_GRPC, (b"grpc-status", b"%d" % status), *message, *others)
    return reply._replace(status=200, body=b"", headers=fields)
