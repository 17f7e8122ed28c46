"""What gRPC says in HTTP's fields: deadlines, statuses and messages. Pure.

https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
"""

import re

from pymesh.proxy.codec.header_map import HeaderMap

GRPC_TIMEOUT = b"grpc-timeout"
GRPC_STATUS = b"grpc-status"
_CONTENT_TYPE = b"application/grpc"

_is_timeout = re.compile(rb"(\d{1,8})([HMSmun])").fullmatch
_NANOSECONDS = {b"H": 3600 * 10**9, b"M": 60 * 10**9, b"S": 10**9, b"m": 10**6, b"u": 1000, b"n": 1}
_MOST = 99_999_999  # eight digits
_PREFIX = 5  # of a message: whether it is compressed, and its length

# What outlier detection takes a status for. Envoy: Grpc::Utility::grpcToHttpStatus.
_HTTP_STATUSES = {
    b"0": 200,
    b"1": 499,
    b"3": 400,
    b"4": 504,
    b"5": 404,
    b"6": 409,
    b"7": 403,
    b"8": 429,
    b"9": 400,
    b"10": 409,
    b"11": 400,
    b"12": 501,
    b"13": 500,
    b"14": 503,
    b"15": 500,
    b"16": 401,
}

_UNKNOWN = 2
_GRPC_STATUSES = {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14}


def is_grpc(headers: HeaderMap) -> bool:
    """Also `application/grpc+proto`, but not `application/grpc-web`."""
    content_type = headers.get(b"content-type", b"")
    rest = content_type[len(_CONTENT_TYPE) :]
    return content_type.startswith(_CONTENT_TYPE) and (not rest or rest[:1] in b"+;")


def parse_timeout(headers: HeaderMap) -> float | None:
    """Seconds, in whole milliseconds rounded up. None where there is no grpc-timeout, or none that could be read."""
    found = _is_timeout(headers.get(GRPC_TIMEOUT, b""))
    if found is None:
        return None
    milliseconds = -(-int(found[1]) * _NANOSECONDS[found[2]] // 10**6)
    return milliseconds / 1000


def format_timeout(seconds: float) -> bytes:
    """In the smallest unit from milliseconds on that has room for it."""
    milliseconds = round(seconds * 1000)
    for unit, size in ((b"m", 1), (b"S", 1000), (b"M", 60_000)):
        if milliseconds // size <= _MOST:
            return b"%d%b" % (milliseconds // size, unit)
    return b"%dH" % min(milliseconds // 3_600_000, _MOST)


def http_status(grpc_status: bytes) -> int:
    """500 for what is no status that anybody knows."""
    return _HTTP_STATUSES.get(grpc_status, 500)


def write_message(payload: bytes) -> bytes:
    """A message of a call, not compressed."""
    return b"\0%b%b" % (len(payload).to_bytes(4), payload)


def read_message(body: bytes) -> bytes | None:
    """The payload of the only message; None for what is not one, or is compressed, which nobody was told of."""
    if len(body) < _PREFIX or body[0] or int.from_bytes(body[1:_PREFIX]) != len(body) - _PREFIX:
        return None
    return body[_PREFIX:]


def grpc_status(status: int) -> int:
    """What a client of gRPC is told where there is only HTTP's. Envoy: Grpc::Utility::httpToGrpcStatus."""
    return _GRPC_STATUSES.get(status, _UNKNOWN)


def encode_message(text: bytes) -> bytes:
    """Percent-encoded, as Envoy does: what is no printable ASCII, `%` and `~`."""
    return b"".join(b"%c" % c if 0x20 <= c < 0x7E and c != 0x25 else b"%%%02X" % c for c in text)
