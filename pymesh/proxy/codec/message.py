"""The head of a request or of a response, as the parsers hand it on, and what is wrong with bytes that have none."""

from typing import NamedTuple

from pymesh.proxy.codec.header_map import HeaderMap

MAX_HEAD_BYTES = 60 * 1024  # Envoy: max_request_headers_kb
MAX_HEADERS = 100  # Envoy: max_headers_count
# A Content-Length beyond it would overflow where somebody counts in signed 64 bits (RFC 9110 8.6).
MAX_CONTENT_LENGTH = (1 << 63) - 1

HTTP_10 = b"HTTP/1.0"
HTTP_11 = b"HTTP/1.1"
HTTP_2 = b"HTTP/2"


class CodecError(NamedTuple):
    """Why a message was refused: the status that answers it and Envoy's response code detail."""

    status: int
    details: str


BAD_MESSAGE = CodecError(400, "http1.codec_error")
HEAD_TOO_LARGE = CodecError(431, "http1.headers_too_large")
TOO_MANY_HEADERS = CodecError(431, "http1.too_many_headers")
TRAILERS_TOO_LARGE = CodecError(431, "http1.trailers_too_large")


class RequestHead:
    """A request's head after the framing rules of RFC 9112 have been checked.

    `path` is in origin form (`/a?b`), `*`, or empty for CONNECT; the target of an absolute form has become
    `headers[host]` and `path`, and its scheme is in `scheme`, which is empty otherwise. `upgrade` is a token that the
    client wants to change to, lower-case (`connect` for CONNECT), and the body is then raw bytes after the head.
    `content_length` is None where there is no such header.
    """

    __slots__ = (
        "content_length",
        "headers",
        "is_chunked",
        "keep_alive",
        "method",
        "path",
        "scheme",
        "upgrade",
        "version",
    )

    def __init__(self, method: bytes, path: bytes, version: bytes, headers: HeaderMap, keep_alive: bool) -> None:
        self.method = method
        self.path = path
        self.version = version
        self.headers = headers
        self.keep_alive = keep_alive
        self.scheme = b""
        self.content_length: int | None = None
        self.is_chunked = False
        self.upgrade = b""

    def copy(self) -> "RequestHead":
        """Of one in origin form, without an upgrade."""
        clone = RequestHead(self.method, self.path, self.version, self.headers.copy(), self.keep_alive)
        clone.content_length = self.content_length
        clone.is_chunked = self.is_chunked
        return clone

    @property
    def has_body(self) -> bool:
        return self.is_chunked or bool(self.content_length)

    def __repr__(self) -> str:
        return f"<RequestHead {self.method!r} {self.path!r} {self.version!r} {self.headers!r}>"


class ResponseHead:
    """A response's head. `ends_at_close`: the body is what comes until the connection closes."""

    __slots__ = ("content_length", "ends_at_close", "headers", "is_chunked", "keep_alive", "status")

    def __init__(self, status: int, headers: HeaderMap, keep_alive: bool) -> None:
        self.status = status
        self.headers = headers
        self.keep_alive = keep_alive
        self.content_length: int | None = None
        self.is_chunked = False
        self.ends_at_close = False

    def copy(self) -> "ResponseHead":
        clone = ResponseHead(self.status, self.headers.copy(), self.keep_alive)
        clone.content_length = self.content_length
        clone.is_chunked = self.is_chunked
        clone.ends_at_close = self.ends_at_close
        return clone

    def __repr__(self) -> str:
        return f"<ResponseHead {self.status} {self.headers!r}>"
