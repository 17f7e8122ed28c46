"""Requests that two readers could take for different ones: refused, or passed on with one meaning (RFC 9110, 9112)."""

from typing import Any

import pytest

HOST = b"Host: a\r\n"
GET = b"GET / HTTP/1.1\r\n" + HOST
POST = b"POST / HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
NEXT = b"GET /next HTTP/1.1\r\n" + HOST + b"\r\n"
TWO_TO_63 = b"9223372036854775808"

REFUSED_HEADS = {
    # versions
    "HTTP/0.9": (b"GET / HTTP/0.9\r\n" + HOST + b"\r\n", 426),
    "HTTP/0.9 without a version": (b"GET /\r\n\r\n", 400),
    "RTSP": (b"GET / RTSP/1.0\r\n" + HOST + b"\r\n", 400),
    "RTSP by its own method": (b"DESCRIBE / RTSP/1.0\r\n" + HOST + b"\r\n", 400),
    "ICE": (b"SOURCE / ICE/1.0\r\n" + HOST + b"\r\n", 400),
    "a line without a version and nothing behind it": (b"GET /\r\n", 400),
    "HTTP/1.0 with Transfer-Encoding": (
        b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "HTTP/1.2": (b"GET / HTTP/1.2\r\n" + HOST + b"\r\n", 400),
    "HTTP/1.10": (b"GET / HTTP/1.10\r\n" + HOST + b"\r\n", 400),
    "HTTP/2.0": (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 426),
    "HTTP/2's preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "http in lower case": (b"GET / http/1.1\r\n" + HOST + b"\r\n", 400),
    # the request line
    "two spaces before the target": (b"GET  x HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a space in the target": (b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a tab in the target": (b"GET /a\tb HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "NUL in the target": (b"GET /a\x00b HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a control byte in the target": (b"GET /a\x01b HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "DEL in the target": (b"GET /a\x7fb HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a vertical tab in the target": (b"GET /a\x0bb HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a form feed in the target": (b"GET /a\x0cb HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "bytes beyond ASCII in the target": (b"GET /\xc3\xa4 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a fragment": (b"GET /a#b HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a target without a slash": (b"GET a HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a query alone": (b"GET ?a HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a backslash in an authority": (b"GET http://a\\b/ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a tab behind the method": (b"GET\t/ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a tab behind the target": (b"GET /\tHTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a space behind the version": (b"GET / HTTP/1.1 \r\n" + HOST + b"\r\n", 400),
    "a space before the method": (b" GET / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "no method": (b" / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "an unknown method": (b"FROB / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a method in lower case": (b"get / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a method that goes on": (b"GETX / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    # Host
    "no Host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two Hosts": (GET + b"Host: b\r\n\r\n", 400),
    "the same Host twice": (GET + HOST + b"\r\n", 400),
    "two Hosts beside an absolute target": (b"GET http://a/ HTTP/1.1\r\n" + HOST + b"Host: b\r\n\r\n", 400),
    "a space in Host": (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    "a tab in Host": (b"GET / HTTP/1.1\r\nHost: a\tb\r\n\r\n", 400),
    "a path in Host": (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    "a query in Host": (b"GET / HTTP/1.1\r\nHost: a?b\r\n\r\n", 400),
    "a backslash in Host": (b"GET / HTTP/1.1\r\nHost: a\\b\r\n\r\n", 400),
    "userinfo in Host": (b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
    "a port of letters in Host": (b"GET / HTTP/1.1\r\nHost: a:http\r\n\r\n", 400),
    "two ports in Host": (b"GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n", 400),
    "bytes beyond ASCII in Host": (b"GET / HTTP/1.1\r\nHost: \xe4\r\n\r\n", 400),
    # forms of the target
    "userinfo in an absolute target": (b"GET http://u:p@a/ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "an absolute target without an authority": (b"GET http:///x HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "an absolute target of another scheme": (b"GET ftp://a/ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "an asterisk for GET": (b"GET * HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "CONNECT to a path": (b"CONNECT /x HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "CONNECT to a URL": (b"CONNECT http://a:1/ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "CONNECT without a port": (b"CONNECT a HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "CONNECT to port 0": (b"CONNECT a:0 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "CONNECT to a port that is none": (b"CONNECT a:65536 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "CONNECT with a length": (b"CONNECT a:1 HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc", 400),
    "CONNECT with chunks": (b"CONNECT a:1 HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    # lines and fields
    "bare LF everywhere": (b"GET / HTTP/1.1\nHost: a\n\n", 400),
    "bare LF behind the request line": (b"GET / HTTP/1.1\nHost: a\r\n\r\n", 400),
    "bare LF behind a field": (GET + b"X: 1\nY: 2\r\n\r\n", 400),
    "bare LF as the end of the head": (GET + b"\n", 400),
    "bare CR in a value": (GET + b"X: 1\rY: 2\r\n\r\n", 400),
    "CR CR LF behind a field": (GET + b"X: 1\r\r\n\r\n", 400),
    "bare CR in a name": (GET + b"X\rY: 2\r\n\r\n", 400),
    "CR CR LF as the end of the head": (GET + b"\r\r\n", 400),
    "a space before the colon": (GET + b"X : 1\r\n\r\n", 400),
    "a tab before the colon": (GET + b"X\t: 1\r\n\r\n", 400),
    "a space before the colon of Content-Length": (POST + b"Content-Length : 3\r\n\r\nabc", 400),
    "a space before the colon of Transfer-Encoding": (POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    "obs-fold": (GET + b"X: a\r\n b\r\n\r\n", 400),
    "obs-fold with a tab": (GET + b"X: a\r\n\tb\r\n\r\n", 400),
    "obs-fold before the first field": (b"GET / HTTP/1.1\r\n X: a\r\n" + HOST + b"\r\n", 400),
    "obs-fold in Transfer-Encoding": (POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400),
    "NUL in a value": (GET + b"X: a\x00b\r\n\r\n", 400),
    "a control byte in a value": (GET + b"X: a\x01b\r\n\r\n", 400),
    "DEL in a value": (GET + b"X: a\x7fb\r\n\r\n", 400),
    "NUL in a name": (GET + b"X\x00Y: a\r\n\r\n", 400),
    "a control byte in a name": (GET + b"X\x01Y: a\r\n\r\n", 400),
    "bytes beyond ASCII in a name": (GET + b"X\xe4: a\r\n\r\n", 400),
    "a space in a name": (GET + b"X Y: a\r\n\r\n", 400),
    "a delimiter in a name": (GET + b"X(Y): a\r\n\r\n", 400),
    "an empty name": (GET + b": a\r\n\r\n", 400),
    "a field without a colon": (GET + b"X\r\n\r\n", 400),
    # framing
    "Content-Length and Transfer-Encoding": (
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "Transfer-Encoding and Content-Length": (
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        400,
    ),
    "two lengths": (POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
    "the same length twice": (POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400),
    "a list of lengths": (POST + b"Content-Length: 3, 3\r\n\r\nabc", 400),
    "a length with a plus": (POST + b"Content-Length: +3\r\n\r\nabc", 400),
    "a length with a minus": (POST + b"Content-Length: -3\r\n\r\nabc", 400),
    "a hexadecimal length": (POST + b"Content-Length: 0x3\r\n\r\nabc", 400),
    "a fraction as length": (POST + b"Content-Length: 3.0\r\n\r\nabc", 400),
    "a length with an underscore": (POST + b"Content-Length: 1_0\r\n\r\n0123456789", 400),
    "two numbers as length": (POST + b"Content-Length: 3 3\r\n\r\nabc", 400),
    "an empty length": (POST + b"Content-Length:\r\n\r\n", 400),
    "a length that overflows 63 bits": (POST + b"Content-Length: " + TWO_TO_63 + b"\r\n\r\nabc", 400),
    "a length that overflows 64 bits": (POST + b"Content-Length: 18446744073709551619\r\n\r\nabc", 400),
    "xchunked": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
    "gzip, chunked": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    "chunked, gzip": (POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 501),
    "identity": (POST + b"Transfer-Encoding: identity\r\n\r\n", 501),
    "identity and a length": (POST + b"Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc", 400),
    "chunked twice in a list": (POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 501),
    "chunked twice": (
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    "identity, then chunked": (
        POST + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    "an empty Transfer-Encoding": (POST + b"Transfer-Encoding:\r\n\r\n0\r\n\r\n", 501),
    "a comma before chunked": (POST + b"Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n", 501),
    "a comma behind chunked": (POST + b"Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n", 501),
    "chunked with a parameter": (POST + b"Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", 501),
    "chunked in quotes": (POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n', 501),
    "a vertical tab before chunked": (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400),
    # size
    "a target of 61 KB": (b"GET /" + b"a" * 61 * 1024 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 431),
    "a target and a field of 61 KB together": (
        b"GET /" + b"a" * 31_000 + b" HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 31_000 + b"\r\n\r\n",
        431,
    ),
    "a field of 61 KB": (GET + b"X: " + b"a" * 61 * 1024 + b"\r\n\r\n", 431),
    "a head without an end": (GET + b"X: " + b"a" * 70_000, 431),
    "101 fields": (GET + b"".join(b"x%d: 1\r\n" % i for i in range(100)) + b"\r\n", 431),
    "the same field 100 times": (GET + b"x: 1\r\n" * 100 + b"\r\n", 431),
}

REFUSED_BODIES = {
    "a size that overflows 64 bits": b"10000000000000003\r\nabc\r\n0\r\n\r\n",
    "a size of 17 digits": b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "a size with 0x": b"0x3\r\nabc\r\n0\r\n\r\n",
    "a size with a plus": b"+3\r\nabc\r\n0\r\n\r\n",
    "a size with a minus": b"-3\r\nabc\r\n0\r\n\r\n",
    "a size with an underscore": b"0_3\r\nabc\r\n0\r\n\r\n",
    "no size": b"\r\nabc\r\n0\r\n\r\n",
    "a space before the size": b" 3\r\nabc\r\n0\r\n\r\n",
    "a space behind the size": b"3 \r\nabc\r\n0\r\n\r\n",
    "a tab behind the size": b"3\t\r\nabc\r\n0\r\n\r\n",
    "bare LF behind the size": b"3\nabc\r\n0\r\n\r\n",
    "bare LF behind the data": b"3\r\nabc\n0\r\n\r\n",
    "bare LF everywhere": b"3\nabc\n0\n\n",
    "less data than the size": b"4\r\nabc\r\n0\r\n\r\n",
    "more data than the size": b"2\r\nabc\r\n0\r\n\r\n",
    "bare LF in an extension": b"3;a\nabc\r\n0\r\n\r\n",
    "bare CR in an extension": b"3;a\rb\r\nabc\r\n0\r\n\r\n",
    "a line's end in a quoted extension": b'3;a="\r\n"\r\nabc\r\n0\r\n\r\n',
    "an extension without a name": b"3;\r\nabc\r\n0\r\n\r\n",
    "Content-Length in a trailer": b"3\r\nabc\r\n0\r\nContent-Length: 5\r\n\r\n",
    "Transfer-Encoding in a trailer": b"3\r\nabc\r\n0\r\nTransfer-Encoding: gzip\r\n\r\n",
    "obs-fold in a trailer": b"3\r\nabc\r\n0\r\nX: 1\r\n 2\r\n\r\n",
    "NUL in a trailer": b"3\r\nabc\r\n0\r\nX: \x00\r\n\r\n",
    "bare LF in a trailer": b"3\r\nabc\r\n0\r\nX: 1\n\r\n",
    "a space before a trailer's colon": b"3\r\nabc\r\n0\r\nX : 1\r\n\r\n",
}


@pytest.mark.parametrize("behind", [b"", NEXT], ids=["alone", "another behind"])
@pytest.mark.parametrize(("data", "status"), REFUSED_HEADS.values(), ids=REFUSED_HEADS)
def test_a_head_that_could_be_read_in_two_ways_is_refused(
    parse_requests: Any, data: bytes, status: int, behind: bytes
) -> None:
    outcome = parse_requests(data + behind)
    assert outcome.error is not None
    assert outcome.error.status == status
    assert outcome.events == []


@pytest.mark.parametrize("behind", [b"", NEXT], ids=["alone", "another behind"])
@pytest.mark.parametrize("body", REFUSED_BODIES.values(), ids=REFUSED_BODIES)
def test_a_body_that_could_be_read_in_two_ways_is_refused(parse_requests: Any, body: bytes, behind: bytes) -> None:
    outcome = parse_requests(CHUNKED + body + behind)
    assert outcome.error is not None
    assert outcome.error.status == 400
    assert len(outcome.of("head")) == 1
    assert outcome.of("end") == []


# passed on, with one meaning


def test_blanks_around_a_value_are_no_part_of_it(parse_requests: Any) -> None:
    data = b"POST / HTTP/1.1\r\nHost:\t a \t\r\nRole: admin \t\r\nTransfer-Encoding: chunked \r\n\r\n0\r\n\r\n"
    outcome = parse_requests(data + NEXT)
    assert outcome.of("head")[0].headers.items() == [
        (b"host", b"a"),
        (b"role", b"admin"),
        (b"transfer-encoding", b"chunked"),
    ]
    assert [head.path for head in outcome.of("head")] == [b"/", b"/next"]


@pytest.mark.parametrize(
    ("length", "body"), [(b"0003", b"abc"), (b"3\t", b"abc"), (b"00", b""), (b"0" * 30 + b"3", b"abc")]
)
def test_a_length_is_passed_on_in_its_shortest_form(parse_requests: Any, length: bytes, body: bytes) -> None:
    outcome = parse_requests(POST + b"Content-Length: " + length + b"\r\n\r\n" + body + NEXT)
    head = outcome.of("head")[0]
    assert (head.content_length, head.headers[b"content-length"]) == (len(body), b"%d" % len(body))
    assert outcome.of("head")[1].path == b"/next"


def test_the_longest_length_that_fits_63_bits_passes(parse_requests: Any) -> None:
    outcome = parse_requests(POST + b"Content-Length: 9223372036854775807\r\n\r\n")
    assert outcome.of("head")[0].content_length == 2**63 - 1


def test_an_absolute_target_wins_over_another_host(parse_requests: Any) -> None:
    head = parse_requests(b"GET http://b/x HTTP/1.1\r\n" + HOST + b"\r\n").of("head")[0]
    assert head.headers.items() == [(b"host", b"b")]
    assert head.path == b"/x"


@pytest.mark.parametrize(
    "forbidden",
    [
        b"Host: b",
        b"Connection: close, x-sum",
        b"Keep-Alive: 5",
        b"Upgrade: websocket",
        b"TE: trailers",
        b"Trailer: x",
        b"Authorization: Bearer x",
        b"Cookie: a=b",
        b"Content-Type: text/html",
        b"Content-Encoding: gzip",
        b"Range: bytes=0-1",
        b"If-Match: *",
        b"Max-Forwards: 1",
        b"X-Forwarded-For: 10.0.0.1",
        b"X-Envoy-Original-Path: /admin",
    ],
)
def test_trailers_that_would_change_the_head_are_dropped(parse_requests: Any, forbidden: bytes) -> None:
    body = b"3\r\nabc\r\n0\r\n" + forbidden + b"\r\nX-Sum: 1\r\n" + forbidden + b"\r\n\r\n"
    outcome = parse_requests(CHUNKED + body)
    assert outcome.error is None
    assert outcome.of("end")[0].items() == [(b"x-sum", b"1")]


def test_trailers_of_which_nothing_is_left_are_none(parse_requests: Any) -> None:
    assert parse_requests(CHUNKED + b"0\r\nHost: b\r\n\r\n").of("end") == [None]


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET / HTTP/1.1\r\nUpgrade: connect\r\n",
        b"GET / HTTP/1.1\r\nUpgrade: \r\n",
        b"GET / HTTP/1.0\r\nUpgrade: websocket\r\n",
    ],
    ids=["to connect", "to nothing", "of HTTP/1.0"],
)
def test_an_upgrade_that_is_none_is_ignored(parse_requests: Any, request_line: bytes) -> None:
    outcome = parse_requests(request_line + HOST + b"Connection: upgrade, keep-alive\r\n\r\n" + NEXT)
    assert outcome.error is None
    assert [head.upgrade for head in outcome.of("head")] == [b"", b""]
    assert outcome.of("head")[1].path == b"/next"


@pytest.mark.parametrize(
    "body",
    [
        b'3;a=b;c="d;\\"e"\r\nabc\r\n0;x\r\n\r\n',
        b"0003\r\nabc\r\n000\r\n\r\n",
        b"1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n",
    ],
    ids=["extensions", "zeros", "three chunks"],
)
def test_only_the_data_of_chunks_is_passed_on(parse_requests: Any, body: bytes) -> None:
    outcome = parse_requests(CHUNKED + body + NEXT)
    assert outcome.of("body") == [b"abc"]
    assert outcome.of("head")[1].path == b"/next"


def test_empty_lines_before_a_request_are_skipped(parse_requests: Any) -> None:
    outcome = parse_requests(b"\r\n\r\n" + NEXT + b"\r\n" + NEXT)
    assert [head.path for head in outcome.of("head")] == [b"/next", b"/next"]


@pytest.mark.parametrize("size", [59 * 1024, 30 * 1024])
def test_a_head_within_60_kb_and_100_fields_passes(parse_requests: Any, size: int) -> None:
    fields = b"".join(b"x%d: 1\r\n" % i for i in range(98))
    outcome = parse_requests(b"GET /" + b"a" * (size - 2000) + b" HTTP/1.1\r\n" + HOST + b"Y: 1\r\n" + fields + b"\r\n")
    assert outcome.error is None
    assert outcome.of("head")[0].headers.count() == 100
