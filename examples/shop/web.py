"""The shop's front: asks payment for every order, through whatever `http_proxy` says.

    PORT=8000 http_proxy=http://127.0.0.1:15001 python web.py

It knows nothing of the mesh. It only passes on the headers by which a request is followed from hop to hop, as every
application must whose traces are to hang together.
"""

import os

from aiohttp import ClientSession, web

PASSED_ON = ("traceparent", "tracestate", "x-request-id", "x-canary")
PAYMENT = "http://payment"


async def on_request(request: web.Request) -> web.Response:
    headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
    session = request.app[SESSION]
    async with session.get(PAYMENT + request.path, headers=headers) as answer:
        return web.Response(status=answer.status, body=await answer.read(), content_type=answer.content_type)


SESSION = web.AppKey("session", ClientSession)


async def session_context(app: web.Application):
    async with ClientSession(trust_env=True) as session:
        app[SESSION] = session
        yield


def main() -> None:
    app = web.Application()
    app.cleanup_ctx.append(session_context)
    app.router.add_get("/{path:.*}", on_request)
    web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]), print=None)


if __name__ == "__main__":
    main()
