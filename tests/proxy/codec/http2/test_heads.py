import pytest

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.http2.heads import (
    HEAD_TOO_LARGE,
    MALFORMED,
    TOO_MANY_HEADERS,
    read_request_head,
    read_response_head,
    read_trailers,
    request_fields,
    response_fields,
)
from pymesh.proxy.codec.message import CodecError, RequestHead, ResponseHead
from pymesh.proxy.codec.request_parser import FRAGMENT, MISSING_HOST

PSEUDO = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"shop:8080"), (b":path", b"/a?b")]


def request(*fields: tuple[bytes, bytes], is_end: bool = True) -> RequestHead:
    head = read_request_head([*PSEUDO, *fields], is_end)
    assert isinstance(head, RequestHead)
    return head


def replaced(name: bytes, *values: bytes) -> list[tuple[bytes, bytes]]:
    return [pair for pair in PSEUDO if pair[0] != name] + [(name, value) for value in values]


def test_the_authority_is_the_host_of_the_request() -> None:
    head = request((b"x-a", b"1"))
    assert (head.method, head.scheme, head.path) == (b"GET", b"https", b"/a?b")
    assert head.headers[b"host"] == b"shop:8080"
    assert head.keep_alive


def test_host_stands_in_for_the_authority() -> None:
    head = read_request_head([*replaced(b":authority"), (b"host", b"shop")], True)
    assert isinstance(head, RequestHead)
    assert head.headers.items() == [(b"host", b"shop")]


def test_cookies_that_came_apart_are_one_field_again() -> None:
    assert request((b"cookie", b"a=1"), (b"x", b"y"), (b"cookie", b"b=2")).headers[b"cookie"] == b"a=1; b=2"


def test_fields_of_which_there_is_one_line_are_joined() -> None:
    assert request((b"accept", b"a"), (b"accept", b"b")).headers[b"accept"] == b"a,b"


def test_a_body_without_a_length_is_chunked_for_http_1() -> None:
    assert request(is_end=False).is_chunked
    assert not request((b"content-length", b"3"), is_end=False).is_chunked
    assert not request().is_chunked


def test_connect_has_an_authority_and_nothing_else() -> None:
    head = read_request_head([(b":method", b"CONNECT"), (b":authority", b"db:5432")], False)
    assert isinstance(head, RequestHead)
    assert (head.upgrade, head.path, head.headers[b"host"]) == (b"connect", b"", b"db:5432")
    assert read_request_head([(b":method", b"CONNECT"), *PSEUDO[1:]], False) is MALFORMED


@pytest.mark.parametrize(
    "field",
    [
        (b"X-A", b"1"),
        (b"x a", b"1"),
        (b"", b"1"),
        (b"x:a", b"1"),
        (b"x-a", b"1\r\nx-b: 2"),
        (b"x-a", b"1\x00"),
        (b"x-a", b" 1"),
        (b"x-a", b"1\t"),
        (b"connection", b"close"),
        (b"keep-alive", b"5"),
        (b"proxy-connection", b"close"),
        (b"transfer-encoding", b"chunked"),
        (b"upgrade", b"h2c"),
        (b"te", b"gzip"),
        (b":path", b"/again"),
        (b":status", b"200"),
        (b":protocol", b"websocket"),
        (b":custom", b"1"),
        (b"host", b"other"),
        (b"content-length", b"-1"),
        (b"content-length", b"1,1"),
        (b"content-length", b"99999999999999999999"),
        (b"content-length", b"5"),  # and no body
    ],
    ids=repr,
)
def test_a_request_with_such_a_field_is_malformed(field: tuple[bytes, bytes]) -> None:
    assert read_request_head([*PSEUDO, field], True) is MALFORMED


@pytest.mark.parametrize(
    "fields",
    [
        replaced(b":method"),
        replaced(b":method", b"GE T"),
        replaced(b":method", b""),
        replaced(b":scheme"),
        replaced(b":scheme", b"ftp"),
        replaced(b":path"),
        replaced(b":path", b""),
        replaced(b":path", b"a"),
        replaced(b":path", b"/a b"),
        replaced(b":path", b"*"),
        replaced(b":path", b"http://a/"),
        replaced(b":authority", b"user@shop"),
        replaced(b":authority", b"a/b"),
        replaced(b":authority", b"a", b"b"),
        [(b"x-a", b"1"), *PSEUDO],
        [*PSEUDO, (b"content-length", b"3"), (b"content-length", b"3")],
        [*replaced(b":authority"), (b"host", b"a"), (b"host", b"b")],
        [(b":method", b"CONNECT"), (b":authority", b"no-port")],
    ],
    ids=repr,
)
def test_such_a_request_is_malformed(fields: list[tuple[bytes, bytes]]) -> None:
    assert read_request_head(fields, False) is MALFORMED


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        (replaced(b":authority"), MISSING_HOST),
        (replaced(b":path", b"/a#b"), FRAGMENT),
        ([*PSEUDO, *((b"x-%d" % i, b"") for i in range(101))], TOO_MANY_HEADERS),
        ([*PSEUDO, (b"x-a", b"a" * 61_440)], HEAD_TOO_LARGE),
    ],
    ids=["no host", "fragment", "many", "large"],
)
def test_such_a_request_has_an_answer(fields: list[tuple[bytes, bytes]], error: CodecError) -> None:
    assert read_request_head(fields, True) is error


