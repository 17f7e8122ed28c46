"""What the parsers of requests and responses share: llhttp's callbacks, limits, and how errors leave them.

llhttp (through httptools) does the grammar. An error is a value: `feed` returns it, and the parser is dead from then
on. An exception out of `feed` is a bug in the sink.
"""

from collections.abc import Callable
from types import FunctionType
from typing import Any, NoReturn

from httptools import HttpParserError, HttpParserUpgrade
from httptools.parser.errors import HttpParserCallbackError

from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.known_head import PATIENCE, PATIENCE_REGAINED, KnownHead
from pymesh.proxy.codec.message import (
    BAD_MESSAGE,
    HEAD_TOO_LARGE,
    MAX_CONTENT_LENGTH,
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    TOO_MANY_HEADERS,
    TRAILERS_TOO_LARGE,
    CodecError,
)
from pymesh.proxy.codec.trailers import drop_forbidden

new_header_map = HeaderMap.__new__


class RejectedError(Exception):
    """Leaves llhttp's callback; the reason is in the parser."""


class RawData:
    """Takes llhttp's place after an upgrade: what comes is no HTTP any more."""

    __slots__ = ("feed_data",)

    def __init__(self, on_raw_data: Callable[[bytes], None]) -> None:
        self.feed_data = on_raw_data


class MessageParser:
    """Subclasses make `_parser` and implement `feed`, `_note`, and what llhttp calls at the end of a head and of a
    message; `_joined` are the fields of which there is only one line."""

    __slots__ = (
        "_error",
        "_fields",
        "_held_head",
        "_in_body",
        "_in_message",
        "_is_noting",
        "_known",
        "_noted",
        "_parser",
        "_patience",
        "_sink",
        "_unaccounted",
    )

    _joined: frozenset[bytes] = frozenset()

    def __init_subclass__(cls) -> None:
        """A copy of the hot methods for each subclass: CPython 3.11 specializes code for one class of `self`, and code
        that meets two of them in turn for neither (3 % of a request)."""
        for method in (cls._parse, cls.on_header):
            setattr(cls, method.__name__, FunctionType(method.__code__.replace(), method.__globals__))

    def __init__(self, sink: Any) -> None:
        self._sink = sink
        self._parser: Any = None
        self._fields: HeaderMap = new_header_map(HeaderMap)  # of the head, and after it of the trailers
        self._in_body = False
        # Bytes that came since something was handed on: the size of a head, or of chunk extensions and trailers, so
        # far. Never less than that, and at most one read more.
        self._unaccounted = 0
        self._error: CodecError | None = None
        self._held_head: Any = None  # complete, but its sink has not heard of it yet
        self._in_message = False
        # The last head, if the next one may be the same. None, too, where llhttp is within a message.
        self._known: KnownHead[Any] | None = None
        self._patience = PATIENCE
        self._is_noting = False
        self._noted: Any = None  # a copy of a head, from before its sink had it

    def _parse_and_note(self, data: bytes) -> CodecError | None:
        """`_parse` for what does not begin with the known head."""
        patience = self._patience = self._patience - 1
        if self._in_message or (patience < 0 and patience % PATIENCE_REGAINED):
            return self._parse(data)
        self._is_noting = True
        error = self._parse(data)
        self._is_noting = False
        noted, self._noted = self._noted, None
        if noted is not None and not self._in_message and error is None:
            self._known = self._note(data, noted)
        return error

    def _parse(self, data: bytes) -> CodecError | None:
        """Have llhttp parse what came; the sink hears of it. None, or why the peer's bytes are not HTTP."""
        if self._error is not None:
            return self._error
        self._unaccounted += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            self._unaccounted = 0
            return self._on_upgrade(data[upgrade.args[0] :])
        except HttpParserError as error:
            return self._fail(error)
        if self._held_head is not None:
            self._release_head()
        if self._unaccounted > MAX_HEAD_BYTES:
            self._error = TRAILERS_TOO_LARGE if self._in_body else HEAD_TOO_LARGE
        return self._error

    def close(self) -> None:
        """Nothing more comes. Breaks the reference cycles with llhttp's parser and with the sink, a connection:
        it goes at once then, and not only when the garbage collector comes to its old generation."""
        self._parser = None
        self._sink = None

    # llhttp's callbacks

    def on_message_begin(self) -> None:
        self._in_message = True

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        value = value.rstrip()  # RFC 9110 5.5: no part of it; llhttp takes only the leading blanks away
        fields = self._fields
        if name in fields:
            fields.add(name, value)
        else:
            fields[name] = value

    # for subclasses

    def _note(self, data: bytes, head: Any) -> KnownHead[Any] | None:
        raise NotImplementedError

    def _on_upgrade(self, rest: bytes) -> CodecError | None:
        raise NotImplementedError

    def _release_head(self) -> None:
        raise NotImplementedError

    def _check_unusual(self, fields: HeaderMap, target: bytes = b"") -> None:
        """A complete head of which a cheap look has said that it may be too large, or has repeated fields."""
        if fields.count() > MAX_HEADERS:
            self._reject(TOO_MANY_HEADERS)
        if len(target) + sum(len(name) + len(value) + 4 for name, value in fields.pairs()) > MAX_HEAD_BYTES:
            self._reject(HEAD_TOO_LARGE)
        fields.join(self._joined)

    def _read_unusual_length(self, fields: HeaderMap, length: bytes) -> int:
        """A Content-Length that llhttp takes and others may not: one meaning for everybody behind us."""
        value = int(length)
        if value > MAX_CONTENT_LENGTH:
            self._reject(BAD_MESSAGE)
        fields.set(b"content-length", b"%d" % value)  # 007 may be octal for somebody
        return value

    def _take_trailers(self) -> HeaderMap | None:
        if not self._fields:
            return None
        trailers = self._fields
        self._fields = new_header_map(HeaderMap)
        if trailers.count() > MAX_HEADERS:
            self._reject(TRAILERS_TOO_LARGE)
        return drop_forbidden(trailers)

    def _reject(self, error: CodecError) -> NoReturn:
        self._error = error
        raise RejectedError

    def _fail(self, error: HttpParserError) -> CodecError:
        if self._error is None:
            if isinstance(error, HttpParserCallbackError) and error.__context__ is not None:
                raise error.__context__  # the sink's bug
            self._error = BAD_MESSAGE
        if self._held_head is not None:
            self._release_head()  # what came before the error was right
        return self._error
