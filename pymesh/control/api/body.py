"""The body of a request: bounded, JSON, YAML or Kubernetes' protobuf."""

from typing import Any

from aiohttp import web

from pymesh.control.api.kubernetes_protobuf import PROTOBUF, decode_protobuf
from pymesh.control.api.status import RequestError
from pymesh.control.model.document import read_documents, read_json

MAX_BODY = 3 * 1024 * 1024  # Kubernetes
_JSON = ("application/json",)
_YAML = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")


async def read_object(request: web.Request) -> Any:
    """The one object of the body. Raises RequestError and DocumentError.

    The content type must be said: it is what keeps a page in somebody's browser from posting here, because a request
    with these types is never sent to another origin without asking first.
    """
    # aiohttp says application/octet-stream where the header is absent
    if request.content_type in _JSON:
        return read_json(await read_body(request))
    if request.content_type == PROTOBUF:
        return decode_protobuf(await read_body(request))
    if request.content_type not in _YAML:
        raise unsupported_type(*_JSON, *_YAML, PROTOBUF)
    return await read_yaml(request)


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
