"""What ends a message, a stream or a connection that takes too long."""

from typing import Any

from oracle.script import (
    NOTHING,
    Setup,
    answered,
    case,
    closed,
    get,
    pause,
    post,
    requested,
    respond,
    response,
    sees,
    send,
    serve,
    write,
)

SHORT, GET = "0.2s", get("/")
HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"
SILENT = serve(NOTHING)


def common(**options: Any) -> dict[str, Any]:
    return {"common_http_protocol_options": options}


def retries(**fields: Any) -> dict[str, Any]:
    return {"retry_policy": {"retry_on": "connect-failure", **fields}}


CASES = (
    case("the route's timeout", SILENT, GET, setup=Setup(route={"timeout": SHORT})),
    case("the server is told the route's timeout", GET, setup=Setup(route={"timeout": "7s"})),
    case(
        "the server is told the per-try timeout",
        GET,
        setup=Setup(route={"timeout": "7s", **retries(per_try_timeout="2s")}),
    ),
    case(
        "a per-try timeout that is not shorter",
        GET,
        setup=Setup(route={"timeout": "7s", **retries(per_try_timeout="7s")}),
    ),
    case(
        "the route's timeout within a response",
        GET,
        requested(),
        write(HALF),
        closed(),
        setup=Setup(route={"timeout": SHORT}),
    ),
    case(
        "the route's timeout begins with the end of the request",
        send(post("hello")[:-1]),
        requested(),
        pause(0.4),
        send(b"o"),
        answered(),
        setup=Setup(route={"timeout": SHORT}),
    ),
    case(
        "the route's timeout begins with the end of the request though the response has begun",
        send(post("hello")[:-1]),
        requested(),
        write(HALF),
        sees(b"abc"),
        pause(0.4),
        send(b"o"),
        closed(),
        setup=Setup(route={"timeout": SHORT}),
    ),
    case("the per-try timeout", SILENT, GET, setup=Setup(route=retries(per_try_timeout=SHORT))),
    case("the per-try idle timeout", SILENT, GET, setup=Setup(route=retries(per_try_idle_timeout=SHORT))),
    case(
        "the per-try idle timeout within a response",
        GET,
        requested(),
        write(HALF),
        closed(),
        setup=Setup(route=retries(per_try_idle_timeout=SHORT)),
    ),
    case(
        "the per-try timeout within a response",
        GET,
        requested(),
        write(HALF),
        pause(0.4),
        write(b"defghij"),
        answered(),
        setup=Setup(route=retries(per_try_timeout=SHORT)),
    ),
    case("the stream idle timeout of a server", SILENT, GET, setup=Setup(hcm={"stream_idle_timeout": SHORT})),
    case(
        "the stream idle timeout of a client",
        send(post("hello")[:-1]),
        requested(),
        answered(),
        setup=Setup(hcm={"stream_idle_timeout": SHORT}),
    ),
    case(
        "the stream idle timeout within a response",
        GET,
        requested(),
        write(HALF),
        closed(),
        setup=Setup(hcm={"stream_idle_timeout": SHORT}),
    ),
    case("the stream idle timeout of a route", SILENT, GET, setup=Setup(route={"idle_timeout": SHORT})),
    case(
        "a route lifts the stream idle timeout",
        GET,
        requested(),
        pause(0.5),
        respond(),
        answered(),
        setup=Setup(hcm={"stream_idle_timeout": SHORT}, route={"idle_timeout": "0s"}),
    ),
    case(
        "each byte keeps a stream alive",
        GET,
        requested(),
        write(HALF),
        pause(0.3),
        write(b"def"),
        pause(0.3),
        write(b"ghij"),
        answered(),
        setup=Setup(hcm={"stream_idle_timeout": "0.5s"}),
    ),
    case(
        "a slow head by the stream idle timeout",
        send(GET[:-2]),
        closed(),
        setup=Setup(hcm={"stream_idle_timeout": SHORT, "request_headers_timeout": "0s"}),
    ),
    case("a slow head", send(GET[:-2]), closed(), setup=Setup(hcm={"request_headers_timeout": SHORT})),
    case("a slow request line", send(b"GE"), closed(), setup=Setup(hcm={"request_headers_timeout": SHORT})),
    case("a slow head by the request timeout", send(GET[:-2]), closed(), setup=Setup(hcm={"request_timeout": SHORT})),
    case(
        "a slow body",
        send(post("hello")[:-1]),
        requested(),
        answered(),
        setup=Setup(hcm={"request_timeout": SHORT}),
    ),
    case(
        "the request timeout is not the response's",
        GET,
        requested(),
        pause(0.4),
        respond(),
        answered(),
        setup=Setup(hcm={"request_timeout": SHORT}),
    ),
    case("the longest stream", SILENT, GET, setup=Setup(hcm=common(max_stream_duration=SHORT))),
    case(
        "the longest stream of a route",
        SILENT,
        GET,
        setup=Setup(route={"timeout": "7s", "max_stream_duration": {"max_stream_duration": SHORT}}),
    ),
    case(
        "a route lifts the longest stream",
        GET,
        requested(),
        pause(0.4),
        respond(),
        answered(),
        setup=Setup(
            hcm=common(max_stream_duration=SHORT), route={"max_stream_duration": {"max_stream_duration": "0s"}}
        ),
    ),
    case(
        "the longest stream of a request that is not complete",
        send(post("hello")[:-1]),
        requested(),
        answered(),
        setup=Setup(hcm=common(max_stream_duration=SHORT)),
    ),
    case(
        "the longest stream within a response",
        GET,
        requested(),
        write(HALF),
        closed(),
        setup=Setup(hcm=common(max_stream_duration=SHORT)),
    ),
    case("an idle connection", serve(response()), GET, closed(), setup=Setup(hcm=common(idle_timeout=SHORT))),
    case(
        "a connection's longest time",
        serve(response()),
        GET,
        closed(),
        setup=Setup(hcm=common(max_connection_duration=SHORT)),
    ),
    case(
        "a response that stops is cut and what came is passed on",
        GET,
        requested(),
        write(HALF),
        sees(b"abc"),
        closed(),
        setup=Setup(route={"timeout": "0.4s"}),
    ),
)
