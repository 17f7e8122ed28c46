"""The admin port's HTTP server. It is for this machine: it listens on loopback unless told otherwise."""

import socket

from aiohttp import web

from pymesh.proxy.admin.pages import Administered, AdminPages

_SHUTDOWN_SECONDS = 0.5


class AdminServer:
    def __init__(self, proxy: Administered, sock: socket.socket) -> None:
        self._socket = sock
        app = web.Application()
        app.add_routes(AdminPages(proxy).routes())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)

    async def start(self) -> None:
        await self._runner.setup()
        await web.SockSite(self._runner, self._socket).start()

    async def aclose(self) -> None:
        await self._runner.cleanup()
        self._socket.close()
