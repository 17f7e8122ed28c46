"""One connection to the admin port: requests in, by the proxy's own codec, and one answer after the other out."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from pymesh.proxy.admin.page import Page, text_page
from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.message import HTTP_11, RequestHead
from pymesh.proxy.codec.request_parser import RequestParser
from pymesh.proxy.codec.serializer import LAST_CHUNK, STATUS_LINES, write_chunk, write_head
from pymesh.proxy.downstream.http_date import format_date

PATIENCE = 75.0  # seconds that a request may take to come, and its answer to be read
_READ_BYTES = 65536


class _Request(NamedTuple):
    head: RequestHead
    refusal: Page | None = None


class AdminConnection:
    """The codec's RequestSink. The bodies of requests are read and thrown away, for no page has a use for one.

    No more requests wait than came with one read.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        answer: Callable[[RequestHead], Awaitable[Page]],
    ) -> None:
        self.is_idle = True  # nobody waits for an answer
        self._reader = reader
        self._writer = writer
        self._answer = answer
        self._parser = RequestParser(self)
        self._head: RequestHead | None = None
        self._waiting: deque[_Request] = deque()
        self._keep_alive = True

    async def run(self) -> None:
        """Until one side has had enough."""
        try:
            while self._keep_alive and await self._receive():
                self.is_idle = False
                await self._serve(self._waiting.popleft())
                self.is_idle = True
        except OSError:  # TimeoutError is one: the client has gone, or might as well have
            self._writer.transport.abort()
        finally:
            self._parser.close()
            self._writer.close()

    async def _receive(self) -> bool:
        """Until a request is complete. False: none will come."""
        async with asyncio.timeout(PATIENCE):
            while not self._waiting:
                data = await self._reader.read(_READ_BYTES)
                if not data:
                    return False
                self._feed(data)
        return True

    def _feed(self, data: bytes) -> None:
        error = self._parser.feed(data)
        if error is not None:
            head = RequestHead(b"", b"", HTTP_11, HeaderMap(), keep_alive=False)
            self._waiting.append(_Request(head, text_page(f"{error.details}\n", error.status)))

    # RequestSink

    def on_request_head(self, head: RequestHead) -> None:
        self._head = head
        if head.upgrade:  # no page grants one; what follows is no HTTP
            head.keep_alive = False
            self._waiting.append(_Request(head))

    def on_request_body(self, data: bytes) -> None:
        pass

    def on_request_end(self, trailers: HeaderMap | None) -> None:
        assert self._head is not None
        self._waiting.append(_Request(self._head))

    def on_raw_data(self, data: bytes) -> None:
        pass

    # answers

    async def _serve(self, request: _Request) -> None:
        head = request.head
        page = request.refusal or await self._answer(head)
        self._keep_alive = head.keep_alive and head.version is HTTP_11
        async with asyncio.timeout(PATIENCE):
            self._writer.write(write_head(STATUS_LINES[page.status], self._headers(page, head)))
            if head.method != b"HEAD":
                await self._write_body(page, is_chunked=head.version is HTTP_11)
            await self._writer.drain()

    def _headers(self, page: Page, head: RequestHead) -> HeaderMap:
        headers = HeaderMap()
        headers[b"content-type"] = page.content_type.encode()
        headers[b"date"] = format_date(int(time.time())).encode()
        if page.allow:
            headers[b"allow"] = page.allow.encode()
        if page.pieces is None:
            headers[b"content-length"] = b"%d" % len(page.body)
        elif head.version is HTTP_11:
            headers[b"transfer-encoding"] = b"chunked"
        if not self._keep_alive:
            headers[b"connection"] = b"close"
        return headers

    async def _write_body(self, page: Page, is_chunked: bool) -> None:
        if page.pieces is None:
            self._writer.write(page.body)
            return
        for piece in page.pieces:
            self._writer.write(write_chunk(piece) if is_chunked else piece)
            await self._writer.drain()
            await asyncio.sleep(0)
        self._writer.write(LAST_CHUNK if is_chunked else b"")
