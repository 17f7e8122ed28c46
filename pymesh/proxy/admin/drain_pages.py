"""What can be asked of a proxy's life at the admin port, by POST. The names and their parameters are Envoy's.

https://www.envoyproxy.io/docs/envoy/latest/operations/admin#post--drain_listeners
"""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from pymesh.proxy.admin.page import Page, PageRoute, text_page
from pymesh.proxy.data_plane import DataPlane
from pymesh.tasks import TaskGroup


class Drained(Protocol):
    """Whom the pages act on: pymesh.proxy.server.ProxyServer."""

    data_plane: DataPlane
    tasks: TaskGroup
    quit: asyncio.Event

    @property
    def drain_time(self) -> float: ...

    async def fail_health(self, is_failed: bool) -> None: ...


class DrainPages:
    def __init__(self, proxy: Drained) -> None:
        self._proxy = proxy

    def routes(self) -> tuple[PageRoute, ...]:
        return (
            PageRoute("POST", "/healthcheck/fail", self.fail_health),
            PageRoute("POST", "/healthcheck/ok", self.recover_health),
            PageRoute("POST", "/drain_listeners", self.drain_listeners),
            PageRoute("POST", "/quitquitquit", self.quit),
        )

    async def fail_health(self, query: Mapping[str, str]) -> Page:
        await self._proxy.fail_health(True)
        return _ok()

    async def recover_health(self, query: Mapping[str, str]) -> Page:
        await self._proxy.fail_health(False)
        return _ok()

    async def drain_listeners(self, query: Mapping[str, str]) -> Page:
        """`graceful`: new connections are taken until the drain time is over, or for ever with `skip_exit`."""
        inbound_only, graceful, stays = (key in query for key in ("inboundonly", "graceful", "skip_exit"))
        if stays and not graceful:
            return text_page("skip_exit requires graceful\n", 400)
        proxy = self._proxy
        await proxy.data_plane.announce_drain(inbound_only)
        if not graceful:
            await proxy.data_plane.stop_accepting(inbound_only)
        elif not stays:
            proxy.tasks.spawn("drain_listeners", self._stop_later(inbound_only))
        return _ok()

    async def _stop_later(self, inbound_only: bool) -> None:
        await asyncio.sleep(self._proxy.drain_time)
        await self._proxy.data_plane.stop_accepting(inbound_only)

    async def quit(self, query: Mapping[str, str]) -> Page:
        """Drain and end, as SIGTERM does."""
        self._proxy.quit.set()
        return _ok()


def _ok() -> Page:
    return text_page("OK\n")
