"""Looking into the control plane, on istiod's debug paths: who is connected, what each proxy was given, what is known.

Served on loopback only. Private keys are never shown.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from aiohttp import web

from pymesh import __version__
from pymesh.control.snapshot.mesh_service import MeshService
from pymesh.control.snapshot.mesh_snapshot import MeshSnapshot
from pymesh.control.xds.publisher import Publisher
from pymesh.tasks import TaskGroup
from pymesh.xds import SECRET, TYPES, Resource

SYNCZ_PATH = "/debug/syncz"
CONFIG_DUMP_PATH = "/debug/config_dump"
ENDPOINTZ_PATH = "/debug/endpointz"
REGISTRYZ_PATH = "/debug/registryz"
MESH_PATH = "/debug/mesh"

_REDACTED = {"inline_string": "[redacted]"}


def debug_routes(publisher: Publisher[MeshSnapshot]) -> list[web.RouteDef]:
    debug = _Debug(publisher)
    return [
        web.get(SYNCZ_PATH, debug.syncz),
        web.get(CONFIG_DUMP_PATH, debug.config_dump),
        web.get(ENDPOINTZ_PATH, debug.endpointz),
        web.get(REGISTRYZ_PATH, debug.registryz),
        web.get(MESH_PATH, debug.mesh),
    ]


def health_routes(publisher: Publisher[MeshSnapshot], tasks: TaskGroup) -> list[web.RouteDef]:
    """`/ready`: 200 once proxies can be served, and 503 for ever after one of `tasks` has crashed. `/version`."""

    async def ready(request: web.Request) -> web.Response:
        if tasks.crashes:
            return web.Response(status=503, text="a background task has crashed; the log says which")
        is_ready = publisher.snapshot is not None
        return web.Response(status=200 if is_ready else 503, text="ready" if is_ready else "no configuration yet")

    async def version(request: web.Request) -> web.Response:
        return _json({"version": __version__})

    return [web.get("/ready", ready), web.get("/version", version)]


class _Debug:
    def __init__(self, publisher: Publisher[MeshSnapshot]) -> None:
        self._publisher = publisher

    async def syncz(self, request: web.Request) -> web.Response:
        """Each proxy with the status of each type; a list of pymesh.control.xds.status.ProxyStatus."""
        return _json(self._publisher.statuses())

    async def config_dump(self, request: web.Request) -> web.Response:
        """What `?proxyID=<instance>.<namespace>` is to have, by type."""
        proxy = request.query.get("proxyID", "")
        content = self._publisher.content_of(proxy)
        if content is None:
            raise web.HTTPNotFound(text=f"proxy {proxy!r} is not connected; see {SYNCZ_PATH}")
        resources = [entry.resource for type_url in TYPES for entry in content[type_url].values()]
        return _json({"configs": [_without_keys(resource) for resource in resources]})

    async def endpointz(self, request: web.Request) -> web.Response:
        return _json([found for service in self._services() for found in _endpoints_of(service)])

    async def registryz(self, request: web.Request) -> web.Response:
        return _json([_describe(service) for service in self._services()])

    async def mesh(self, request: web.Request) -> web.Response:
        """The MeshConfig in force, without what is Istio's default; null before there is a configuration."""
        snapshot = self._publisher.snapshot
        return _json(snapshot.mesh if snapshot is not None else None)

    def _services(self) -> list[MeshService]:
        snapshot = self._publisher.snapshot
        by_host = snapshot.services_by_host if snapshot is not None else {}
        return [service for candidates in by_host.values() for service in candidates]


def _describe(service: MeshService) -> dict[str, Any]:
    return {
        "hostname": service.host,
        "namespace": service.namespace,
        "ports": [{"name": port.name, "port": port.number, "protocol": port.protocol} for port in service.ports],
        "resolution": service.resolution,
        "service_accounts": service.service_accounts,
    }


def _endpoints_of(service: MeshService) -> Iterator[dict[str, Any]]:
    for port, endpoints in service.endpoints.items():
        found = [{"address": item.address, "port": item.port, "workload": item.instance.workload} for item in endpoints]
        yield {"service": service.host, "port": port, "endpoints": found}


def _without_keys(resource: Resource) -> Resource:
    if resource.get("@type") != SECRET or "tls_certificate" not in resource:
        return resource
    return {**resource, "tls_certificate": {**resource["tls_certificate"], "private_key": _REDACTED}}


def _json(answer: Any) -> web.Response:
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json")
