"""Serves the OpenAPI documents. They are built in a thread, once, when the first client asks."""

import asyncio
import hashlib
from collections.abc import Callable

import msgspec
from aiohttp import web

from pymesh.control.api import openapi_v2, openapi_v3
from pymesh.control.api.responses import respond_status
from pymesh.control.api.status import failure
from pymesh.control.api.target import not_found

_JSON = "application/json"


def openapi_routes() -> list[web.RouteDef]:
    return [
        web.get("/openapi/v2", _serve_v2),
        web.get("/openapi/v3", _serve_index),
        web.get("/openapi/v3/{path:.+}", _serve_v3),
    ]


async def _serve_v2(request: web.Request) -> web.Response:
    accepted = [part.partition(";")[0].strip() for part in request.headers.get("Accept", "").split(",")]
    if any(one in openapi_v2.PROTOBUF_TYPES for one in accepted):
        return await _serve(request, openapi_v2.encode_document, openapi_v2.PROTOBUF)
    return await _serve(request, lambda: msgspec.json.encode(openapi_v2.build_document()), _JSON)


async def _serve_index(request: web.Request) -> web.Response:
    return await _serve(request, openapi_v3.encode_index, _JSON)


async def _serve_v3(request: web.Request) -> web.Response:
    path = request.match_info["path"]
    return await _serve(request, lambda: openapi_v3.encode_document(path), _JSON)


async def _serve(request: web.Request, build: Callable[[], bytes | None], content_type: str) -> web.Response:
    content = await asyncio.to_thread(build)
    if content is None:
        return respond_status(failure(not_found()))
    etag = f'"{hashlib.sha256(content).hexdigest()}"'
    headers = {"ETag": etag, "Vary": "Accept", "Cache-Control": "no-cache, private"}
    if request.headers.get("If-None-Match") == etag:
        return web.Response(status=304, headers=headers)
    return web.Response(body=content, headers={**headers, "Content-Type": content_type})
