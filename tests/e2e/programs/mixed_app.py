"""An application for mixed traffic, told by PORT where to listen: `/` is small, `/big` is 1 MB in pieces, `POST /` says
how long the body was, `/ws` echoes WebSocket messages."""

import os
from contextlib import suppress

from aiohttp import WSMsgType, web

PIECE = b"x" * 16384
PIECES = 64


async def small(request: web.Request) -> web.Response:
    return web.Response(text="small")


async def big(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    with suppress(ConnectionResetError):  # who hangs up is none of our business
        await response.prepare(request)
        for _ in range(PIECES):
            await response.write(PIECE)
    return response


async def measure(request: web.Request) -> web.Response:
    length = 0
    with suppress(ConnectionResetError):
        async for data in request.content.iter_any():
            length += len(data)
    return web.Response(text=str(length))


async def echo(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket


app = web.Application(client_max_size=1 << 30)
app.add_routes([web.get("/", small), web.get("/big", big), web.post("/", measure), web.get("/ws", echo)])
web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]), print=None, shutdown_timeout=0.5)
