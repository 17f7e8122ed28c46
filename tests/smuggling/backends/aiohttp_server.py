"""Reads the whole body, tells what it saw, and answers with the path. aiohttp with its parser in Python."""

import sys
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger


class Seen(AbstractAccessLogger):
    def log(self, request: Any, response: Any, time: float) -> None:
        print(response.status, request.method, request.raw_path, request.get("length", 0), flush=True)


async def answer(request: web.Request) -> web.Response:
    request["length"] = len(await request.read())
    return web.Response(text=request.raw_path)


app = web.Application(client_max_size=1 << 20)
app.router.add_route("*", "/{path:.*}", answer)
options = {"max_line_size": 1 << 17, "max_field_size": 1 << 17}
web.run_app(
    app,
    host="127.0.0.1",
    port=int(sys.argv[1]),
    access_log_class=Seen,
    print=lambda _: None,
    keepalive_timeout=60,
    **options,
)
