"""Why a try at an endpoint came to nothing: values, in Envoy's words."""

from typing import NamedTuple

from pymesh.proxy.upstream.transport import ConnectError


class UpstreamFailure(NamedTuple):
    """`reason` is Envoy's reset reason, which stands in the answer's body; `flag` its response flag.

    `is_refused`: the server says that it has done nothing of the request. `before_request`: the request has not been
    sent. `before_response`: no byte of an answer came.
    """

    reason: str
    flag: str
    status: int = 503
    is_connect_failure: bool = False
    is_refused: bool = False
    before_request: bool = False
    before_response: bool = True
    transport_failure: str = ""


OVERFLOW = UpstreamFailure("overflow", "UO", before_request=True)
CONNECTION_TERMINATION = UpstreamFailure("connection termination", "UC")
CONNECTION_TERMINATION_IN_RESPONSE = CONNECTION_TERMINATION._replace(before_response=False)
PROTOCOL_ERROR = UpstreamFailure("protocol error", "UPE", 502)
PROTOCOL_ERROR_IN_RESPONSE = PROTOCOL_ERROR._replace(before_response=False)
REMOTE_RESET = UpstreamFailure("remote reset", "UR")
REMOTE_RESET_IN_RESPONSE = REMOTE_RESET._replace(before_response=False)
REFUSED_STREAM = UpstreamFailure("remote refused stream reset", "UR", is_refused=True)
INTERNAL_ERROR = UpstreamFailure("internal error", "", 500, before_response=False)
PER_TRY_TIMEOUT = UpstreamFailure("per try timeout", "UT", 504)
PER_TRY_IDLE_TIMEOUT = UpstreamFailure("per try idle timeout", "UT", 504)
MAX_STREAM_DURATION = UpstreamFailure("max stream duration reached", "UMSDR", 504)


def connect_failure(error: ConnectError) -> UpstreamFailure:
    return UpstreamFailure(
        error.reason, "UF", is_connect_failure=True, before_request=True, transport_failure=error.transport_failure
    )


CLOSED_AT_ONCE = connect_failure(ConnectError("remote connection failure", "closed by peer"))
