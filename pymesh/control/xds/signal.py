"""Wakes all that wait for something to have changed. Each looks for itself whether that concerns it."""

import asyncio


class Signal:
    def __init__(self) -> None:
        self._future: asyncio.Future[None] | None = None

    def notify(self) -> None:
        if self._future is not None:
            self._future.set_result(None)
            self._future = None

    async def wait(self, seconds: float) -> bool:
        """True when it was notified; False after `seconds`. A notification before the call does not count."""
        if seconds <= 0:
            return False
        if self._future is None:
            self._future = asyncio.get_running_loop().create_future()
        done, _ = await asyncio.wait({self._future}, timeout=seconds)
        return bool(done)
