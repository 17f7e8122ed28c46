"""limit and continue of a list. Pure.

A page is cut from what is there when it is asked for. Every page has the revision of the first, so that a client that
watches from it misses nothing that changed between two pages.
https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
"""

import base64
import binascii
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from pymesh.control.api.status import RequestError
from pymesh.control.model.resource import Resource


class _Token(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the page before ended."""

    revision: int
    namespace: str
    name: str


class Page(NamedTuple):
    """`metadata` is that of the list."""

    resources: Sequence[Resource[Any]]
    metadata: dict[str, Any]


def cut_page(resources: Sequence[Resource[Any]], revision: int, limit: int, token: str) -> Page:
    """Of resources that are ordered by namespace and name; `limit` 0 is none. Raises RequestError."""
    if token:
        after = _decode_token(token)
        revision = after.revision
        resources = [one for one in resources if (one.namespace, one.name) > (after.namespace, after.name)]
    metadata: dict[str, Any] = {"resourceVersion": str(revision)}
    if limit and len(resources) > limit:
        last = resources[limit - 1]
        metadata["continue"] = _encode_token(_Token(revision, last.namespace, last.name))
        metadata["remainingItemCount"] = len(resources) - limit
        resources = resources[:limit]
    return Page(resources, metadata)


def _encode_token(token: _Token) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(token)).decode()


def _decode_token(text: str) -> _Token:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text), type=_Token)
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise RequestError("continue: is not a token of this server") from error
