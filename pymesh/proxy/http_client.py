"""A small HTTP/1.1 client on the proxy's own codec: requests to the control plane, over few connections that are kept.

Not for the requests of applications, which are upstream's. A library of HTTP would cost every sidecar 11 MB.
"""

import asyncio
import re
import ssl
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from pymesh.errors import PymeshError
from pymesh.proxy.codec.header_map import HeaderMap
from pymesh.proxy.codec.message import ResponseHead
from pymesh.proxy.codec.response_parser import PiecewiseSink, ResponseParser
from pymesh.proxy.codec.serializer import write_head
from pymesh.proxy.net import connect

MOST_IDLE_CONNECTIONS = 4
MOST_BODY_BYTES = 256 * 1024 * 1024

_BAD_TARGET = re.compile(r"[^!-~]")
_BAD_VALUE = re.compile(r"[\r\n\0]")


class HttpError(PymeshError):
    """No answer, or none that is HTTP."""


class HttpResponse(NamedTuple):
    status: int
    body: bytes


class Origin(NamedTuple):
    """Whom a connection is to. Another TLS context means another connection."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    server_hostname: str | None


class HttpClient:
    """Every request may come twice to the server, so it must bear that: one that a kept connection swallowed, because
    the server was just closing it, is sent again."""

    def __init__(self, most_body_bytes: int = MOST_BODY_BYTES) -> None:
        self._most_body_bytes = most_body_bytes
        self._idle: list[_Connection] = []  # the one that was used last stands last

    async def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        server_hostname: str | None = None,
        seconds: float = 5.0,
        connect_seconds: float = 5.0,
    ) -> HttpResponse:
        """`tls` is needed for https URLs, and `server_hostname` then is whom the certificate must be for.

        Raises OSError (TimeoutError and ssl.SSLError among them) where the network failed, else HttpError.
        """
        host, port, data = _write_request(method, url, body, headers or {})
        origin = Origin(host, port, tls, server_hostname)
        async with asyncio.timeout(seconds):
            while (connection := self._take_idle(origin)) is not None:
                try:
                    return await self._exchange(connection, method, data)
                except _WasClosedError:
                    continue
            async with asyncio.timeout(connect_seconds):
                connection = await self._connect(origin)
            return await self._exchange(connection, method, data)

    def close(self) -> None:
        """Close the connections that are kept. Those in use belong to their callers' tasks."""
        for connection in self._idle:
            connection.abort()
        self._idle.clear()

    def _take_idle(self, origin: Origin) -> "_Connection | None":
        self._idle = [connection for connection in self._idle if connection.is_open]
        found = next((connection for connection in reversed(self._idle) if connection.origin == origin), None)
        if found is not None:
            self._idle.remove(found)
        return found

    async def _connect(self, origin: Origin) -> "_Connection":
        connection = _Connection(origin, self._most_body_bytes)
        loop = asyncio.get_running_loop()
        await connect(
            loop, lambda: connection, origin.host, origin.port, tls=origin.tls, server_hostname=origin.server_hostname
        )
        return connection

    async def _exchange(self, connection: "_Connection", method: str, data: bytes) -> HttpResponse:
        try:
            response = await connection.exchange(method, data)
        except BaseException:
            connection.abort()
            raise
        if connection.is_open:
            self._idle.append(connection)
            if len(self._idle) > MOST_IDLE_CONNECTIONS:
                self._idle.pop(0).abort()
        return response


class _WasClosedError(HttpError):
    """A kept connection ended before a byte of the answer."""


class _Connection(PiecewiseSink, asyncio.Protocol):
    """One exchange at a time; the codec's ResponseSink."""

    def __init__(self, origin: Origin, most_body_bytes: int) -> None:
        self.origin = origin
        self._most_body_bytes = most_body_bytes
        self._parser = ResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._exchanges = 0
        # of one exchange
        self._answer: asyncio.Future[HttpResponse] | None = None
        self._has_begun = False
        self._is_last = False
        self._head: ResponseHead | None = None
        self._pieces: list[bytes] = []
        self._size = 0

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def exchange(self, method: str, data: bytes) -> HttpResponse:
        self._answer = asyncio.get_running_loop().create_future()
        self._exchanges += 1
        self._has_begun = False
        self._pieces, self._size = [], 0
        if self._transport is None:
            self._fail(self._reason(None))
        else:
            self._parser.expect(method.encode())
            self._transport.write(data)
        return await self._answer

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._has_begun = True
        error = self._parser.feed(data)
        if error is not None:
            self._fail(HttpError(f"the answer is not HTTP ({error.details})"))

    def eof_received(self) -> None:
        self._parser.feed_eof()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._parser.close()
        self._fail(self._reason(error))

    # ResponseSink

    def on_interim_head(self, head: ResponseHead) -> None:
        """Nothing waits for one."""

    def on_response_head(self, head: ResponseHead) -> None:
        self._head = head

    def on_response_body(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._most_body_bytes:
            self._fail(HttpError(f"the answer has more than {self._most_body_bytes} bytes"))
        else:
            self._pieces.append(data)

    def on_response_end(self, trailers: HeaderMap | None) -> None:
        assert self._head is not None
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(HttpResponse(self._head.status, b"".join(self._pieces)))
        self._pieces = []
        if self._is_last or not self._head.keep_alive or self._head.ends_at_close:
            self.abort()

    def on_close_announced(self) -> None:
        self._is_last = True

    def on_raw_data(self, data: bytes) -> None:
        """Never: no upgrade is asked for."""

    # the end

    def _reason(self, error: Exception | None) -> Exception:
        if self._exchanges > 1 and not self._has_begun:
            return _WasClosedError("the connection was closed")
        return error or HttpError("the connection was closed before the answer was complete")

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
        self.abort()


def _write_request(method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> tuple[str, int, bytes]:
    """Host, port, and the bytes of the request. Raises HttpError."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
    except ValueError as error:
        raise HttpError(f"{url} is not a URL: {error}") from error
    if not parts.hostname or _BAD_TARGET.search(target + parts.netloc):
        raise HttpError(f"{url} is not a URL")
    fields = {"host": parts.netloc.rpartition("@")[2], **headers}
    if body is not None or method in ("POST", "PUT"):
        fields["content-length"] = str(len(body or b""))
    if any(map(_BAD_VALUE.search, fields.values())):
        raise HttpError("a header's value must be one line")
    pairs = ((name.encode(), value.encode("latin-1", "replace")) for name, value in fields.items())
    head = write_head(f"{method} {target or '/'} HTTP/1.1\r\n".encode(), HeaderMap(pairs))
    return parts.hostname, port, head + (body or b"")
