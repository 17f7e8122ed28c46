"""Heads and chunks -> bytes. Framing headers are the caller's; everything here only writes."""

from http import HTTPStatus

from pymesh.proxy.codec.header_map import HeaderMap

LAST_CHUNK = b"0\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_PHRASES = {status.value: status.phrase for status in HTTPStatus} | {
    413: "Payload Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Entity",
    599: "Last Unassigned Server Error Code",
}
for _unknown_to_envoy in (418, 451):
    del _PHRASES[_unknown_to_envoy]
STATUS_LINES = [f"HTTP/1.1 {status} {_PHRASES.get(status, 'Unknown')}\r\n".encode() for status in range(1000)]
STATUS_LINES_10 = [line.replace(b"HTTP/1.1", b"HTTP/1.0", 1) for line in STATUS_LINES]

_MAX_SHAPES = 512
_MAX_SHAPE_BYTES = 2048
# Of all fields, by their names in order; those of requests have a method and a target before.
_shapes: dict[tuple[bytes, ...], bytes] = {}
_request_shapes: dict[tuple[bytes, ...], bytes] = {}

_join_pair = b": ".join
_join_lines = b"\r\n".join


def reason_phrase(status: int) -> bytes:
    return _PHRASES.get(status, "Unknown").encode()


def write_head(start_line: bytes, headers: HeaderMap) -> bytes:
    """`start_line` ends with CRLF; so does what is returned, twice."""
    if headers.repeated:
        return b"%b%b\r\n\r\n" % (start_line, _join_lines(map(_join_pair, headers.pairs())))
    # Heads have few shapes: to fill in one costs half of what joining each field does.
    names = tuple(headers)
    shape = _shapes.get(names) or _new_shape(_shapes, b"%b", names)
    return shape % (start_line, *headers.values())


def write_request_head(method: bytes, path: bytes, headers: HeaderMap) -> bytes:
    if headers.repeated:
        return write_head(b"%b %b HTTP/1.1\r\n" % (method, path), headers)
    names = tuple(headers)
    shape = _request_shapes.get(names) or _new_shape(_request_shapes, b"%b %b HTTP/1.1\r\n", names)
    return shape % (method, path, *headers.values())


def _new_shape(shapes: dict[tuple[bytes, ...], bytes], start_line: bytes, names: tuple[bytes, ...]) -> bytes:
    lines = [name.replace(b"%", b"%%") + b": %b\r\n" for name in names]
    shape = b"".join([start_line, *lines, b"\r\n"])
    if len(shape) <= _MAX_SHAPE_BYTES:  # the names are clients' and servers' own
        if len(shapes) >= _MAX_SHAPES:
            shapes.clear()
        shapes[names] = shape
    return shape


def write_chunk(data: bytes) -> bytes:
    """Not for empty data, which would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def write_last_chunk(trailers: HeaderMap | None) -> bytes:
    return LAST_CHUNK if not trailers else write_head(b"0\r\n", trailers)
