"""HTTP/2 from clients, to servers of HTTP/1.1."""

from typing import Any

from oracle.http2 import START, ask, body, cancel, head
from oracle.script import (
    GATEWAY,
    INBOUND,
    SHOP,
    Case,
    Setup,
    Step,
    abandoned,
    answered,
    case,
    chunks_of,
    closed,
    pause,
    requested,
    respond,
    send,
    serve,
    server_closes,
    write,
)

_PSEUDO = {":method": "GET", ":scheme": "http", ":authority": "shop", ":path": "/"}
_GRPC = {"content_type": "application/grpc", "te": "trailers"}
_ELSEWHERE: dict[str, Any] = {"match": {"path": "/no"}, "route": {"cluster": SHOP}}
_TIMEOUTS = {"timeout": "5s", "max_grpc_timeout": "5s"}
_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def _case(name: str, *steps: Step | bytes, setup: Setup | None = None) -> Case:
    """The first bytes of the script stand behind the connection's preface."""
    first, *others = steps
    assert isinstance(first, bytes)
    return case(f"HTTP/2: {name}", START + first, *others, setup=setup)


def _without(name: str) -> dict[str, str]:
    return {key: value for key, value in _PSEUDO.items() if key != name}


def _bad(name: str, fields: dict[str, str] | list[tuple[str, str]], frames: bytes = b"", is_end: bool = True) -> Case:
    """What one proxy calls an error of the stream may be one of the connection for the other."""
    return _case(f"malformed: {name}", head(1, fields, is_end) + frames, answered(), pause(0.1))


def _direct(status: int, text: str = "") -> Setup:
    response: dict[str, Any] = {"status": status, **({"body": {"inline_string": text}} if text else {})}
    return Setup(routes=({"match": {"prefix": "/"}, "direct_response": response},))


CASES = (
    *(_case(f"a GET, {at}", ask(), answered(), setup=Setup(at=at)) for at in ("outbound", INBOUND, GATEWAY)),
    _case("a POST of known length", ask(method="POST", is_end=False, content_length="3") + body(b"abc")),
    _case("a POST of unknown length", ask(method="POST", is_end=False) + body(b"abc")),
    _case("a POST without a body", ask(method="POST")),
    _case("a POST whose body is empty", ask(method="POST", is_end=False) + body(b"")),
    _case("a PUT with trailers", ask(method="PUT", is_end=False) + body(b"ab", is_end=False) + head(1, {"x-sum": "1"})),
    _case("a HEAD", ask(method="HEAD"), requested(), respond(200, "Content-Length: 5", body=""), answered()),
    _case("two requests at a time", ask(1, path="/1") + ask(3, path="/2"), answered(2)),
    _case("cookies in pieces", head(1, [*_PSEUDO.items(), ("cookie", "a=1"), ("cookie", "b=2")])),
    _case("a field twice", head(1, [*_PSEUDO.items(), ("x-a", "1"), ("x-a", "2")])),
    _case("a Host that is the authority", head(1, {**_PSEUDO, "host": "shop"})),
    _case("a Host in the authority's place", head(1, {**_without(":authority"), "host": "shop"})),
    _case("no authority", head(1, _without(":authority"))),
    _case("TE: trailers", head(1, {**_PSEUDO, "te": "trailers"})),
    _case("a scheme of https on plaintext", head(1, {**_PSEUDO, ":scheme": "https"})),
    _case("OPTIONS of everything", head(1, {**_PSEUDO, ":method": "OPTIONS", ":path": "*"})),
    _case("a fragment", ask(path="/a#b")),
    _case("Expect", ask(method="POST", is_end=False, expect="100-continue", content_length="1") + body(b"a")),
    _case("chunks", ask(), requested(), write(_CHUNKED + chunks_of("ab", "c").encode()), answered()),
    _case("a trailer", ask(), requested(), write(_CHUNKED + chunks_of("a", trailers=("X-A: 1",)).encode()), answered()),
    _case("a body until the server closes", ask(), requested(), write(b"HTTP/1.1 200 OK\r\n\r\nab"), server_closes()),
    _case("a 204", ask(), serve(b"HTTP/1.1 204 No Content\r\n\r\n")),
    _case("a 304 with a length", ask(), serve(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n")),
    _case("an interim response", ask(), requested(), respond(103, "Link: </a>"), respond(200), answered()),
    _case(
        "Connection in a response", ask(), serve(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    ),
    _case("an answer before the end of the request", ask(method="POST", is_end=False), requested(), respond(200)),
    _case("a server that leaves", ask(), requested(), server_closes(), answered()),
    _case(
        "a response that breaks off", ask(), requested(), write(_CHUNKED + b"2\r\nab\r\n"), pause(0.1), server_closes()
    ),
    _case("a client that cancels", ask(), requested(), send(cancel()), abandoned()),
    _case("a route's timeout", ask(), requested(), answered(), setup=Setup(route={"timeout": "0.2s"})),
    _case("a direct response", ask(), answered(), setup=_direct(200, "hello")),
    _case("a direct response to HEAD", ask(method="HEAD"), answered(), setup=_direct(200, "hello")),
    _case("a direct response without a body", ask(), answered(), setup=_direct(404)),
    *(
        _case(f"gRPC: {status}", ask(**_GRPC), setup=_direct(status, "50% ä~"))
        for status in (200, 400, 401, 403, 404, 429)
    ),
    *(_case(f"gRPC: {status}", ask(**_GRPC), setup=_direct(status)) for status in (500, 502, 503, 504)),
    _case("gRPC: no endpoint", ask(**_GRPC), setup=Setup(endpoints=0)),
    _case(
        "gRPC: no route", ask(**_GRPC), setup=Setup(routes=({"match": {"path": "/no"}, "route": {"cluster": SHOP}},))
    ),
    _case("gRPC: a deadline", ask(**_GRPC, grpc_timeout="200m"), requested(), answered(), setup=Setup(route=_TIMEOUTS)),
    _case("gRPC-Web is no gRPC", ask(content_type="application/grpc-web"), setup=_direct(503, "no")),
    _bad("an uppercase name", {**_PSEUDO, "X-A": "1"}),
    _bad("Connection", {**_PSEUDO, "connection": "close"}),
    _bad("Transfer-Encoding", {**_PSEUDO, "transfer-encoding": "chunked"}),
    _bad("TE: gzip", {**_PSEUDO, "te": "gzip"}),
    _bad("no path", _without(":path")),
    _bad("no method", _without(":method")),
    _bad("no scheme", _without(":scheme")),
    _bad("an empty path", {**_PSEUDO, ":path": ""}),
    _bad("an unknown pseudo field", {**_PSEUDO, ":x": "1"}),
    _bad("a pseudo field twice", [*_PSEUDO.items(), (":path", "/b")]),
    _bad("a pseudo field behind others", [("x-a", "1"), *_PSEUDO.items()]),
    _bad("a line's end in a value", {**_PSEUDO, "x-a": "1\r\nx-b: 2"}),
    _bad("a body too short", {**_PSEUDO, "content-length": "5"}, body(b"abc"), is_end=False),
    _bad("a body too long", {**_PSEUDO, "content-length": "1"}, body(b"abc"), is_end=False),
    _bad("another Host than the authority", {**_PSEUDO, "host": "other"}),
    _case("too many fields", head(1, {**_PSEUDO, **{f"x-{i}": "1" for i in range(101)}}), answered(), pause(0.1)),
    _case("a head of 70 KB", head(1, {**_PSEUDO, "x-a": "a" * 70_000}), answered(), pause(0.1)),
    _case("DATA of a stream that nobody opened", body(b"a"), closed()),
)
