"""HTTP/1.0, keep-alive, pipelining, and how connections end."""

from oracle.script import (
    GATEWAY,
    INBOUND,
    OK,
    Setup,
    answered,
    case,
    chunks_of,
    closed,
    end_sending,
    get,
    hang_up,
    http,
    pause,
    post,
    requested,
    reset,
    respond,
    response,
    send,
    serve,
    write,
)

_OLD = http("GET / HTTP/1.0\nHost: shop")
_OLD_ALIVE = http("GET / HTTP/1.0\nHost: shop\nConnection: keep-alive")
_INSIDE = Setup(at=INBOUND)


def _connection(option: str) -> bytes:
    return get("/", f"Connection: {option}")


CASES = (
    *(
        case(f"a protocol that is not HTTP: {line}", http(f"{line}\nHost: shop"), setup=Setup(at=INBOUND))
        for line in ("GET / RTSP/1.0", "DESCRIBE / RTSP/1.0", "OPTIONS * RTSP/1.0", "SOURCE / ICE/1.0", "GET / SIP/2.0")
    ),
    case("HTTP/0.9, and nothing behind its line", b"GET /\r\n", setup=Setup(at=INBOUND)),
    case("HTTP/1.0 is answered and closed", _OLD),
    case("HTTP/1.0 with keep-alive is kept", send(_OLD_ALIVE), answered(), send(_OLD_ALIVE), answered()),
    case("HTTP/1.0 with close", http("GET / HTTP/1.0\nHost: shop\nConnection: close")),
    case("HTTP/1.0 without a Host", http("GET / HTTP/1.0\nX-A: b")),
    case("HTTP/1.0 without a Host, inbound", http("GET / HTTP/1.0\nX-A: b"), setup=_INSIDE),
    case(
        "HTTP/1.0 with a default host",
        http("GET / HTTP/1.0\nX-A: b"),
        setup=Setup(hcm={"http_protocol_options": {"default_host_for_http_10": "shop"}}),
    ),
    case(
        "HTTP/1.0 where it is not accepted", _OLD, setup=Setup(hcm={"http_protocol_options": {"accept_http_10": False}})
    ),
    case("HTTP/1.0 with a body", http("POST / HTTP/1.0\nHost: shop\nContent-Length: 5\n\nhello")),
    case("HTTP/1.0 without a length has no body", http("POST / HTTP/1.0\nHost: shop\n\nhello")),
    case(
        "HTTP/1.0 gets a chunked response unchunked",
        serve(response(200, "Transfer-Encoding: chunked", body=chunks_of("hello", " world"))),
        _OLD,
        answered(),
    ),
    case(
        "HTTP/1.0 with keep-alive gets a chunked response",
        serve(response(200, "Transfer-Encoding: chunked", body=chunks_of("hello"))),
        _OLD_ALIVE,
        answered(),
    ),
    case(
        "HTTP/1.0 gets a local reply",
        http("GET /no HTTP/1.0\nHost: nowhere"),
        setup=Setup(routes=({"match": {"prefix": "/yes"}, "direct_response": {"status": 200}},), at=GATEWAY),
    ),
    case(
        "HTTP/1.0 and HEAD",
        serve(http("HTTP/1.1 200 OK\nContent-Length: 10")),
        http("HEAD / HTTP/1.0\nHost: shop"),
        answered(),
    ),
    case("HTTP/1.0, then HTTP/1.1", send(_OLD_ALIVE), answered(), send(get()), answered()),
    case("HTTP/1.0 in absolute form", http("GET http://shop/a HTTP/1.0\nX-A: b")),
    case(
        "HTTP/1.0 with a Connection of several options",
        http("GET / HTTP/1.0\nHost: shop\nConnection: keep-alive, x-a\nX-A: b"),
    ),
    case("HTTP/1.0 with proxy-connection", http("GET / HTTP/1.0\nHost: shop\nProxy-Connection: keep-alive")),
    case("HTTP/1.1 with proxy-connection close", get("/", "Proxy-Connection: close")),
    case(
        "three requests one after the other",
        send(get("/1")),
        answered(),
        send(post("2")),
        answered(),
        send(get("/3")),
        answered(),
    ),
    case("three requests at once", send(get("/1") + get("/2") + get("/3")), answered(3)),
    case(
        "pipelined requests are answered in order",
        send(get("/1") + get("/2")),
        requested(),
        pause(0.1),
        respond(body="1"),
        requested(),
        respond(body="2"),
        answered(2),
    ),
    case("pipelined requests with bodies", send(post("one") + post("two") + get("/3")), answered(3)),
    case(
        "a pipelined request that comes in pieces",
        send(get("/1") + get("/2")[:10]),
        answered(),
        send(get("/2")[10:]),
        answered(),
    ),
    case("a request behind one with close", send(_connection("close") + get("/2")), closed()),
    case(
        "a pipelined request behind a long answer",
        serve(response(200, body="a" * 200_000), OK),
        send(get("/1") + get("/2")),
        answered(2),
    ),
    case(
        "pipelined requests, the first answered with close",
        serve(response(200, "Connection: close"), OK),
        send(get("/1") + get("/2")),
        answered(2),
    ),
    case("close is obeyed", _connection("close"), closed()),
    case("close in capitals is obeyed", _connection("CLOSE"), closed()),
    case("close among others is obeyed", _connection("x-a, close"), closed()),
    case("keep-alive is nothing new", _connection("keep-alive"), answered()),
    case("keep-alive and close", _connection("keep-alive, close"), closed()),
    case("an unknown option", _connection("x-a"), answered()),
    case("an empty Connection", _connection(""), answered()),
    case("two Connection fields", get("/", "Connection: keep-alive", "Connection: close"), closed()),
    case(
        "a client that half-closes while it waits",
        send(get()),
        requested(),
        end_sending(),
        pause(0.1),
        respond(),
        pause(0.1),
    ),
    case("a client that hangs up while it waits", send(get()), requested(), hang_up(), pause(0.2)),
    case("a client that resets while it waits", send(get()), requested(), reset(), pause(0.2)),
    case(
        "a client that hangs up in its body",
        send(http("POST / HTTP/1.1\nHost: shop\nContent-Length: 10\n\nhel")),
        requested(),
        hang_up(),
        pause(0.2),
    ),
    case(
        "a client that hangs up in the response",
        send(get()),
        requested(),
        write(http("HTTP/1.1 200 OK\nContent-Length: 10\n\nhel")),
        pause(0.1),
        hang_up(),
        pause(0.2),
    ),
    case("a client that sends nothing and hangs up", send(b""), pause(0.1), hang_up(), pause(0.1)),
    case("a client that hangs up in its head", send(b"GET / HT"), pause(0.1), hang_up(), pause(0.1)),
    case(
        "the second of at most two requests is the last",
        send(get("/1")),
        answered(),
        send(get("/2")),
        answered(),
        closed(),
        setup=Setup(hcm={"common_http_protocol_options": {"max_requests_per_connection": 2}}),
    ),
    case(
        "the only request that a connection may have",
        send(get("/1")),
        closed(),
        setup=Setup(hcm={"common_http_protocol_options": {"max_requests_per_connection": 1}}),
    ),
    case(
        "an idle connection is closed",
        send(get()),
        answered(),
        closed(),
        setup=Setup(hcm={"common_http_protocol_options": {"idle_timeout": "0.3s"}}),
    ),
    case(
        "a connection that never had a request is closed when idle",
        send(b""),
        closed(),
        setup=Setup(hcm={"common_http_protocol_options": {"idle_timeout": "0.3s"}}),
    ),
    case(
        "a connection that gets too old is closed",
        send(get()),
        answered(),
        closed(),
        setup=Setup(hcm={"common_http_protocol_options": {"max_connection_duration": "0.4s"}}),
    ),
    case(
        "a connection to a server is used once where one request is the limit",
        send(get("/1")),
        answered(),
        send(get("/2")),
        answered(),
        setup=Setup(
            cluster={
                "typed_extension_protocol_options": {
                    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                        "common_http_protocol_options": {"max_requests_per_connection": 1}
                    }
                }
            }
        ),
    ),
    case(
        "a connection to a server is used again",
        send(get("/1")),
        answered(),
        send(post("2")),
        answered(),
        send(get("/3")),
        answered(),
    ),
    case(
        "a server's connection that is idle too long",
        send(get("/1")),
        answered(),
        pause(0.5),
        send(get("/2")),
        answered(),
        setup=Setup(
            cluster={
                "typed_extension_protocol_options": {
                    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                        "common_http_protocol_options": {"idle_timeout": "0.2s"}
                    }
                }
            }
        ),
    ),
)
