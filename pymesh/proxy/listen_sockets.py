"""Where the sockets come from that listeners accept on. Nothing is accepted here."""

import socket
from collections.abc import Mapping
from typing import Protocol

from pymesh.proxy.sockets import bind_address, start_listening
from pymesh.xds import Address


class ListenSockets(Protocol):
    """The bound and listening sockets of one process, by the listener and the address that the configuration names."""

    async def take(self, listener: str, address: Address) -> socket.socket:
        """The caller owns it. Raises UsageError where the address cannot be bound."""
        ...

    async def release(self, listener: str, address: Address) -> None:
        """The caller is about to close what it took."""
        ...

    def close(self) -> None:
        """What nobody has taken."""
        ...


class OwnSockets:
    """Of a proxy that is one process: those that were bound before the configuration came, others when asked for."""

    def __init__(self, bound: Mapping[Address, socket.socket] | None = None) -> None:
        self._bound = dict(bound or {})

    async def take(self, listener: str, address: Address) -> socket.socket:
        bound = self._bound.pop(address, None)
        return bind_address(address) if bound is None else start_listening(bound)

    async def release(self, listener: str, address: Address) -> None:
        """Nobody else holds it."""

    def close(self) -> None:
        for sock in self._bound.values():
            sock.close()
        self._bound.clear()
