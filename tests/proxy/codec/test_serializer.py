from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.serializer import STATUS_LINES, write_chunk, write_head, write_last_chunk


def test_a_head_is_its_lines() -> None:
    headers = HeaderMap([(b"a", b"1"), (b"b", b"2"), (b"a", b"3")])
    assert write_head(STATUS_LINES[200], headers) == b"HTTP/1.1 200 OK\r\na: 1\r\nb: 2\r\na: 3\r\n\r\n"


def test_a_head_without_fields_ends_at_once() -> None:
    assert write_head(b"GET / HTTP/1.1\r\n", HeaderMap()) == b"GET / HTTP/1.1\r\n\r\n"


def test_chunks_say_their_size_in_hex() -> None:
    assert write_chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"
    assert write_last_chunk(None) == b"0\r\n\r\n"
    assert write_last_chunk(HeaderMap([(b"t", b"1")])) == b"0\r\nt: 1\r\n\r\n"


def test_an_unknown_status_has_a_line_too() -> None:
    assert STATUS_LINES[299] == b"HTTP/1.1 299 Unknown\r\n"


def test_a_name_with_a_percent_sign_is_written_as_it_is() -> None:
    assert write_head(b"GET / HTTP/1.1\r\n", HeaderMap([(b"a%b", b"%d")])) == b"GET / HTTP/1.1\r\na%b: %d\r\n\r\n"


def test_heads_of_any_number_of_shapes_are_written() -> None:
    for number in range(3000):
        name = b"x-%d" % number
        assert write_head(b"", HeaderMap([(name, b"1")])) == name + b": 1\r\n\r\n"
