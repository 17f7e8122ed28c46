"""The listeners of a proxy: what LDS says is bound, changed in place, or drained."""

import socket
from collections.abc import Mapping
from typing import Any

from pymesh.errors import PymeshError
from pymesh.proxy.downstream.context import ProxyContext
from pymesh.proxy.downstream.listener_config import ListenerConfig
from pymesh.xds import Address


class ListenerError(PymeshError):
    """A listener cannot be opened; the text says which address and why."""


class ListenerManager:
    """`sockets`: bound before the configuration came, by the address that the configuration will name."""

    def __init__(self, context: ProxyContext, sockets: Mapping[Address, socket.socket] | None = None) -> None:
        raise NotImplementedError

    async def apply(self, config: ListenerConfig) -> None:
        """Open or change a listener; an unchanged one is left alone. Raises ListenerError, and nothing has changed."""
        raise NotImplementedError

    async def remove(self, name: str) -> None:
        """Stop accepting at once; open connections drain."""
        raise NotImplementedError

    def drain(self) -> None:
        """Of all listeners: connections close as they become idle; new ones are still taken."""
        raise NotImplementedError

    def describe(self) -> list[dict[str, Any]]:
        """For the admin: name, address (with the port that was chosen), filter chains, counters."""
        raise NotImplementedError
