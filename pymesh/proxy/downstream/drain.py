"""The end of listeners: who has asked is answered, and no connection is reset that could have had an answer.

As Envoy's drain with the strategy `immediate`, which is Istio's: each response says `connection: close`, and new
connections are taken for a while, as whoever sends the clients has yet to learn that he should send them elsewhere.

https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/operations/draining
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from contextlib import suppress

from pymesh.proxy.downstream.listener import Listener
from pymesh.proxy.downstream.syn_filter import HANDSHAKE_SECONDS

ACCEPT_SECONDS = 5.0  # Istio's terminationDrainDuration
NEVER = math.inf
IDLE_SECONDS = 0.5  # of a connection that was used a moment ago, the client may just be sending

_QUIET_SECONDS = 0.05


class Drain:
    """Of the listeners that `find` returns, which may change meanwhile.

    While new connections are taken, one that has been idle for `idle_seconds` is closed. A client far away may just be
    sending a request on it, and would lose it: with NEVER it is kept until its next response can tell him.
    """

    def __init__(self, find: Callable[[], Sequence[Listener]], idle_seconds: float = NEVER) -> None:
        self._find = find
        self._idle_seconds = idle_seconds

    async def run(self) -> None:
        """Returns when all connections are gone and no more are taken; the caller bounds the time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(ACCEPT_SECONDS):
                await self._end_connections(self._idle_seconds)
        await stop_accepting(self._find())
        await self._end_connections(IDLE_SECONDS)

    async def _end_connections(self, idle_seconds: float) -> None:
        while True:
            for listener in self._find():
                listener.chains.drain(idle_seconds)
            with suppress(TimeoutError):
                async with asyncio.timeout(IDLE_SECONDS):
                    return await self._wait_quiet()

    async def _wait_quiet(self) -> None:
        """Until there are no connections, and none comes: clients whose connections have ended may just be back."""
        accepted = -1
        while (total := sum(listener.stats.downstream_cx_total for listener in self._find())) != accepted:
            accepted = total
            for listener in self._find():
                await listener.wait_drained()
            await asyncio.sleep(_QUIET_SECONDS)


async def stop_accepting(listeners: Sequence[Listener]) -> None:
    """Connections that have begun are still taken."""
    are_filtered = [listener.refuse_new() for listener in listeners]
    if any(are_filtered):
        await asyncio.sleep(HANDSHAKE_SECONDS)
    for listener in listeners:
        listener.stop_accepting()
