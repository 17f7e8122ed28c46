"""The pages of the admin port. Each reads the live proxy; none changes it but the two that are POSTed.

https://www.envoyproxy.io/docs/envoy/latest/operations/admin
"""

import asyncio
import time
from typing import Any, Protocol

import msgspec
from aiohttp import web

from pymesh import __version__
from pymesh.proxy.admin.cluster_page import render_clusters
from pymesh.proxy.admin.config_dump import build_config_dump
from pymesh.proxy.data_plane import DataPlane

PROMETHEUS_TEXT = "text/plain; version=0.0.4; charset=utf-8"
LIVE = "LIVE"


class Administered(Protocol):
    """What the pages show: pymesh.proxy.server.ProxyServer."""

    started_at: float  # time.monotonic()
    node: Any  # xds.Node
    runtime: Any  # proxy.xds.Runtime
    data_plane: DataPlane
    identity: Any  # tls.WorkloadIdentity
    xds: Any  # proxy.xds.XdsClient
    quit: Any  # asyncio.Event

    @property
    def state(self) -> str: ...

    def describe_ports(self) -> dict[str, object]: ...


class AdminPages:
    def __init__(self, proxy: Administered) -> None:
        self._proxy = proxy

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/ready", self.ready),
            web.get("/healthz/ready", self.ready),
            web.get("/server_info", self.server_info),
            web.get("/ports", self.ports),
            web.get("/listeners", self.listeners),
            web.get("/clusters", self.clusters),
            web.get("/config_dump", self.config_dump),
            web.get("/certs", self.certs),
            web.get("/stats/prometheus", self.prometheus),
            web.post("/drain_listeners", self.drain_listeners),
            web.post("/quitquitquit", self.quit),
        ]

    async def ready(self, request: web.Request) -> web.Response:
        state = self._proxy.state
        return web.Response(status=200 if state == LIVE else 503, text=f"{state}\n")

    async def server_info(self, request: web.Request) -> web.Response:
        proxy = self._proxy
        info = {
            "version": f"pymesh/{__version__}",
            "state": proxy.state,
            "uptime_seconds": int(time.monotonic() - proxy.started_at),
            "control_connected": proxy.xds.is_connected,
            "rejected": {type_url: names for type_url, names in proxy.runtime.rejected.items() if names},
            "node": proxy.node,
        }
        return _json(info)

    async def ports(self, request: web.Request) -> web.Response:
        return _json(self._proxy.describe_ports())

    async def listeners(self, request: web.Request) -> web.Response:
        return _json(await self._proxy.data_plane.describe_listeners())

    async def clusters(self, request: web.Request) -> web.Response:
        clusters = await self._proxy.data_plane.describe_clusters()
        if request.query.get("format") == "json":
            return _json({"cluster_statuses": clusters})
        return web.Response(text=render_clusters(clusters))

    async def config_dump(self, request: web.Request) -> web.Response:
        return _json(build_config_dump(self._proxy.runtime.held, self._proxy.runtime.rejected))

    async def certs(self, request: web.Request) -> web.Response:
        return _json({"certificates": [self._proxy.identity.describe()]})

    async def prometheus(self, request: web.Request) -> web.StreamResponse:
        """In pieces: between two of them, the loop serves requests."""
        await self._proxy.data_plane.refresh()
        response = web.StreamResponse(headers={"Content-Type": PROMETHEUS_TEXT})
        await response.prepare(request)
        for piece in self._proxy.data_plane.expose():
            await response.write(piece)
            await asyncio.sleep(0)
        return response

    async def drain_listeners(self, request: web.Request) -> web.Response:
        await self._proxy.data_plane.drain_listeners()
        return web.Response(text="OK\n")

    async def quit(self, request: web.Request) -> web.Response:
        """Drain and end, as SIGTERM does."""
        self._proxy.quit.set()
        return web.Response(text="OK\n")


def _json(value: object) -> web.Response:
    body = msgspec.json.format(msgspec.json.encode(value), indent=2)
    return web.Response(body=body + b"\n", content_type="application/json")
