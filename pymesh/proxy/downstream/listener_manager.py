"""The listeners of a proxy: what LDS says is bound, changed in place, or drained."""

import asyncio
import logging
from functools import partial
from typing import Any

from pymesh.proxy.downstream.context import ProxyContext
from pymesh.proxy.downstream.filter_chain import DRAIN_SECONDS
from pymesh.proxy.downstream.listener import Listener
from pymesh.proxy.downstream.listener_config import ListenerConfig
from pymesh.proxy.downstream.listener_stats import METRICS, ListenerStats
from pymesh.proxy.downstream.original_dst import candidates
from pymesh.proxy.listen_sockets import ListenSockets, OwnSockets
from pymesh.proxy.telemetry.metric_names import DOWNSTREAM_RQ_ACTIVE
from pymesh.tasks import TaskGroup
from pymesh.xds import Address

log = logging.getLogger(__name__)


class ListenerManager:
    """What is left of a removed listener's connections after `drain_seconds` is closed."""

    def __init__(
        self,
        context: ProxyContext,
        sockets: ListenSockets | None = None,
        drain_seconds: float = DRAIN_SECONDS,
    ) -> None:
        self._context = context
        self._sockets = sockets or OwnSockets()
        self._drain_seconds = drain_seconds
        self._listeners: dict[str, Listener] = {}
        self._by_address: dict[Address, Listener] = {}  # those that are not bound
        self._draining: set[Listener] = set()
        self._is_announced = self._is_inbound_announced = False
        self._past = ListenerStats()  # of listeners that are gone: a counter never goes down
        self._tasks = TaskGroup()
        for metric, name in METRICS.items():
            context.telemetry.metrics.read(metric, partial(self._total, name))
        context.telemetry.metrics.read(DOWNSTREAM_RQ_ACTIVE, self._active_requests)

    async def apply(self, config: ListenerConfig) -> None:
        """Open or change a listener; an unchanged one is left alone.

        Raises UsageError where its address cannot be bound; then nothing has changed.
        """
        present = self._listeners.get(config.name)
        if present is None:
            self._add(await self._open(config))
        elif _place(present.config) != _place(config):
            opened = await self._open(config)
            await self._release(present)
            self._add(opened)
            self._retire(present)
        elif present.config != config:
            present.update(config)
        if self._is_announced or (self._is_inbound_announced and config.is_inbound):
            self._listeners[config.name].chains.retire()

    async def remove(self, name: str) -> None:
        """Stop accepting at once; open connections drain."""
        listener = self._listeners.get(name)
        if listener is not None:
            await self._release(listener)
            del self._listeners[name]
            self._retire(listener)

    def get(self, name: str) -> Listener | None:
        return self._listeners.get(name)

    def addresses(self) -> dict[str, Address]:
        """Where each listener is, with the port that the kernel has chosen."""
        bound = (item for item in self._listeners.items() if item[1].config.is_bound)
        return {name: listener.address for name, listener in bound}

    def describe(self) -> list[dict[str, Any]]:
        """For the admin: name, address and port (the one that was chosen), filter chains, counters."""
        return [listener.describe() for listener in self._listeners.values()]

    # the end

    def find(self, inbound_only: bool = False) -> tuple[Listener, ...]:
        """Those that are there, and those that are gone but for their connections."""
        listeners = (*self._listeners.values(), *self._draining)
        return tuple(listener for listener in listeners if listener.config.is_inbound or not inbound_only)

    def announce_drain(self, inbound_only: bool = False) -> None:
        """The next response on each connection, of these and of later ones, is its last."""
        self._is_announced, self._is_inbound_announced = not inbound_only, True
        for listener in self.find(inbound_only):
            listener.chains.retire()

    def revoke_drain(self) -> None:
        """Connections that have been told will end nevertheless."""
        self._is_announced = self._is_inbound_announced = False
        for listener in self._listeners.values():
            listener.chains.revive()

    async def wait_drained(self) -> None:
        """Returns when the last connection is gone; the caller bounds the time."""
        for listener in self.find():
            await listener.wait_drained()

    def close(self) -> None:
        """Close everything now, sockets that no listener has taken among it."""
        for listener in self.find():
            listener.close()
        self._sockets.close()

    async def aclose(self) -> None:
        """`close`, and wait until nothing runs in the background."""
        self.close()
        await self._tasks.aclose()
        for listener in self.find():
            await listener.aclose()
        self._listeners.clear()
        self._draining.clear()

    async def _open(self, config: ListenerConfig) -> Listener:
        sock = await self._sockets.take(config.name, config.address) if config.is_bound else None
        listener = Listener(config, self._context, sock, self._find_unbound)
        level = logging.INFO if config.is_bound else logging.DEBUG  # the latter are as many as ports of services
        log.log(level, "listener %s is on %s", config.name, listener.address)
        return listener

    def _add(self, listener: Listener) -> None:
        self._listeners[listener.config.name] = listener
        if not listener.config.is_bound:
            self._by_address[listener.config.address] = listener

    async def _release(self, listener: Listener) -> None:
        config = listener.config
        if config.is_bound:
            await self._sockets.release(config.name, config.address)
        elif self._by_address.get(config.address) is listener:
            del self._by_address[config.address]

    def _find_unbound(self, destination: Address) -> Listener | None:
        found = (self._by_address.get(address) for address in candidates(destination))
        return next((listener for listener in found if listener is not None), None)

    def _retire(self, listener: Listener) -> None:
        listener.stop_accepting()
        listener.chains.retire()
        self._draining.add(listener)
        self._tasks.spawn(f"drain listener {listener.config.name}", self._close_drained(listener))

    async def _close_drained(self, listener: Listener) -> None:
        try:
            async with asyncio.timeout(self._drain_seconds):
                await listener.wait_drained()
        except TimeoutError:
            log.info("listener %s: closing what is left after %s s", listener.config.name, self._drain_seconds)
        await listener.aclose()
        self._draining.discard(listener)
        self._past.add(listener.stats)

    def _total(self, name: str) -> int:
        return sum(getattr(stats, name) for stats in (self._past, *(listener.stats for listener in self.find())))

    def _active_requests(self) -> int:
        return sum(listener.chains.active_requests for listener in self.find())


def _place(config: ListenerConfig) -> tuple[Address, bool]:
    return config.address, config.is_bound
