"""Requests that are no HTTP, or that two hops could read differently. Who is let through must be let through in a form
that no server can misread: a second request shows where the proxy thinks that the first one ends."""

from oracle.script import (
    GATEWAY,
    INBOUND,
    Case,
    Setup,
    case,
    chunks_of,
    closed,
    drip,
    get,
    http,
    pause,
    requested,
    send,
)

_HEAD = "POST / HTTP/1.1\nHost: shop"
_CHUNKED = "Transfer-Encoding: chunked"
_NEXT = get("/next").decode()


def _raw(name: str, text: str, at: str = INBOUND) -> Case:
    """`text` as it is, in latin-1."""
    return case(name, send(text.encode("latin-1")), setup=Setup(at=at))


def _field(name: str, line: str, at: str = INBOUND) -> Case:
    return _raw(name, f"GET / HTTP/1.1\r\nHost: shop\r\n{line}\r\n\r\n", at)


def _line(name: str, line: str, at: str = INBOUND) -> Case:
    """A request line."""
    return _raw(name, f"{line}\r\nHost: shop\r\n\r\n", at)


def _framed(name: str, fields: str, body: str) -> Case:
    head = f"POST / HTTP/1.1\r\nHost: shop\r\n{fields}\r\n\r\n"
    return _raw(name, head + body + _NEXT)


def _chunks(name: str, body: str) -> Case:
    return _framed(name, _CHUNKED, body)


_LENGTHS = (
    _framed("a length and a coding", f"Content-Length: 5\r\n{_CHUNKED}", chunks_of("hello")),
    _framed("a coding and a length", f"{_CHUNKED}\r\nContent-Length: 5", chunks_of("hello")),
    _framed("two lengths that differ", "Content-Length: 5\r\nContent-Length: 6", "hello"),
    _framed("two lengths that are the same", "Content-Length: 5\r\nContent-Length: 5", "hello"),
    _framed("a list of lengths", "Content-Length: 5, 5", "hello"),
    _framed("a length with a sign", "Content-Length: +5", "hello"),
    _framed("a negative length", "Content-Length: -5", "hello"),
    _framed("a hexadecimal length", "Content-Length: 0x5", "hello"),
    _framed("a length with a point", "Content-Length: 5.0", "hello"),
    _framed("a length with a blank in it", "Content-Length: 1 2", "hello"),
    _framed("a length with leading zeros", "Content-Length: 005", "hello"),
    _framed("a length with blanks behind", "Content-Length: 5  ", "hello"),
    _framed("a length with a tab before", "Content-Length:\t5", "hello"),
    _framed("an empty length", "Content-Length: ", "hello"),
    _framed("a length of 2^64", "Content-Length: 18446744073709551616", "hello"),
    _framed("a length of 2^64+5", "Content-Length: 18446744073709551621", "hello"),
    _framed("a length with a control byte", "Content-Length: 5\x0b", "hello"),
    _framed("a length whose name has a blank behind", "Content-Length : 5", "hello"),
    _framed("a length whose name has an underscore", "Content_Length: 5", ""),
)

_CODINGS = (
    _framed("an unknown coding", "Transfer-Encoding: xchunked", chunks_of("hello")),
    _framed("chunked twice", "Transfer-Encoding: chunked, chunked", chunks_of("hello")),
    _framed("chunked in two fields", f"{_CHUNKED}\r\n{_CHUNKED}", chunks_of("hello")),
    _framed("gzip, then chunked", "Transfer-Encoding: gzip, chunked", chunks_of("hello")),
    _framed("chunked, then gzip", "Transfer-Encoding: chunked, gzip", chunks_of("hello")),
    _framed("gzip and chunked in two fields", f"Transfer-Encoding: gzip\r\n{_CHUNKED}", chunks_of("hello")),
    _framed("chunked, then identity", "Transfer-Encoding: chunked, identity", chunks_of("hello")),
    _framed("identity", "Transfer-Encoding: identity", "hello"),
    _framed("an empty coding", "Transfer-Encoding: ", "hello"),
    _framed("a coding in quotes", 'Transfer-Encoding: "chunked"', chunks_of("hello")),
    _framed("a coding with a parameter", "Transfer-Encoding: chunked;q=1", chunks_of("hello")),
    _framed("a coding with blanks behind", "Transfer-Encoding: chunked  ", chunks_of("hello")),
    _framed("a coding with a tab before", "Transfer-Encoding:\tchunked", chunks_of("hello")),
    _framed("a coding with a vertical tab before", "Transfer-Encoding: \x0bchunked", chunks_of("hello")),
    _framed("a coding whose name has a blank behind", "Transfer-Encoding : chunked", chunks_of("hello")),
    _framed("a coding on a continuation line", "Transfer-Encoding:\r\n chunked", chunks_of("hello")),
    _framed("a coding that Connection names", f"Connection: transfer-encoding\r\n{_CHUNKED}", chunks_of("hello")),
    _framed("a length that Connection names", "Connection: content-length\r\nContent-Length: 5", "hello"),
    _raw("a coding on HTTP/1.0", f"POST / HTTP/1.0\r\nHost: shop\r\n{_CHUNKED}\r\n\r\n{chunks_of('hello')}"),
    _raw(
        "a coding and keep-alive on HTTP/1.0",
        f"POST / HTTP/1.0\r\nHost: shop\r\nConnection: keep-alive\r\n{_CHUNKED}\r\n\r\n{chunks_of('hello')}{_NEXT}",
    ),
)

