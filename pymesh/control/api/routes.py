"""The URLs of the API and what they do. `api_routes(store)` is all that the control plane's composition needs.

/apis/<group>/<version>/namespaces/<namespace>/<plural>[/<name>[/status]]    /apis/<group>/<version>/<plural>
/api/v1/namespaces/<namespace>/{services,secrets,...}[/<name>]               /api/v1/{services,namespaces,...}
/version  /api  /apis  /openapi/v2  /openapi/v3: what there is
"""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from pymesh.control.api.discovery import (
    AGGREGATED,
    build_aggregated,
    build_core_versions,
    build_group,
    build_group_list,
    build_resource_list,
    build_version,
)
from pymesh.control.api.events import Events
from pymesh.control.api.negotiation import Accepted
from pymesh.control.api.openapi_routes import openapi_routes
from pymesh.control.api.reads import Reads
from pymesh.control.api.responses import respond, respond_status
from pymesh.control.api.reviews import answer_review
from pymesh.control.api.status import RequestError, failure
from pymesh.control.api.target import Target, accepted_of, find_target, not_found
from pymesh.control.api.writes import Writes
from pymesh.control.store.store import ConfigStore
from pymesh.errors import PymeshError

_Action = Callable[[web.Request, Target], Awaitable[web.StreamResponse]]
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def api_routes(store: ConfigStore) -> list[web.RouteDef]:
    resources = _Resources(store)
    return [
        *openapi_routes(),
        web.get("/version", _handler(_serve_version)),
        # Some clients end these paths with a slash.
        web.get("/version/", _handler(_serve_version)),
        web.get("/api{_:/?}", _handler(_serve_core)),
        web.get("/apis{_:/?}", _handler(_serve_groups)),
        web.get("/apis/{group}{_:/?}", _handler(_serve_group)),
        web.get("/api/{version}{_:/?}", _handler(_serve_resources)),
        web.get("/apis/{group}/{version}{_:/?}", _handler(_serve_resources)),
        web.route("*", "/{root:apis?}/{path:.+}", _handler(resources.serve)),
    ]


def _handler(serve: _Handler) -> _Handler:
    """A PymeshError becomes a Status."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await serve(request)
        except PymeshError as error:
            return _failed(request, error)

    return handle


def _failed(request: web.Request, error: PymeshError) -> web.Response:
    try:
        target: Target | None = find_target(request)
    except RequestError:
        target = None
    try:
        accepted = accepted_of(request)
    except RequestError:
        accepted = Accepted()
    status = failure(error, target.resource, target.name) if target is not None else failure(error)
    return respond_status(status, accepted)


class _Resources:
    """Every method and path of a resource."""

    def __init__(self, store: ConfigStore) -> None:
        reads, writes, events = Reads(store), Writes(store), Events(store)
        self._of_collection: dict[str, _Action] = {
            "GET": reads.list,
            "POST": writes.create,
            "DELETE": writes.delete_collection,
        }
        self._of_object: dict[str, _Action] = {
            "GET": reads.get,
            "PUT": writes.replace,
            "PATCH": writes.patch,
            "DELETE": writes.delete,
        }
        self._of_events: dict[str, _Action] = {"GET": events.list}
        self._of_event: dict[str, _Action] = {"GET": events.get}

    async def serve(self, request: web.Request) -> web.StreamResponse:
        target = find_target(request)
        action = self._actions(target).get(request.method)
        if action is None or (target.path.subresource and request.method == "DELETE"):
            message = "the server does not allow this method on the requested resource"
            raise RequestError(message, 405, "MethodNotAllowed")
        return await action(request, target)

    def _actions(self, target: Target) -> dict[str, _Action]:
        resource, is_object = target.resource, bool(target.name)
        if resource.verbs == ("create",):
            return {} if is_object else {"POST": answer_review}
        if resource.kind is None:
            return self._of_event if is_object else self._of_events
        if target.namespace is None and not is_object:
            return {"GET": self._of_collection["GET"]}  # all namespaces: to be seen, not to be changed
        return self._of_object if is_object else self._of_collection


async def _serve_version(request: web.Request) -> web.Response:
    return respond(build_version())


async def _serve_core(request: web.Request) -> web.Response:
    return _serve_discovery(request, True, build_core_versions())


async def _serve_groups(request: web.Request) -> web.Response:
    return _serve_discovery(request, False, build_group_list())


def _serve_discovery(request: web.Request, is_core: bool, plain: dict[str, Any]) -> web.Response:
    accepted = accepted_of(request, AGGREGATED)
    if accepted.representation in AGGREGATED:
        return respond(build_aggregated(is_core, accepted.representation.version), accepted)
    return respond(plain, accepted)


async def _serve_group(request: web.Request) -> web.Response:
    return _found(request, build_group(request.match_info["group"]))


async def _serve_resources(request: web.Request) -> web.Response:
    match = request.match_info
    return _found(request, build_resource_list(match.get("group", ""), match["version"]))


def _found(request: web.Request, value: dict[str, Any] | None) -> web.Response:
    if value is None:
        raise not_found()
    return respond(value, accepted_of(request))
