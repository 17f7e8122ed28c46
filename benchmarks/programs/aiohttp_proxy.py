"""A reverse proxy of aiohttp's client and server, as one writes it first. `aiohttp_proxy.py PORT UPSTREAM_PORT`."""

import sys
from collections.abc import AsyncIterator

import aiohttp
import uvloop
from aiohttp import web

HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
SESSION = web.AppKey("SESSION", aiohttp.ClientSession)
UPSTREAM = web.AppKey("UPSTREAM", str)


def end_to_end(headers: "aiohttp.typedefs.LooseHeaders") -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers.items() if name.lower() not in HOP_BY_HOP]


async def forward(request: web.Request) -> web.StreamResponse:
    body = request.content if request.can_read_body else None
    url = request.app[UPSTREAM] + request.raw_path
    headers = end_to_end(request.headers)
    async with request.app[SESSION].request(
        request.method, url, headers=headers, data=body, allow_redirects=False
    ) as answer:
        response = web.StreamResponse(status=answer.status, headers=end_to_end(answer.headers))
        await response.prepare(request)
        async for data in answer.content.iter_any():
            await response.write(data)
        return response


async def keep_session(app: web.Application) -> AsyncIterator[None]:
    async with aiohttp.ClientSession(auto_decompress=False) as app[SESSION]:
        yield


if __name__ == "__main__":
    uvloop.install()
    app = web.Application()
    app[UPSTREAM] = f"http://127.0.0.1:{sys.argv[2]}"
    app.cleanup_ctx.append(keep_session)
    app.router.add_route("*", "/{path:.*}", forward)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
