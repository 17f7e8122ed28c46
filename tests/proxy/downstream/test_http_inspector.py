import pytest

from pymesh.proxy.downstream.client_hello import INCOMPLETE
from pymesh.proxy.downstream.http_inspector import MAX_REQUEST_LINE, HttpPreface, parse_http_preface

REQUEST = b"GET /a?b=c HTTP/1.1\r\nhost: shop\r\n\r\n"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "protocol"),
    [
        (REQUEST, "http/1.1"),
        (b"POST / HTTP/1.0\n", "http/1.0"),
        (b"M-SEARCH * HTTP/1.1\r\n", "http/1.1"),
        (b"CONNECT db:5432 HTTP/1.1\r\n", "http/1.1"),
        (PREFACE + b"\x00", "h2c"),
    ],
)
def test_the_first_line_of_a_request_tells_the_protocol(data, protocol):
    assert parse_http_preface(data) == HttpPreface(protocol)


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"\x00\x00\x00\x08\x04\xd2\x16\x2f",
        b"GET /a b HTTP/1.1\r\n",
        b"GET / HTTP/3.1\r\n",
        b"hello\n",
        b"x" * 40,
        b"GET /" + b"a" * MAX_REQUEST_LINE,
    ],
)
def test_what_is_not_a_request_is_known_at_once(data):
    assert parse_http_preface(data) is None


@pytest.mark.parametrize("whole", [REQUEST[: REQUEST.index(b"\n")], PREFACE[:-1]])
def test_the_beginning_of_a_request_may_still_become_one(whole):
    assert {parse_http_preface(whole[:length]) for length in range(1, len(whole) + 1)} == {INCOMPLETE}
