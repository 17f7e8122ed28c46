"""The admin port's HTTP server. It is for this machine: it listens on loopback unless told otherwise."""

import asyncio
import logging
import socket
from typing import Protocol
from urllib.parse import parse_qsl

from pymesh.proxy.admin.connection import AdminConnection
from pymesh.proxy.admin.drain_pages import Drained, DrainPages
from pymesh.proxy.admin.page import Handler, Page, text_page
from pymesh.proxy.admin.pages import Administered, AdminPages
from pymesh.proxy.codec.message import RequestHead

log = logging.getLogger(__name__)

MOST_CONNECTIONS = 256
_SHUTDOWN_SECONDS = 0.5


class AdministeredProxy(Administered, Drained, Protocol):
    """All that the pages ask of a proxy."""


class AdminServer:
    def __init__(self, proxy: AdministeredProxy, sock: socket.socket) -> None:
        self._socket = sock
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], AdminConnection] = {}
        self._handlers: dict[str, dict[str, Handler]] = {}
        for route in (*AdminPages(proxy).routes(), *DrainPages(proxy).routes()):
            self._handlers.setdefault(route.path, {})[route.method] = route.handler

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, sock=self._socket)

    async def aclose(self) -> None:
        """Answers that are on their way have half a second."""
        if self._server is not None:
            self._server.close()
        for task, connection in self._connections.items():
            if connection.is_idle:
                task.cancel()
        if tasks := list(self._connections):
            await asyncio.wait(tasks, timeout=_SHUTDOWN_SECONDS)
        for task in self._connections:
            task.cancel()
        self._socket.close()

    async def answer(self, request: RequestHead) -> Page:
        """The page; a bug in one is a 500."""
        path, _, query = request.path.decode("latin-1").partition("?")
        methods = self._handlers.get(path)
        if methods is None:
            return text_page("404: Not Found\n", 404)
        method = "GET" if request.method == b"HEAD" else request.method.decode("latin-1")
        handler = methods.get(method)
        if handler is None:
            return text_page("405: Method Not Allowed\n", 405)._replace(allow=", ".join(methods))
        if method == "POST" and b"origin" in request.headers:
            # Any page that a browser on this machine shows may POST to loopback; such a request says its origin.
            return text_page("403: not for web pages\n", 403)
        try:
            return await handler(dict(parse_qsl(query, keep_blank_values=True)))
        except Exception:
            log.exception("the admin page %s crashed", path)
            return text_page("500: Internal Server Error\n", 500)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= MOST_CONNECTIONS:
            writer.transport.abort()
            return
        connection = AdminConnection(reader, writer, self.answer)
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = connection
        try:
            await connection.run()
        finally:
            del self._connections[task]
