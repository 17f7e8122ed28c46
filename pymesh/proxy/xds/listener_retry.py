"""Tries refused listeners again: the port that was taken may be free by now, and nobody else would say so."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from pymesh.backoff import exponential_backoff
from pymesh.xds import LISTENER

log = logging.getLogger(__name__)

BACKOFF_BASE = 1.0
BACKOFF_MAXIMUM = 15.0


class Configuration(Protocol):
    """Who obeys: pymesh.proxy.xds.runtime.Runtime."""

    rejected: dict[str, dict[str, str]]
    has_refused_listener: asyncio.Event

    async def retry_listeners(self) -> list[str]: ...


class ListenerRetry:
    """`on_recovered` is called when a listener was accepted after all."""

    def __init__(
        self,
        runtime: Configuration,
        on_recovered: Callable[[], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._runtime = runtime
        self._on_recovered = on_recovered
        self._sleep = sleep

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._runtime.has_refused_listener.wait()
            backoff = exponential_backoff(BACKOFF_BASE, BACKOFF_MAXIMUM)
            while self._runtime.rejected[LISTENER]:
                await self._sleep(next(backoff))
                await self._try()

    async def _try(self) -> None:
        if recovered := await self._runtime.retry_listeners():
            log.info("accepted after all: %s", ", ".join(recovered))
            self._on_recovered()
