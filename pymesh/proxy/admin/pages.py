"""The pages of the admin port. Each reads the live proxy; none changes it.

https://www.envoyproxy.io/docs/envoy/latest/operations/admin
"""

import time
from collections.abc import Mapping
from typing import Any, Protocol

from pymesh import __version__
from pymesh.proxy.admin.cluster_page import render_clusters
from pymesh.proxy.admin.config_dump import build_config_dump
from pymesh.proxy.admin.page import Page, PageRoute, json_page, text_page
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

    @property
    def state(self) -> str: ...

    def describe_ports(self) -> dict[str, object]: ...


class AdminPages:
    def __init__(self, proxy: Administered) -> None:
        self._proxy = proxy

    def routes(self) -> tuple[PageRoute, ...]:
        return (
            PageRoute("GET", "/ready", self.ready),
            PageRoute("GET", "/healthz/ready", self.ready),
            PageRoute("GET", "/server_info", self.server_info),
            PageRoute("GET", "/ports", self.ports),
            PageRoute("GET", "/listeners", self.listeners),
            PageRoute("GET", "/clusters", self.clusters),
            PageRoute("GET", "/config_dump", self.config_dump),
            PageRoute("GET", "/certs", self.certs),
            PageRoute("GET", "/stats/prometheus", self.prometheus),
        )

    async def ready(self, query: Mapping[str, str]) -> Page:
        state = self._proxy.state
        return text_page(f"{state}\n", 200 if state == LIVE else 503)

    async def server_info(self, query: Mapping[str, str]) -> Page:
        proxy = self._proxy
        workers = await proxy.data_plane.describe_workers()
        info = {
            "version": f"pymesh/{__version__}",
            "state": proxy.state,
            "uptime_seconds": int(time.monotonic() - proxy.started_at),
            "control_connected": proxy.xds.is_connected,
            "rejected": {type_url: names for type_url, names in proxy.runtime.rejected.items() if names},
            "node": proxy.node,
            **({} if workers is None else {"workers": workers}),
        }
        return json_page(info)

    async def ports(self, query: Mapping[str, str]) -> Page:
        return json_page(self._proxy.describe_ports())

    async def listeners(self, query: Mapping[str, str]) -> Page:
        return json_page(await self._proxy.data_plane.describe_listeners())

    async def clusters(self, query: Mapping[str, str]) -> Page:
        clusters = await self._proxy.data_plane.describe_clusters()
        if query.get("format") == "json":
            return json_page({"cluster_statuses": clusters})
        return text_page(render_clusters(clusters))

    async def config_dump(self, query: Mapping[str, str]) -> Page:
        return json_page(build_config_dump(self._proxy.runtime.held, self._proxy.runtime.rejected))

    async def certs(self, query: Mapping[str, str]) -> Page:
        return json_page({"certificates": [self._proxy.identity.describe()]})

    async def prometheus(self, query: Mapping[str, str]) -> Page:
        await self._proxy.data_plane.refresh()
        return Page(content_type=PROMETHEUS_TEXT, pieces=self._proxy.data_plane.expose())
