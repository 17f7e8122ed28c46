"""How long bodies are, and how that is said, in both directions."""

from oracle.script import (
    CLOSE,
    GATEWAY,
    INBOUND,
    OK,
    Setup,
    answered,
    case,
    chunked,
    chunks_of,
    drip,
    end_sending,
    get,
    http,
    pause,
    post,
    receives,
    requested,
    respond,
    response,
    sees,
    send,
    serve,
    server_closes,
    write,
)

_CHUNKED = "Transfer-Encoding: chunked"
_BIG = "0123456789abcdef" * 20_000


def _answer(name: str, answer: bytes, request: bytes | None = None):
    return case(name, serve(answer), request or get())


_REQUESTS = (
    case("a GET is answered", get("/")),
    case("a GET is answered inbound", get("/"), setup=Setup(at=INBOUND)),
    case("a GET is answered at the edge", get("/"), setup=Setup(at=GATEWAY)),
    case("a POST with a length goes through", post("hello")),
    case("a POST of no bytes goes through", post("")),
    case("a POST without any framing has no body", http("POST / HTTP/1.1\nHost: shop")),
    case("a PUT without any framing has no body", http("PUT / HTTP/1.1\nHost: shop")),
    case("a chunked POST goes through", chunked("hello", " world")),
    case("a chunked POST of no bytes goes through", chunked()),
    case("a GET with a body goes through", http("GET / HTTP/1.1\nHost: shop\nContent-Length: 3\n\nabc")),
    case(
        "a GET with a chunked body goes through", http(f"GET / HTTP/1.1\nHost: shop\n{_CHUNKED}\n\n{chunks_of('abc')}")
    ),
    case("a GET with a length of 0 keeps it or not", http("GET / HTTP/1.1\nHost: shop\nContent-Length: 0\n\n")),
    case("a DELETE with a body goes through", http("DELETE / HTTP/1.1\nHost: shop\nContent-Length: 3\n\nabc")),
    case("an OPTIONS with a body goes through", http("OPTIONS /a HTTP/1.1\nHost: shop\nContent-Length: 3\n\nabc")),
    case("a HEAD with a body goes through", http("HEAD / HTTP/1.1\nHost: shop\nContent-Length: 3\n\nabc")),
    case("a large body goes through", post(_BIG)),
    case("a large chunked body goes through", chunked(_BIG, _BIG)),
    case("a head that comes byte after byte", drip(get("/a?b=c", "X-A: b"))),
    case("a body that comes byte after byte", drip(post("hello"))),
    case("chunks that come byte after byte", drip(chunked("hello", "world", trailers=("X-T: 1",)))),
    case("a head in two pieces, cut in its end", send(get()[:-1]), pause(0.05), send(get()[-1:]), answered()),
    case("chunk sizes in capitals", http(f"POST / HTTP/1.1\nHost: shop\n{_CHUNKED}\n\nA\r\n0123456789\r\n0\r\n\r\n")),
    case(
        "chunk sizes with leading zeros", http(f"POST / HTTP/1.1\nHost: shop\n{_CHUNKED}\n\n0005\r\nhello\r\n0\r\n\r\n")
    ),
    case("a last chunk of many zeros", http(f"POST / HTTP/1.1\nHost: shop\n{_CHUNKED}\n\n5\r\nhello\r\n000\r\n\r\n")),
    case(
        "chunk extensions are dropped",
        http(f"POST / HTTP/1.1\nHost: shop\n{_CHUNKED}\n\n5;a=b\r\nhello\r\n0;c\r\n\r\n"),
    ),
    case(
        "a quoted chunk extension", http(f'POST / HTTP/1.1\nHost: shop\n{_CHUNKED}\n\n5;a="b;c"\r\nhello\r\n0\r\n\r\n')
    ),
    case("two trailers of a request", chunked("hello", trailers=("X-Trailer: 1", "X-Other: 2"))),
    case(
        "trailers that are announced", chunked("hello", trailers=("X-T: 1",), fields=("Trailer: X-T", "TE: trailers"))
    ),
    case(
        "a coding in capitals", http(f"POST / HTTP/1.1\nHost: shop\nTransfer-Encoding: CHUNKED\n\n{chunks_of('hello')}")
    ),
    case(
        "a request that is announced and never complete",
        http("POST / HTTP/1.1\nHost: shop\nContent-Length: 9\n\nabc"),
        requested(),
        receives(b"abc"),
        end_sending(),
        pause(0.2),
    ),
)

