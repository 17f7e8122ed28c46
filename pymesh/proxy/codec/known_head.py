"""A peer's last head, as it came: one that is the same byte for byte needs no parsing, and most on a connection are.

llhttp does not see a message whose head is known. It stands between two messages before and after it, and would have
found in the same bytes what it found the first time; so only whole, plain messages are taken like this, those whose end
their length tells.
"""

import re
from dataclasses import dataclass
from typing import Generic, TypeVar

from pymesh.proxy.codec.message import RequestHead, ResponseHead

# A peer whose heads differ each time is given up after so many, and then looked at again once in a while.
PATIENCE = 16
PATIENCE_REGAINED = 64
_MAX_BYTES = 8 * 1024  # of what is kept of a connection

# The usual methods, and any target in origin form that llhttp takes: with what is kept of a head, it stays below
# MAX_HEAD_BYTES.
REQUEST_LINE = re.compile(rb"(GET|HEAD|POST|PUT|DELETE|PATCH|OPTIONS) (/[!\"$-~]{0,8191}) HTTP/1\.1\r\n")

Head = TypeVar("Head", RequestHead, ResponseHead)


@dataclass(slots=True)  # neither a tuple nor frozen, which are slower to read and to make
class KnownHead(Generic[Head]):
    """`text` begins behind a request's first line, but with a response's, and ends with the empty line; `size` is its
    length with that of the body. `head` is nobody's but ours, and has no path of its own."""

    text: bytes
    size: int
    head: Head


def note_request(data: bytes, head: RequestHead) -> KnownHead[RequestHead] | None:
    """`data`: all of one read, in which this message began and the last one ended. None: it is not plain."""
    line = REQUEST_LINE.match(data)
    return None if line is None else _note(data, line.end(), head, len(head.headers) + 1)


def note_response(data: bytes, head: ResponseHead) -> KnownHead[ResponseHead] | None:
    """As `note_request`."""
    return _note(data, 0, head, len(head.headers) + 2)


def _note(data: bytes, start: int, head: Head, lines: int) -> KnownHead[Head] | None:
    """One message and nothing else: the first empty line ends its head, each field has a line, the length tells the
    body."""
    end = data.find(b"\r\n\r\n", start) + 4
    is_whole = end + (head.content_length or 0) == len(data)
    if not is_whole or end > _MAX_BYTES or data.count(b"\n", start, end) != lines:
        return None
    return KnownHead(data[start:end], len(data) - start, head)
