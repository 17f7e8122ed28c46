"""What both parsers do alike."""

import gc
import weakref
from typing import Any

import pytest

from pymesh.proxy.codec.request_parser import RequestParser
from pymesh.proxy.codec.response_parser import ResponseParser


class Connection:
    """A sink that owns its parser, as connections do."""

    def __init__(self, parser_class: Any) -> None:
        self.parser = parser_class(self)

    def on_request_head(self, head: Any) -> None: ...

    def on_request_body(self, data: bytes) -> None: ...


@pytest.mark.parametrize("parser_class", [RequestParser, ResponseParser])
def test_a_closed_parser_leaves_its_connection_to_nobody(parser_class: Any) -> None:
    connection = Connection(parser_class)
    connection.parser.feed(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab")
    gone = weakref.ref(connection)
    gc.disable()  # it would find a cycle, sooner or later
    try:
        connection.parser.close()
        del connection
        assert gone() is None
    finally:
        gc.enable()
