"""Whether the application answers: a TCP connection to its port, once a second."""

import asyncio
import logging
from collections.abc import Callable

log = logging.getLogger(__name__)

PROBE_INTERVAL = 1.0
_EAGER_INTERVAL = 0.05  # until the first answer, so that a proxy is ready soon after its application
_CONNECT_TIMEOUT = 1.0
_PATIENCE = 5.0  # without a first answer for so long, the log says what the proxy waits for


class AppProbe:
    """`is_healthy` says whether the last connection succeeded. Port 0, an application that only calls, is healthy."""

    def __init__(self, port: int, on_change: Callable[[], None], host: str = "127.0.0.1") -> None:
        self.host = host
        self.port = port
        self.is_healthy = port == 0
        self._has_answered = False
        self._on_change = on_change

    async def run(self) -> None:
        """Probe until cancelled."""
        reminder = asyncio.get_running_loop().call_later(_PATIENCE, self._remind)
        try:
            while self.port:
                self._set(await can_connect(self.host, self.port))
                await asyncio.sleep(PROBE_INTERVAL if self._has_answered else _EAGER_INTERVAL)
        finally:
            reminder.cancel()

    def _set(self, healthy: bool) -> None:
        self._has_answered |= healthy
        if healthy != self.is_healthy:
            self.is_healthy = healthy
            log.info("application on port %d %s", self.port, "answers" if healthy else "does not answer")
            self._on_change()

    def _remind(self) -> None:
        if not self._has_answered:
            log.warning("nothing answers on port %d yet; no requests come here before", self.port)


async def can_connect(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT):
            _, writer = await asyncio.open_connection(host, port)
    except OSError:  # TimeoutError is one
        return False
    writer.close()  # an orderly end: a reset would make many servers log an error, once a second
    return True
