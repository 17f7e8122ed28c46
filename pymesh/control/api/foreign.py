"""Kinds of Kubernetes that mean nothing here (Deployment and the like) and events: there are never any.

What is written is answered as if it had been done, with a warning, and dropped: so a file that has them applies whole,
again and again, and can be deleted.
"""

import asyncio
from typing import Any
from uuid import uuid4

from aiohttp import web

from pymesh.control.api.body import read_object, read_yaml
from pymesh.control.api.columns import utc_now
from pymesh.control.api.negotiation import PARTIAL_LIST, TABLE, Representation
from pymesh.control.api.request_options import is_true, parse_number
from pymesh.control.api.responses import respond
from pymesh.control.api.status import invalid, success
from pymesh.control.api.target import Target, accepted_of
from pymesh.control.api.watch import LONGEST_WATCH_SECONDS
from pymesh.control.api.writes import APPLY_PATCH
from pymesh.control.model.foreign_kinds import skip_warning
from pymesh.control.store.errors import NotFoundError
from pymesh.control.store.store import ConfigStore

_Json = dict[str, Any]


class ForeignObjects:
    """One method an operation, as in Reads and Writes."""

    def __init__(self, store: ConfigStore) -> None:
        self._store = store

    async def get(self, request: web.Request, target: Target) -> web.StreamResponse:
        raise NotFoundError(target.key)

    async def list(self, request: web.Request, target: Target) -> web.StreamResponse:
        if is_true(request.query, "watch"):
            return await _watch_nothing(request)
        accepted = accepted_of(request, (TABLE, PARTIAL_LIST))
        return respond(_empty_list(target, accepted.representation, self._store.revision), accepted)

    async def create(self, request: web.Request, target: Target) -> web.StreamResponse:
        return _echo(request, target, await read_object(request))

    async def patch(self, request: web.Request, target: Target) -> web.StreamResponse:
        if request.content_type != APPLY_PATCH:
            raise NotFoundError(target.key)
        return _echo(request, target, await read_yaml(request))

    async def delete(self, request: web.Request, target: Target) -> web.StreamResponse:
        warnings = (_warning(target, target.name),)
        return respond(success(target.resource, target.name, ""), accepted_of(request), warnings=warnings)


def _echo(request: web.Request, target: Target, fields: Any) -> web.Response:
    metadata = fields.get("metadata") if isinstance(fields, dict) else None
    name = metadata.get("name") or metadata.get("generateName") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(name, str):
        raise invalid("is required", "metadata.name")
    set_by_server = {
        "name": name,
        **({"namespace": target.namespace} if target.namespace else {}),
        "uid": str(uuid4()),
        "creationTimestamp": utc_now().strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    echoed = {"apiVersion": target.api_version, "kind": target.resource.name, **fields}
    echoed["metadata"] = metadata | set_by_server
    return respond(echoed, accepted_of(request), 201, (_warning(target, name),))


def _warning(target: Target, name: str) -> str:
    foreign = target.resource.foreign
    return skip_warning(foreign, name) if foreign else f"there are no {target.resource.plural}"


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
