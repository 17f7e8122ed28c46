"""Events, for which `kubectl describe` asks: there are never any."""

import asyncio
from typing import Any

from aiohttp import web

from pymesh.control.api.negotiation import PARTIAL_LIST, TABLE, Representation
from pymesh.control.api.request_options import is_true, parse_number
from pymesh.control.api.responses import respond
from pymesh.control.api.target import Target, accepted_of
from pymesh.control.api.watch import LONGEST_WATCH_SECONDS
from pymesh.control.store.errors import NotFoundError
from pymesh.control.store.store import ConfigStore

_Json = dict[str, Any]


class Events:
    """One method an operation, as in Reads."""

    def __init__(self, store: ConfigStore) -> None:
        self._store = store

    async def get(self, request: web.Request, target: Target) -> web.StreamResponse:
        raise NotFoundError(target.key)

    async def list(self, request: web.Request, target: Target) -> web.StreamResponse:
        if is_true(request.query, "watch"):
            return await _watch_nothing(request)
        accepted = accepted_of(request, (TABLE, PARTIAL_LIST))
        return respond(_empty_list(target, accepted.representation, self._store.revision), accepted)


def _empty_list(target: Target, representation: Representation, revision: int) -> _Json:
    metadata = {"resourceVersion": str(revision)}
    if representation == TABLE:
        names = [("Name", "name"), ("Age", "")]
        columns = [{"name": n, "type": "string", "format": f, "description": "", "priority": 0} for n, f in names]
        table = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
        return table | {"columnDefinitions": columns, "rows": []}
    kind, api_version = f"{target.resource.name}List", target.api_version
    if representation == PARTIAL_LIST:
        kind, api_version = "PartialObjectMetadataList", "meta.k8s.io/v1"
    return {"kind": kind, "apiVersion": api_version, "metadata": metadata, "items": []}


async def _watch_nothing(request: web.Request) -> web.StreamResponse:
    """Until the client goes or the time that it asked for is over."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    seconds = parse_number(request.query, "timeoutSeconds") or LONGEST_WATCH_SECONDS
    await asyncio.sleep(min(seconds, LONGEST_WATCH_SECONDS))  # is cancelled where the client hangs up
    return response
