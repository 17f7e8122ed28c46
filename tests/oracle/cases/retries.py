"""What is tried again, how often, and what is said of it."""

from typing import Any

from oracle.script import (
    CLOSE,
    NOTHING,
    RESET,
    Setup,
    answered,
    case,
    chunked,
    get,
    pause,
    post,
    requested,
    respond,
    response,
    send,
    serve,
    server_closes,
    write,
)

# Of a response without a body: where there is one, Envoy would close its connection.
BUSY, OK = response(503, body=""), response()
COUNTED = {"include_attempt_count_in_response": True, "include_request_attempt_count": True}
SLOW_BACK_OFF = {"base_interval": "300s", "max_interval": "300s"}  # full jitter: from no time at all


def policy(retry_on: str, num_retries: int = 1, **fields: Any) -> dict[str, Any]:
    return {"retry_policy": {"retry_on": retry_on, "num_retries": num_retries, **fields}}


def retried(name: str, retry_on: str, *answers: bytes | str, request: bytes | None = None, **fields: Any) -> Any:
    setup = Setup(route=policy(retry_on, **fields), virtual_host=COUNTED)
    return case(name, serve(*answers), request or get("/"), setup=setup)


STATUSES = (400, 409, 404, 425, 429, 500, 501, 502, 503, 504)
CONDITIONS = ("5xx", "gateway-error", "retriable-4xx", "reset", "connect-failure", "refused-stream")

