"""Responses: the JSON value in the form that the client takes, warnings in the header."""

from collections.abc import Iterable
from typing import Any

import msgspec
import yaml
from aiohttp import web
from multidict import CIMultiDict

from pymesh.control.api.negotiation import PLAIN, YAML, Accepted

_MOST_WARNING_BYTES = 4096  # of one request together, as Kubernetes limits them; proxies limit heads


def respond(value: Any, accepted: Accepted = PLAIN, status: int = 200, warnings: Iterable[str] = ()) -> web.Response:
    headers: CIMultiDict[str] = CIMultiDict(
        {"Content-Type": accepted.content_type, "Cache-Control": "no-cache, private"}
    )
    for text in _limited(warnings):
        headers.add("Warning", f'299 - "{text}"')
    return web.Response(body=_encode(value, accepted.media_type), status=status, headers=headers)


def respond_status(status: dict[str, Any], accepted: Accepted = PLAIN) -> web.Response:
    """A Status is never a Table."""
    return respond(status, Accepted(accepted.media_type), status.get("code", 200))


def _encode(value: Any, media_type: str) -> bytes:
    content = msgspec.json.encode(value)
    if media_type != YAML:
        return content
    plain = msgspec.json.decode(content)
    return yaml.dump(plain, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, encoding="utf-8")


def _limited(warnings: Iterable[str]) -> Iterable[str]:
    """RFC 9110 5.6.4: a quoted string; what would end the header is left out."""
    left = _MOST_WARNING_BYTES
    for warning in dict.fromkeys(warnings):
        printable = "".join(char if char.isprintable() else " " for char in warning)
        quoted = printable.replace("\\", "\\\\").replace('"', '\\"')
        left -= len(quoted.encode())
        if left < 0:
            return
        yield quoted
