"""The listening sockets of all workers, kept open by the supervisor: one each for the same port, with SO_REUSEPORT.

The kernel spreads connections over the sockets of a port. Those of a worker that died wait here, with the connections
in their queues, for the worker that takes its place.
"""

import socket
from collections.abc import Mapping
from typing import NamedTuple

from pymesh.proxy.sockets import bind_address, bind_shared, bound_address, start_listening
from pymesh.xds import Address


class _Key(NamedTuple):
    listener: str
    address: Address  # as configured, perhaps with port 0


class _Port(NamedTuple):
    address: Address
    sockets: dict[int, socket.socket]  # by the worker's place


class SharedSockets:
    """`bound`: before the configuration came, with SO_REUSEPORT. A place is a worker's number, which outlives it."""

    def __init__(self, bound: Mapping[Address, socket.socket]) -> None:
        self._bound = dict(bound)
        self._ports: dict[_Key, _Port] = {}
        self._taken: dict[int, set[_Key]] = {}

    def take(self, place: int, listener: str, address: Address) -> socket.socket:
        """The place's socket of a listener; it stays ours. Raises UsageError where it cannot be bound."""
        key = _Key(listener, address)
        port = self._ports.get(key)
        if port is None:
            bound = self._bound.pop(address, None)
            sock = bind_address(address, is_shared=True) if bound is None else start_listening(bound)
            port = self._ports[key] = _Port(bound_address(sock), {place: sock})
        elif place not in port.sockets:
            port.sockets[place] = bind_shared(port.address)
        self._taken.setdefault(place, set()).add(key)
        return port.sockets[place]

    def release(self, place: int, listener: str, address: Address) -> None:
        self._close(_Key(listener, address), place)

    def begin(self, place: int) -> None:
        """A new worker is in the place; it has taken nothing yet."""
        self._taken[place] = set()

    def close_untaken(self, place: int) -> None:
        """What the worker before it had, and this one does not want."""
        for key in tuple(self._ports):
            if key not in self._taken.get(place, ()):
                self._close(key, place)

    def close_place(self, place: int) -> None:
        """Nobody will accept there for a while: connections are to go to the other workers."""
        for key in tuple(self._ports):
            self._close(key, place)

    def close(self) -> None:
        """From now on what a worker has taken is its own."""
        for port in self._ports.values():
            for sock in port.sockets.values():
                sock.close()
        for sock in self._bound.values():
            sock.close()
        self._ports.clear()
        self._bound.clear()

    def _close(self, key: _Key, place: int) -> None:
        port = self._ports.get(key)
        if port is None:
            return
        sock = port.sockets.pop(place, None)
        if sock is not None:
            sock.close()
        if not port.sockets:
            del self._ports[key]
