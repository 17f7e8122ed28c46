"""The body of a request: bounded, JSON, YAML or Kubernetes' protobuf."""

from typing import Any

from aiohttp import web

from pymesh.control.api.kubernetes_protobuf import PROTOBUF, decode_protobuf
from pymesh.control.api.status import RequestError
from pymesh.control.model.document import read_documents, read_json

MAX_BODY = 3 * 1024 * 1024  # Kubernetes
_JSON = ("application/json",)
_BROWSERS_SAY = ("Origin", "Referer", "Sec-Fetch-Site")
_YAML = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")


async def read_object(request: web.Request) -> Any:
    """The one object of the body. Raises RequestError and DocumentError.

    A browser must say one of these content types: that is what keeps a page from posting here, because a request with
    them is never sent to another origin without asking first. Some clients of Kubernetes say none and mean JSON.
    """
    if request.content_type in _JSON or _is_silent_program(request):
        return read_json(await read_body(request))
    if request.content_type == PROTOBUF:
        return decode_protobuf(await read_body(request))
    if request.content_type not in _YAML:
        raise unsupported_type(*_JSON, *_YAML, PROTOBUF)
    return await read_yaml(request)


def _is_silent_program(request: web.Request) -> bool:
    return "Content-Type" not in request.headers and not any(name in request.headers for name in _BROWSERS_SAY)


async def read_yaml(request: web.Request) -> Any:
    """Whatever the content type says. Raises RequestError and DocumentError."""
    documents = read_documents(await read_body(request))
    if len(documents) != 1:
        raise RequestError(f"the body must be one object, not {len(documents)}")
    return documents[0].value


async def read_body(request: web.Request) -> bytes:
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY:
            raise RequestError(f"the body is larger than {MAX_BODY} bytes", 413, "RequestEntityTooLarge")
    return bytes(body)


def unsupported_type(*accepted: str) -> RequestError:
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}"
    return RequestError(message, 415, "UnsupportedMediaType")
