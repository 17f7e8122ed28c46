"""1xx: informational responses, and who asks for a 100."""

from oracle.script import (
    GATEWAY,
    INBOUND,
    OK,
    OUTBOUND,
    Setup,
    answered,
    case,
    get,
    http,
    pause,
    post,
    receives,
    requested,
    respond,
    sees,
    send,
    serve,
    write,
)

_EXPECTING = http("POST / HTTP/1.1\nHost: shop\nContent-Length: 5\nExpect: 100-continue")
_CONTINUE = http("HTTP/1.1 100 Continue")
_HINTS = http("HTTP/1.1 103 Early Hints\nLink: </a.css>; rel=preload")

CASES = (
    *(
        case(
            f"an expectation is answered, {at}",
            send(_EXPECTING),
            sees(b"100 Continue"),
            send(b"hello"),
            answered(),
            setup=Setup(at=at),
        )
        for at in (OUTBOUND, INBOUND, GATEWAY)
    ),
    case("an expectation with the body right behind", send(_EXPECTING + b"hello"), answered()),
    case(
        "an expectation in capitals",
        send(http("POST / HTTP/1.1\nHost: shop\nContent-Length: 5\nExpect: 100-Continue")),
        sees(b"100 Continue"),
        send(b"hello"),
        answered(),
    ),
    case("an unknown expectation", post("hello", "Expect: 200-ok"), answered()),
    case("an expectation without a body", get("/", "Expect: 100-continue"), answered()),
    case(
        "an old client that expects a 100",
        send(http("POST / HTTP/1.0\nHost: shop\nContent-Length: 5\nExpect: 100-continue")),
        pause(0.1),
        send(b"hello"),
        answered(),
    ),
    case(
        "an expectation of a chunked body",
        send(http("POST / HTTP/1.1\nHost: shop\nTransfer-Encoding: chunked\nExpect: 100-continue")),
        sees(b"100 Continue"),
        send(b"5\r\nhello\r\n0\r\n\r\n"),
        answered(),
    ),
    case(
        "an expectation that no route fits",
        send(http("POST /no HTTP/1.1\nHost: shop\nContent-Length: 5\nExpect: 100-continue")),
        answered(),
        setup=Setup(routes=({"match": {"prefix": "/yes"}, "direct_response": {"status": 200}},)),
    ),
    case(
        "an expectation answered by the server's error",
        send(_EXPECTING),
        requested(),
        respond(417, body="no"),
        answered(),
    ),
    case("a server's 100 without an expectation", serve(_CONTINUE + OK), get(), answered()),
    case(
        "a server's 100 after an expectation",
        send(_EXPECTING),
        requested(),
        write(_CONTINUE),
        sees(b"100 Continue"),
        send(b"hello"),
        receives(b"hello"),
        respond(),
        answered(),
    ),
    case("a server's 102", serve(http("HTTP/1.1 102 Processing") + OK), get(), answered()),
    case("a server's 103", serve(_HINTS + OK), get(), answered()),
    case("two 103s", serve(_HINTS + _HINTS + OK), get(), answered()),
    case("a 103 that comes alone", send(get()), requested(), write(_HINTS), sees(b"103"), respond(), answered()),
    case("a 103 for a client of HTTP/1.0", serve(_HINTS + OK), http("GET / HTTP/1.0\nHost: shop"), answered()),
    case("a 100 and a 103", serve(_CONTINUE + _HINTS + OK), get(), answered()),
    case("a server's 199", serve(http("HTTP/1.1 199 Odd") + OK), get(), answered()),
    case(
        "a 101 instead of an answer",
        serve(http("HTTP/1.1 101 Switching Protocols\nUpgrade: x\nConnection: upgrade")),
        get(),
        answered(),
    ),
    case("a 100 with a length", serve(http("HTTP/1.1 100 Continue\nContent-Length: 0") + OK), get(), answered()),
    case("a 103 with a length", serve(http("HTTP/1.1 103 Early Hints\nContent-Length: 5") + OK), get(), answered()),
    case(
        "a 103 and then nothing",
        send(get()),
        requested(),
        write(_HINTS),
        answered(),
        setup=Setup(route={"timeout": "0.3s", "retry_policy": None}),
    ),
)
