"""What a page of the admin port is asked, and what it answers."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"


class Page(NamedTuple):
    """The answer. `pieces`, instead of a body, are sent one by one: between two of them, the loop serves requests."""

    body: bytes = b""
    content_type: str = TEXT
    status: int = 200
    pieces: Iterable[bytes] | None = None
    allow: str = ""  # the methods, of a 405


# Is given the parameters of the query, the last of each name.
Handler = Callable[[Mapping[str, str]], Awaitable[Page]]


class PageRoute(NamedTuple):
    method: str
    path: str
    handler: Handler


def text_page(text: str, status: int = 200) -> Page:
    return Page(text.encode(), status=status)


def json_page(value: object) -> Page:
    return Page(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n", JSON)