_RESPONSES = (
    _answer("a response with a length", response(200, body="hello")),
    _answer("a response of no bytes", response(200, body="")),
    _answer("a chunked response", response(200, _CHUNKED, body=chunks_of("hello", " world"))),
    _answer("a chunked response of no bytes", response(200, _CHUNKED, body=chunks_of())),
    _answer("a chunked response with trailers", response(200, _CHUNKED, body=chunks_of("hi", trailers=("X-T: 1",)))),
    _answer("a chunked response with extensions", response(200, _CHUNKED, body="5;a=b\r\nhello\r\n0\r\n\r\n")),
    _answer("a response of 320,000 bytes", response(200, body=_BIG)),
    _answer("a large chunked response", response(200, _CHUNKED, body=chunks_of(_BIG, _BIG))),
    _answer("a response without a reason phrase", b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok"),
    _answer("a response with a reason phrase of its own", response(200, reason="Fine By Me")),
    _answer("a response of an unknown status", response(299)),
    _answer("a response of status 599", response(599)),
    _answer("a 404 goes through", response(404, body="no")),
    _answer("a 500 goes through", response(500, body="oops")),
    _answer("a 204 without a length", http("HTTP/1.1 204 No Content\nX-A: b")),
    _answer("a 204 with a length of 0", http("HTTP/1.1 204 No Content\nContent-Length: 0")),
    _answer("a 304 without a length", http("HTTP/1.1 304 Not Modified\nETag: x")),
    _answer("a 304 with the length that the body would have", http("HTTP/1.1 304 Not Modified\nContent-Length: 1000")),
    _answer("a 205 with a length of 0", http("HTTP/1.1 205 Reset Content\nContent-Length: 0\n\n")),
    _answer(
        "a HEAD is answered without a body",
        http("HTTP/1.1 200 OK\nContent-Length: 1000"),
        http("HEAD / HTTP/1.1\nHost: shop"),
    ),
    _answer(
        "a HEAD is answered as if chunked", http(f"HTTP/1.1 200 OK\n{_CHUNKED}"), http("HEAD / HTTP/1.1\nHost: shop")
    ),
    _answer(
        "a HEAD is answered without any framing", http("HTTP/1.1 200 OK\nX-A: b"), http("HEAD / HTTP/1.1\nHost: shop")
    ),
    _answer(
        "a HEAD is answered with a 404", http("HTTP/1.1 404 No\nContent-Length: 7"), http("HEAD / HTTP/1.1\nHost: shop")
    ),
    _answer(
        "a HEAD is answered with a 304", http("HTTP/1.1 304 No\nContent-Length: 7"), http("HEAD / HTTP/1.1\nHost: shop")
    ),
    case(
        "two HEADs on one connection",
        serve(http("HTTP/1.1 200 OK\nContent-Length: 10")),
        send(http("HEAD /1 HTTP/1.1\nHost: shop")),
        answered(),
        send(http("HEAD /2 HTTP/1.1\nHost: shop")),
        answered(),
    ),
    case(
        "a response that ends when the server closes",
        get(),
        requested(),
        write(http("HTTP/1.1 200 OK\nX-A: b\n\nhello")),
        server_closes(),
        answered(),
    ),
    case(
        "an HTTP/1.0 response that ends when the server closes",
        get(),
        requested(),
        write(http("HTTP/1.0 200 OK\nX-A: b\n\nhello")),
        server_closes(),
        answered(),
    ),
    case(
        "an HTTP/1.0 response with a length",
        get(),
        requested(),
        write(http("HTTP/1.0 200 OK\nContent-Length: 5\n\nhello")),
        answered(),
    ),
    case(
        "an HTTP/1.0 response that keeps its connection",
        serve(http("HTTP/1.0 200 OK\nConnection: keep-alive\nContent-Length: 5\n\nhello")),
        send(get("/1")),
        answered(),
        send(get("/2")),
        answered(),
    ),
    case(
        "a response whose head comes in pieces",
        get(),
        requested(),
        write(b"HTTP/1.1 200 OK\r\nContent-"),
        pause(0.05),
        write(b"Length: 10\r\n\r\nhello"),
        sees(b"hello"),
        write(b"world"),
        answered(),
    ),
    case(
        "a chunked response is passed on as it comes",
        get(),
        requested(),
        write(http(f"HTTP/1.1 200 OK\n{_CHUNKED}\n\n5\r\nhello\r\n")),
        sees(b"hello"),
        write(b"5\r\nworld\r\n0\r\n\r\n"),
        answered(),
    ),
    case(
        "a response that begins in the midst of the request",
        send(http("POST / HTTP/1.1\nHost: shop\nContent-Length: 8\n\nhalf")),
        requested(),
        receives(b"half"),
        write(http("HTTP/1.1 200 OK\nContent-Length: 4\n\nea")),
        sees(b"ea"),
        send(b"rest"),
        receives(b"halfrest"),
        write(b"rl"),
        answered(),
    ),
    case(
        "a response that ends before the request has ended",
        send(http("POST / HTTP/1.1\nHost: shop\nContent-Length: 8\n\nhalf")),
        requested(),
        receives(b"half"),
        respond(200, body="early"),
        answered(),
    ),
    case(
        "a response that ends before the chunked request has ended",
        send(http(f"POST / HTTP/1.1\nHost: shop\n{_CHUNKED}\n\n4\r\nhalf\r\n")),
        requested(),
        receives(b"half"),
        respond(413, body="too long"),
        answered(),
    ),
    case(
        "a request and a response that flow at the same time",
        send(http(f"POST / HTTP/1.1\nHost: shop\n{_CHUNKED}\n\n1\r\na\r\n")),
        requested(),
        receives(b"a\r\n"),
        write(http(f"HTTP/1.1 200 OK\n{_CHUNKED}\n\n1\r\nA\r\n")),
        sees(b"A\r\n"),
        send(b"1\r\nb\r\n"),
        receives(b"b\r\n"),
        write(b"1\r\nB\r\n"),
        sees(b"B\r\n"),
        send(b"0\r\n\r\n"),
        receives(b"0\r\n\r\n"),
        write(b"0\r\n\r\n"),
        answered(),
    ),
    case(
        "a body that waits for its server",
        send(http("POST / HTTP/1.1\nHost: shop\nContent-Length: 10")),
        requested(),
        send(b"01234"),
        receives(b"01234"),
        send(b"56789"),
        receives(b"0123456789"),
        respond(),
        answered(),
    ),
    case(
        "a server that says close",
        serve(response(200, "Connection: close")),
        send(get("/1")),
        answered(),
        send(get("/2")),
        answered(),
    ),
    case(
        "a server that closes after its answer",
        get(),
        requested(),
        respond(),
        answered(),
        server_closes(),
        pause(0.1),
        send(get("/2")),
        requested(),
        respond(),
        answered(),
    ),
    case(
        "a server that closes instead of the second answer",
        serve(OK, CLOSE),
        send(post("1")),
        answered(),
        send(post("2")),
        answered(),
        setup=Setup(route={"retry_policy": None}),
    ),
)

CASES = _REQUESTS + _RESPONSES
