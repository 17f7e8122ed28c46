"""The discovery endpoints over HTTP: Envoy's REST form by type, and our proxies' delta poll of all types."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from pymesh.control.authentication import AuthenticationError, authorize_workload, caller_identity
from pymesh.control.xds.publisher import ClosedError, Publisher
from pymesh.control.xds.rest_subscription import RestPoll, RestResponse
from pymesh.control.xds.session import Peer
from pymesh.control.xds.session_table import OverloadError, UnknownNonceError
from pymesh.control.xds.status import proxy_name
from pymesh.xds import DELTA_PATH, POLL_SECONDS, REST_TYPES, TYPES, DeltaAnswer, DeltaPoll, Node

REST_PATH = "/v3/discovery:{noun}"

BodyT = TypeVar("BodyT")


def discovery_routes(publisher: Publisher[Any], poll_seconds: float = POLL_SECONDS) -> list[web.RouteDef]:
    """Polls are held for `poll_seconds`, then answered with 304."""
    service = _DiscoveryService(publisher, poll_seconds)
    return [web.post(DELTA_PATH, service.delta), web.post(REST_PATH, service.rest)]


class _DiscoveryService:
    def __init__(self, publisher: Publisher[Any], poll_seconds: float) -> None:
        self._publisher = publisher
        self._poll_seconds = poll_seconds

    async def delta(self, request: web.Request) -> web.Response:
        poll = _decode(await request.read(), DeltaPoll)
        _check_types([item.type_url for item in poll.requests])
        peer = _peer_of(request, poll.node)
        try:
            answer = await self._publisher.poll_delta(poll, peer, self._poll_seconds, _is_open(request))
        except UnknownNonceError as error:
            raise web.HTTPGone(text=str(error)) from error
        except (OverloadError, ClosedError) as error:
            raise _unavailable(error) from error
        return _json(answer)

    async def rest(self, request: web.Request) -> web.Response:
        type_url = REST_TYPES.get(request.match_info["noun"])
        if type_url is None:
            raise web.HTTPNotFound(text=f"{request.path}: no such type of resource")
        poll = msgspec.structs.replace(_decode(await request.read(), RestPoll), type_url=type_url)
        peer = _peer_of(request, poll.node)
        try:
            response = await self._publisher.poll_rest(poll, peer, self._poll_seconds)
        except (OverloadError, ClosedError) as error:
            raise _unavailable(error) from error
        return _json(response and _discovery_response(response, type_url))


def _discovery_response(response: RestResponse, type_url: str) -> dict[str, Any]:
    """DiscoveryResponse. Envoy's REST form does not return the nonce; the version serves as one."""
    return {
        "version_info": response.version,
        "resources": response.resources,
        "type_url": type_url,
        "nonce": response.version,
    }


def _peer_of(request: web.Request, node: Node) -> Peer:
    """Who polls. On TLS, the node must be the workload that the certificate names: it gets what that one may see."""
    authorize_workload(request, node.metadata.namespace, node.metadata.service_account)
    try:
        identity = caller_identity(request)
    except AuthenticationError as error:
        raise web.HTTPUnauthorized(text=str(error)) from error
    if identity is not None and not proxy_name(node.id).endswith(f".{identity.namespace}"):
        raise web.HTTPForbidden(text=f"node {node.id} is not of namespace {identity.namespace}")
    return Peer(node.id, identity)


def _check_types(type_urls: list[str]) -> None:
    for type_url in type_urls:
        if type_url not in TYPES:
            raise web.HTTPBadRequest(text=f"type {type_url} is not served")
    if not type_urls or len(set(type_urls)) != len(type_urls):
        raise web.HTTPBadRequest(text="a poll asks for one or more types, for each once")


def _is_open(request: web.Request) -> Callable[[], bool]:
    transport = request.transport
    return lambda: transport is not None and not transport.is_closing()


def _decode(body: bytes, kind: type[BodyT]) -> BodyT:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise web.HTTPBadRequest(text=f"not a {kind.__name__}: {error}") from error


def _json(answer: DeltaAnswer | dict[str, Any] | None) -> web.Response:
    if answer is None:
        return web.Response(status=304)
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json")


def _unavailable(error: Exception) -> web.HTTPException:
    return web.HTTPServiceUnavailable(text=str(error), headers={"Connection": "close"})