_CHUNK_CASES = (
    _chunks("a chunk size that is no number", "g\r\nhello\r\n0\r\n\r\n"),
    _chunks("a hexadecimal chunk size", "0x5\r\nhello\r\n0\r\n\r\n"),
    _chunks("a negative chunk size", "-5\r\nhello\r\n0\r\n\r\n"),
    _chunks("a chunk size with a sign", "+5\r\nhello\r\n0\r\n\r\n"),
    _chunks("a chunk size with a blank before", " 5\r\nhello\r\n0\r\n\r\n"),
    _chunks("a chunk size with a blank behind", "5 \r\nhello\r\n0\r\n\r\n"),
    _chunks("a chunk size of 2^64+5", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
    _chunks("an empty chunk size", "\r\nhello\r\n0\r\n\r\n"),
    _chunks("a chunk that is longer than it says", "5\r\nhello!\r\n0\r\n\r\n"),
    _chunks("a chunk without its line end", "5\r\nhello0\r\n\r\n"),
    _chunks("a chunk line that ends with a bare LF", "5\nhello\r\n0\r\n\r\n"),
    _chunks("a chunk that ends with a bare LF", "5\r\nhello\n0\r\n\r\n"),
    _chunks("a chunk line that ends with a bare CR", "5\rhello\r\n0\r\n\r\n"),
    _chunks("a chunk extension with a bare LF", "5;a\nhello\r\n0\r\n\r\n"),
    _chunks("a chunk extension with a bare CR", "5;a\rb\r\nhello\r\n0\r\n\r\n"),
    _chunks("a chunk extension with a NUL", "5;a\0b\r\nhello\r\n0\r\n\r\n"),
    _chunks("a trailer that is a length", "5\r\nhello\r\n0\r\nContent-Length: 3\r\n\r\n"),
    _chunks("a trailer that is a coding", "5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    _chunks("a trailer that is a Host", "5\r\nhello\r\n0\r\nHost: evil\r\n\r\n"),
    _chunks("a trailer that is no field", "5\r\nhello\r\n0\r\nnonsense\r\n\r\n"),
    _chunks("a trailer that ends with a bare LF", "5\r\nhello\r\n0\r\nX-A: b\n\r\n"),
)

_LINES = (
    _raw("a head with bare LFs", "GET / HTTP/1.1\nHost: shop\n\n"),
    _raw("a request line that ends with a bare LF", "GET / HTTP/1.1\nHost: shop\r\n\r\n"),
    _raw("a field that ends with a bare LF", "GET / HTTP/1.1\r\nHost: shop\nX-A: b\r\n\r\n"),
    _raw("a head that ends with a bare LF", "GET / HTTP/1.1\r\nHost: shop\r\n\n"),
    _raw("a field that ends with a bare CR", "GET / HTTP/1.1\r\nHost: shop\rX-A: b\r\n\r\n"),
    _raw("a field that ends with CR CR LF", "GET / HTTP/1.1\r\nHost: shop\r\r\nX-A: b\r\n\r\n"),
    _raw("empty lines before a request", "\r\n\r\n" + get("/").decode()),
    _raw("a bare LF before a request", "\n" + get("/").decode()),
    _raw("a blank before a request", " " + get("/").decode()),
    _raw("a NUL before a request", "\0" + get("/").decode()),
    _raw("an empty line between two requests", get("/1").decode() + "\r\n" + get("/2").decode()),
    _line("a continuation line", "GET / HTTP/1.1\r\nX-A: b\r\n c"),
    _line("a continuation line with a tab", "GET / HTTP/1.1\r\nX-A: b\r\n\tc"),
    _line("a continuation line as the first field", "GET / HTTP/1.1\r\n X-A: b"),
    _field("a field name with a blank behind", "X-A : b"),
    _field("a field name with a tab behind", "X-A\t: b"),
    _field("a field name with a blank in it", "X A: b"),
    _field("a field name with parentheses", "X(A): b"),
    _field("a field name with a slash", "X/A: b"),
    _field("a field name with an underscore", "X_A: b"),
    _field("a field name with a byte over 127", "X\xc4: b"),
    _field("a field name with a NUL", "X\0A: b"),
    _field("a field without a name", ": b"),
    _field("a field without a colon", "nonsense"),
    _field("a field that begins with a colon", ":path: /evil"),
    _field("a value with a NUL", "X-A: b\0c"),
    _field("a value with a control byte", "X-A: b\x01c"),
    _field("a value with a DEL", "X-A: b\x7fc"),
    _field("a value with a tab", "X-A: b\tc"),
    _field("a value with bytes over 127", "X-A: \xe4\xf6\xfc"),
    _field("a value with an escape", "X-A: \x1b[0m"),
    _field("an empty value", "X-A:"),
    _field("a value without a blank before", "X-A:b"),
    _field("a value with many blanks around", "X-A:   b   "),
    _field("a name of 1000 bytes", "X-" + "a" * 1000 + ": b"),
    _field("a value of 8000 bytes", "X-A: " + "b" * 8000),
    _field("a value of 70,000 bytes", "X-A: " + "b" * 70_000),
    _field("a value of 62,000 bytes", "X-A: " + "b" * 62_000),
    _field("90 fields", "\r\n".join(f"X-{i}: b" for i in range(90))),
    _field("120 fields", "\r\n".join(f"X-{i}: b" for i in range(120))),
    _field("120 fields of one name", "\r\n".join("X-A: b" for _ in range(120))),
)

_TARGETS = (
    _line("a method in small letters", "get / HTTP/1.1"),
    _line("an unknown method", "BREW / HTTP/1.1"),
    _line("a method with a digit", "GET1 / HTTP/1.1"),
    _line("a method with a colon", "GE:T / HTTP/1.1"),
    _line("a method of one letter", "X / HTTP/1.1"),
    _line("a PATCH", "PATCH / HTTP/1.1"),
    _line("a TRACE", "TRACE / HTTP/1.1"),
    _line("a PROPFIND", "PROPFIND / HTTP/1.1"),
    _line("a PRI", "PRI * HTTP/2.0"),
    _raw("HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    _raw("HTTP/0.9", "GET /\r\n\r\n"),
    _line("HTTP/0.9 with fields", "GET / HTTP/0.9"),
    _line("HTTP/1.2", "GET / HTTP/1.2"),
    _line("HTTP/2.0", "GET / HTTP/2.0"),
    _line("HTTP/1.10", "GET / HTTP/1.10"),
    _line("a version in small letters", "GET / http/1.1"),
    _line("another protocol", "GET / ICE/1.0"),
    _line("no version", "GET /"),
    _line("no target", "GET HTTP/1.1"),
    _line("two blanks before the target", "GET  / HTTP/1.1"),
    _line("two blanks behind the target", "GET /  HTTP/1.1"),
    _line("a tab before the target", "GET\t/ HTTP/1.1"),
    _line("a blank behind the version", "GET / HTTP/1.1 "),
    _line("a blank in the target", "GET /a b HTTP/1.1"),
    _line("a tab in the target", "GET /a\tb HTTP/1.1"),
    _line("a NUL in the target", "GET /a\0b HTTP/1.1"),
    _line("a control byte in the target", "GET /a\x01b HTTP/1.1"),
    _line("bytes over 127 in the target", "GET /\xe4 HTTP/1.1"),
    _line("quotes and braces in the target", 'GET /"{}|^` HTTP/1.1'),
    _line("a fragment in the target", "GET /a#b HTTP/1.1"),
    _line("a target without a slash", "GET a HTTP/1.1"),
    _line("a target of a question mark", "GET ?a HTTP/1.1"),
    _line("an asterisk for GET", "GET * HTTP/1.1"),
    _line("an asterisk for OPTIONS", "OPTIONS * HTTP/1.1"),
    _line("a target that begins with two slashes", "GET //evil/a HTTP/1.1"),
    _line("a target of 8000 bytes", "GET /" + "a" * 8000 + " HTTP/1.1"),
    _line("a target of 70,000 bytes", "GET /" + "a" * 70_000 + " HTTP/1.1"),
    _line("an absolute target of its own host", "GET http://shop/a?b HTTP/1.1"),
    _line("an absolute target of another host", "GET http://other/a HTTP/1.1"),
    _line("an absolute target without a path", "GET http://shop HTTP/1.1"),
    _line("an absolute target with only a query", "GET http://shop?a HTTP/1.1"),
    _line("an absolute target in capitals", "GET HTTP://SHOP/a HTTP/1.1"),
    _line("an absolute target with https", "GET https://shop/a HTTP/1.1"),
    _line("an absolute target with userinfo", "GET http://me:secret@shop/a HTTP/1.1"),
    _line("an absolute target without a host", "GET http:///a HTTP/1.1"),
    _line("an absolute target of another scheme", "GET ftp://shop/a HTTP/1.1"),
    _line("an absolute target with a port", "GET http://shop:80/a HTTP/1.1"),
    _line("an absolute target with a wrong port", "GET http://shop:x/a HTTP/1.1"),
)

_HOSTS = (
    _raw("no Host", "GET / HTTP/1.1\r\n\r\n"),
    _raw("an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    _raw("two Hosts that differ", "GET / HTTP/1.1\r\nHost: shop\r\nHost: other\r\n\r\n"),
    _raw("two Hosts that are the same", "GET / HTTP/1.1\r\nHost: shop\r\nHost: shop\r\n\r\n"),
    _raw("a Host with a blank in it", "GET / HTTP/1.1\r\nHost: shop other\r\n\r\n"),
    _raw("a Host with a slash", "GET / HTTP/1.1\r\nHost: shop/evil\r\n\r\n"),
    _raw("a Host with userinfo", "GET / HTTP/1.1\r\nHost: me@shop\r\n\r\n"),
    _raw("a Host with a question mark", "GET / HTTP/1.1\r\nHost: shop?a\r\n\r\n"),
    _raw("a Host with a hash", "GET / HTTP/1.1\r\nHost: shop#a\r\n\r\n"),
    _raw("a Host with a comma", "GET / HTTP/1.1\r\nHost: shop,other\r\n\r\n"),
    _raw("a Host with a control byte", "GET / HTTP/1.1\r\nHost: sh\x01op\r\n\r\n"),
    _raw("a Host with bytes over 127", "GET / HTTP/1.1\r\nHost: sh\xf6p\r\n\r\n"),
    _raw("a Host with a wrong port", "GET / HTTP/1.1\r\nHost: shop:port\r\n\r\n"),
    _raw("a Host with a port too large", "GET / HTTP/1.1\r\nHost: shop:99999\r\n\r\n"),
    _raw("a Host with an empty port", "GET / HTTP/1.1\r\nHost: shop:\r\n\r\n"),
    _raw("a Host of IPv6", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"),
    _raw("a Host of IPv6 without brackets", "GET / HTTP/1.1\r\nHost: ::1\r\n\r\n"),
    _raw("a Host in capitals", "GET / HTTP/1.1\r\nHOST: SHOP\r\n\r\n"),
    _raw("a Host with an underscore", "GET / HTTP/1.1\r\nHost: my_shop\r\n\r\n"),
    _raw("an absolute target without a Host", "GET http://shop/ HTTP/1.1\r\n\r\n"),
    _raw("an absolute target with two Hosts", "GET http://shop/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    _raw("no Host at the edge", "GET / HTTP/1.1\r\n\r\n", GATEWAY),
)

_NOISE = (
    case("garbage", send(b"\xff\xfe\xfd garbage \r\n\r\n")),
    case("a TLS hello in plaintext", send(bytes.fromhex("160301002f0100002b0303") + bytes(36))),
    case("an SSH banner", send(b"SSH-2.0-OpenSSH_9.0\r\n")),
    case("a response instead of a request", send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")),
    case("garbage behind a request", send(get("/1") + b"\xff\xff\xff\r\n\r\n"), closed()),
    case("garbage behind a body", send(http(f"{_HEAD}\nContent-Length: 2\n\nabgarbage\r\n\r\n")), closed()),
    case("a bad request behind a good one", send(get("/1") + b"GET / HTTP/1.1\r\nHost: a\r\nX A: b\r\n\r\n"), closed()),
    case(
        "a bad request after a good one has been answered",
        send(get("/1")),
        pause(0.2),
        send(b"NONSENSE\r\n\r\n"),
        closed(),
    ),
    case(
        "a request with a bad chunk after a good one",
        send(http(f"{_HEAD}\n{_CHUNKED}\n\n5\r\nhello\r\n")),
        requested(),
        send(b"nonsense\r\n"),
        closed(),
    ),
    case("a smuggled request in a chunked body", send(http(f"{_HEAD}\n{_CHUNKED}\n\n{chunks_of(_NEXT)}"))),
    case("a smuggled request in a body with a length", send(http(f"{_HEAD}\nContent-Length: {len(_NEXT)}\n\n{_NEXT}"))),
    case("a bad head that comes byte after byte", drip(b"GET / HTTP/1.1\r\nHost : shop\r\n\r\n")),
)

CASES = _LENGTHS + _CODINGS + _CHUNK_CASES + _LINES + _TARGETS + _HOSTS + _NOISE