CASES = (
    *(
        retried(f"{status} under {condition}", condition, response(status, body=""), OK)
        for condition in CONDITIONS[:3]
        for status in STATUSES
    ),
    *(retried(f"a server that closes under {condition}", condition, CLOSE, OK) for condition in CONDITIONS),
    *(retried(f"a server that resets under {condition}", condition, RESET, OK) for condition in CONDITIONS),
    *(
        case(
            f"a refused connection under {condition}",
            get("/"),
            setup=Setup(route=policy(condition), virtual_host=COUNTED, refusing=("shop-1",)),
        )
        for condition in (*CONDITIONS, "reset-before-request", "5xx,reset")
    ),
    retried("a server that closes under reset-before-request", "reset-before-request", CLOSE, OK),
    retried("a server that closes under Istio's conditions", "connect-failure,refused-stream,unavailable", CLOSE, OK),
    retried(
        "a named status is retried", "retriable-status-codes", response(404, body=""), OK, retriable_status_codes=[404]
    ),
    retried("a named status needs its condition", "5xx", response(404, body=""), OK, retriable_status_codes=[404]),
    retried(
        "another status is not", "retriable-status-codes", response(410, body=""), OK, retriable_status_codes=[404]
    ),
    retried(
        "a named 200 is retried",
        "retriable-status-codes",
        response(200, body=""),
        response(201, body=""),
        retriable_status_codes=[200],
    ),
    retried(
        "too early is retried at once",
        "retriable-status-codes",
        response(425, body=""),
        OK,
        retriable_status_codes=[425],
        retry_back_off=SLOW_BACK_OFF,
    ),
    retried(
        "too early is the client's where it was early itself",
        "retriable-status-codes",
        response(425, body=""),
        OK,
        request=get("/", "early-data: 1"),
        retriable_status_codes=[425],
    ),
    retried(
        "a response's header wants a retry",
        "retriable-headers",
        response(200, "x-again: yes", body=""),
        OK,
        retriable_headers=[{"name": "X-Again", "string_match": {"exact": "yes"}}],
    ),
    retried(
        "a response's header has another value",
        "retriable-headers",
        response(200, "x-again: no", body=""),
        OK,
        retriable_headers=[{"name": "X-Again", "string_match": {"exact": "yes"}}],
    ),
    retried(
        "only requests with a header are retried",
        "5xx",
        BUSY,
        OK,
        retriable_request_headers=[{"name": "x-safe", "present_match": True}],
    ),
    retried(
        "a request with the header is retried",
        "5xx",
        BUSY,
        OK,
        request=get("/", "x-safe: 1"),
        retriable_request_headers=[{"name": "x-safe", "present_match": True}],
    ),
    retried("an overloaded server is asked again", "5xx", response(503, "x-envoy-overloaded: true", body=""), OK),
    retried("a rate-limiting server is not", "5xx", response(503, "x-envoy-ratelimited: true", body=""), OK),
    retried(
        "a rate-limiting server is, where that is said",
        "envoy-ratelimited",
        response(429, "x-envoy-ratelimited: 1", body=""),
        OK,
    ),
    *(
        retried(
            f"gRPC status {number} under {condition}", condition, response(200, f"grpc-status: {number}", body=""), OK
        )
        for number, condition in (
            (1, "cancelled"),
            (4, "deadline-exceeded"),
            (8, "resource-exhausted"),
            (13, "internal"),
        )
    ),
    retried("another gRPC status", "cancelled,unavailable", response(200, "grpc-status: 13", body=""), OK),
    retried("the last of three tries is the answer", "5xx", BUSY, num_retries=2),
    retried("the last of three closes is a 503", "reset", CLOSE, num_retries=2),
    retried("a policy of no retries", "5xx", BUSY, OK, num_retries=0),
    retried("a response with a body is retried on the same connection", "5xx", response(503, body="busy"), OK),
    retried("a body is sent again", "5xx", BUSY, OK, request=post("hello")),
    retried("a chunked body is sent again", "5xx", BUSY, OK, request=chunked("hello", " world")),
    retried("a garbled response is retried as a reset", "reset", b"nonsense\r\n\r\n", OK),
    retried("half a head is retried as a reset", "reset", b"HTTP/1.1 200 OK\r\nContent-", OK),
    case(
        "a body over the buffer's limit is not sent again",
        serve(BUSY, OK),
        post("x" * 200),
        setup=Setup(route=policy("5xx"), virtual_host={"per_request_buffer_limit_bytes": 100, **COUNTED}),
    ),
    case(
        "a body that outgrows the limit during a back-off",
        send(post("x" * 200)[:-150]),
        requested(),
        respond(503, body="busy"),
        pause(0.2),
        send(b"x" * 150),
        answered(),
        setup=Setup(
            route=policy("5xx", retry_back_off=SLOW_BACK_OFF),
            virtual_host={"per_request_buffer_limit_bytes": 100, **COUNTED},
        ),
    ),
    case(
        "a timeout during a back-off",
        serve(BUSY),
        get("/"),
        setup=Setup(route={**policy("5xx", retry_back_off=SLOW_BACK_OFF), "timeout": "0.2s"}, virtual_host=COUNTED),
    ),
    case(
        "no healthy endpoint",
        get("/"),
        setup=Setup(route=policy("5xx"), virtual_host=COUNTED, endpoints=0),
    ),
    case(
        "retries are more than the cluster may have",
        serve(BUSY),
        get("/"),
        setup=Setup(
            route=policy("5xx"),
            cluster={"circuit_breakers": {"thresholds": [{"max_retries": 0}]}},
            virtual_host=COUNTED,
        ),
    ),
    case(
        "a retry goes to another endpoint",
        serve(CLOSE, OK),
        get("/"),
        setup=Setup(
            route=policy(
                "reset",
                retry_host_predicate=[
                    {
                        "name": "envoy.retry_host_predicates.previous_hosts",
                        "typed_config": {
                            "@type": "type.googleapis.com/"
                            "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
                        },
                    }
                ],
                host_selection_retry_max_attempts=10,
            ),
            virtual_host=COUNTED,
            endpoints=2,
        ),
    ),
    *(
        case(
            f"a {method} on a kept connection that the server closes",
            serve(OK, CLOSE, OK),
            get("/"),
            answered(),
            send(get("/").replace(b"GET", method.encode())),
            answered(),
            setup=Setup(route=policy("connect-failure")),
        )
        for method in ("GET", "PUT", "POST")
    ),
    case(
        "a server that closes after an interim response",
        get("/"),
        requested(),
        write(b"HTTP/1.1 100 Continue\r\n\r\n"),
        server_closes(),
        answered(),
        setup=Setup(route=policy("5xx")),
    ),
    case(
        "a busy server after an interim response",
        serve(b"HTTP/1.1 100 Continue\r\n\r\n" + BUSY, OK),
        get("/"),
        setup=Setup(route=policy("5xx")),
    ),
    retried("a slow try is made again", "reset", NOTHING, OK, per_try_timeout="0.2s"),
    retried(
        "a slow try is not made again under connect-failure", "connect-failure", NOTHING, OK, per_try_timeout="0.2s"
    ),
    retried("every try is slow", "5xx", NOTHING, per_try_timeout="0.2s", num_retries=2),
)
