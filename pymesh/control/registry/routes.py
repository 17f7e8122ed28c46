"""The registry over HTTP. `DELETE` answers when no connected proxy has the endpoint any more."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import msgspec
from aiohttp import web

from pymesh.control.authentication import authorize_workload, is_authenticated_listener, require_namespace
from pymesh.control.registry.registry import NotLeasedError, OtherIdentityError, Registry, UnknownGroupError
from pymesh.control.store.errors import StoreError
from pymesh.errors import ValidationError
from pymesh.xds import WORKLOADS_PATH, Registration

# Proxies give up a little later (LEAVE_SECONDS in proxy/registration.py), and then they do not know what happened.
CONVERGE_SECONDS = 4.0


class Publisher(Protocol):
    """Whom the registry asks whether the proxies have followed: pymesh.control.xds.publisher.Publisher."""

    async def wait_converged(self, revision: int, timeout: float, leaving: str = "") -> bool: ...


def registry_routes(
    registry: Registry, publisher: Publisher, converge_seconds: float = CONVERGE_SECONDS
) -> list[web.RouteDef]:
    service = _RegistryService(registry, publisher, converge_seconds)
    path = WORKLOADS_PATH + "/{namespace}/{name}"
    return [web.put(path, service.put), web.delete(path, service.delete)]


class _RegistryService:
    def __init__(self, registry: Registry, publisher: Publisher, converge_seconds: float) -> None:
        self._registry = registry
        self._publisher = publisher
        self._converge_seconds = converge_seconds

    async def put(self, request: web.Request) -> web.Response:
        namespace, name = request.match_info["namespace"], request.match_info["name"]
        registration = _decode(await request.read())
        authorize_workload(request, namespace, registration.service_account)
        with _errors_as_answers():
            answer = await self._registry.register(namespace, name, registration)
        if answer.probe is None:
            return web.Response(status=204)
        return web.Response(body=msgspec.json.encode(answer), content_type="application/json")

    async def delete(self, request: web.Request) -> web.Response:
        """200 with `converged`: whether all proxies followed in time."""
        namespace, name = request.match_info["namespace"], request.match_info["name"]
        account = require_namespace(request, namespace) if is_authenticated_listener(request) else None
        with _errors_as_answers():
            revision = await self._registry.deregister(namespace, name, account)
        converged = await self._publisher.wait_converged(revision, self._converge_seconds, f"{name}.{namespace}")
        return web.json_response({"converged": converged})


@contextmanager
def _errors_as_answers() -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    except OtherIdentityError as error:
        raise web.HTTPForbidden(text=str(error)) from error
    except NotLeasedError as error:
        raise web.HTTPConflict(text=str(error)) from error
    except UnknownGroupError as error:
        raise web.HTTPPreconditionFailed(text=str(error)) from error
    except StoreError as error:
        raise web.HTTPServiceUnavailable(text=str(error)) from error


def _decode(body: bytes) -> Registration:
    try:
        return msgspec.json.decode(body, type=Registration)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise web.HTTPBadRequest(text=f"not a registration: {error}") from error
