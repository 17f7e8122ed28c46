"""A worker's listening sockets: asked of the supervisor, who binds them, and received on a socket pair of their own."""

import asyncio
import socket
from types import NoneType

from pymesh.proxy.workers.channel import Channel
from pymesh.proxy.workers.messages import ReleaseSocket, TakeSocket
from pymesh.xds import Address


class ReceivedSockets:
    """A ListenSockets. `pair` is the end on which the supervisor has sent a socket before it answers."""

    def __init__(self, channel: Channel, pair: socket.socket) -> None:
        self._channel = channel
        self._pair = pair
        self._taking = asyncio.Lock()  # sockets have no name on their way

    async def take(self, listener: str, address: Address) -> socket.socket:
        async with self._taking:
            await self._channel.call(TakeSocket(listener, address), NoneType)
            _, descriptors, _, _ = socket.recv_fds(self._pair, 1, 1)
        return socket.socket(fileno=descriptors[0])

    async def release(self, listener: str, address: Address) -> None:
        await self._channel.call(ReleaseSocket(listener, address), NoneType)

    def close(self) -> None:
        """All that was received is a listener's."""
