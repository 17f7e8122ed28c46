"""Whether who connects speaks HTTP at all."""

from typing import Any

from httptools import HttpParserError

from pymesh.proxy.codec.message import CodecError

# Whoever reads HTTP/1.1 only refuses it.
HTTP_2_PREFACE = CodecError(400, "http1.codec_error")

_HTTP_2_LINE = b"PRI * HTTP/2.0\r\n"  # RFC 9113 3.4
_TAIL = len(_HTTP_2_LINE)  # bytes of a line, in which its version is


class FirstLine:
    """In llhttp's place until the first line of a connection is complete. llhttp does not tell that a line ends with
    RTSP/1.0, and waits for fields behind one without a version."""

    __slots__ = ("_owner", "_parser", "_tail")

    def __init__(self, owner: Any, parser: Any) -> None:
        """`owner` has this as its `_parser`, and then `parser`."""
        self._owner = owner
        self._parser = parser
        self._tail = b""

    def feed_data(self, data: bytes) -> None:
        begun = (self._tail + data).lstrip(b"\r\n")  # RFC 9112 2.2: empty lines before it do not count
        end = begun.find(b"\n")
        if end >= 0:
            self._owner._parser = self._parser
            if begun.startswith(_HTTP_2_LINE):
                self._owner._error = HTTP_2_PREFACE
                raise HttpParserError("the first line is of HTTP/2")
            if b" HTTP/" not in begun[max(0, end - _TAIL) : end]:
                raise HttpParserError("the first line is not of HTTP")
        self._tail = begun[-_TAIL:]
        self._parser.feed_data(data)
