import pytest

from pymesh.proxy.codec.grpc import format_timeout, http_status, is_grpc, parse_timeout
from pymesh.proxy.codec.header_map import HeaderMap


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"2H", 7200.0),
        (b"1M", 60.0),
        (b"5S", 5.0),
        (b"250m", 0.25),
        (b"1500u", 0.002),
        (b"1n", 0.001),
        (b"0S", 0.0),
        (b"99999999H", 99_999_999 * 3600.0),
        (b"100000000S", None),
        (b"5", None),
        (b"5s", None),
        (b"-1S", None),
        (b"", None),
    ],
)
def test_a_timeout_is_read_in_whole_milliseconds(value, seconds):
    assert parse_timeout(HeaderMap([(b"grpc-timeout", value)])) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, b"250m"), (7200.0, b"7200000m"), (1_000_000.0, b"1000000S"), (1e12, b"99999999H")],
)
def test_a_timeout_is_written_in_the_smallest_unit_that_has_room(seconds, text):
    assert format_timeout(seconds) == text


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        (b"application/grpc", True),
        (b"application/grpc+proto", True),
        (b"application/grpc;charset=utf-8", True),
        (b"application/grpc-web", False),
        (b"application/json", False),
    ],
)
def test_grpc_is_known_by_its_content_type(content_type, expected):
    assert is_grpc(HeaderMap([(b"content-type", content_type)])) is expected


def test_a_status_counts_as_one_of_http():
    assert [http_status(status) for status in (b"0", b"14", b"5", b"99", b"nonsense")] == [200, 503, 404, 500, 500]