def test_options_may_ask_for_the_whole_server() -> None:
    head = read_request_head([(b":method", b"OPTIONS"), *PSEUDO[1:3], (b":path", b"*")], True)
    assert isinstance(head, RequestHead)


def test_a_response_has_a_status_and_a_length() -> None:
    head = read_response_head([(b":status", b"200"), (b"content-length", b"007")], False, b"GET")
    assert isinstance(head, ResponseHead)
    assert (head.status, head.content_length, head.headers[b"content-length"]) == (200, 7, b"7")


@pytest.mark.parametrize(
    ("fields", "is_end"),
    [
        ([], True),
        ([(b":status", b"20")], True),
        ([(b":status", b"abc")], True),
        ([(b":status", b"101")], False),
        ([(b":status", b"100")], True),
        ([(b":status", b"200"), (b":path", b"/")], True),
        ([(b":status", b"200"), (b"content-length", b"5")], True),
        ([(b":status", b"200"), (b"connection", b"close")], True),
    ],
    ids=repr,
)
def test_such_a_response_is_malformed(fields: list[tuple[bytes, bytes]], is_end: bool) -> None:
    assert read_response_head(fields, is_end, b"GET") is MALFORMED


@pytest.mark.parametrize(("status", "method"), [(b"200", b"HEAD"), (b"304", b"GET")])
def test_a_response_that_never_has_a_body_may_tell_its_length(status: bytes, method: bytes) -> None:
    head = read_response_head([(b":status", status), (b"content-length", b"5")], True, method)
    assert isinstance(head, ResponseHead)
    assert head.content_length == 5


def test_trailers_are_kept_without_what_only_a_head_may_say() -> None:
    trailers = read_trailers([(b"grpc-status", b"0"), (b"authorization", b"x")])
    assert isinstance(trailers, HeaderMap)
    assert trailers.items() == [(b"grpc-status", b"0")]
    assert read_trailers([(b"host", b"x")]) is None
    assert read_trailers([(b":status", b"200")]) is MALFORMED


def test_what_frames_http_1_is_not_sent() -> None:
    headers = HeaderMap(
        [
            (b"host", b"shop"),
            (b"connection", b"close"),
            (b"transfer-encoding", b"chunked"),
            (b"te", b"gzip"),
            (b"x", b"y"),
        ]
    )
    assert request_fields(b"GET", b"http", b"/", headers) == [
        (b":method", b"GET"),
        (b":scheme", b"http"),
        (b":path", b"/"),
        (b":authority", b"shop"),
        (b"x", b"y"),
    ]
    assert response_fields(204, HeaderMap([(b"upgrade", b"x"), (b"x", b"y")])) == [(b":status", b"204"), (b"x", b"y")]


@pytest.mark.parametrize(
    ("values", "sent"),
    [
        ([b"trailers"], [b"trailers"]),
        ([b"trailers", b"gzip"], [b"trailers"]),
        ([b"gzip", b"trailers"], [b"trailers"]),
        ([b"gzip;q=0.5, Trailers"], [b"trailers"]),
        ([b"gzip", b"deflate"], []),
    ],
    ids=repr,
)
def test_of_te_only_trailers_are_sent(values: list[bytes], sent: list[bytes]) -> None:
    headers = HeaderMap([(b"host", b"shop"), *((b"te", value) for value in values)])
    assert [value for name, value in request_fields(b"GET", b"http", b"/", headers) if name == b"te"] == sent


def test_an_interim_response_has_no_length() -> None:
    fields = [(b"content-length", b"5"), (b"link", b"</a>")]
    head = read_response_head([(b":status", b"103"), *fields], False, b"GET")
    assert isinstance(head, ResponseHead)
    assert (head.content_length, head.headers.items()) == (None, [(b"link", b"</a>")])
    assert response_fields(103, HeaderMap(fields)) == [(b":status", b"103"), (b"link", b"</a>")]


def test_secrets_are_never_indexed() -> None:
    fields = request_fields(b"GET", b"http", b"/", HeaderMap([(b"host", b"a"), (b"cookie", b"a=1"), (b"x", b"y")]))
    assert [pair[0] for pair in fields if not getattr(pair, "indexable", True)] == [b"cookie"]
