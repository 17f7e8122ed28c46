"""Where a redirected connection was going, and which listener stands for that address.

https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/listener_filters/original_dst_filter
"""

import socket
import struct
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

from pymesh.xds import Address

TYPE_URL = "type.googleapis.com/envoy.extensions.filters.listener.original_dst.v3.OriginalDst"

SO_ORIGINAL_DST = 80  # linux/netfilter_ipv4.h; IP6T_SO_ORIGINAL_DST is the same number
_SOCKADDR_IN = struct.Struct("!2xH4s8x")
_SOCKADDR_IN6 = struct.Struct("!2xH4x16s4x")


def original_destination(sock: socket.socket) -> Address | None:
    """None for a connection that was not redirected."""
    is_ipv6 = sock.family == socket.AF_INET6
    layout = _SOCKADDR_IN6 if is_ipv6 else _SOCKADDR_IN
    try:
        answer = sock.getsockopt(socket.IPPROTO_IPV6 if is_ipv6 else socket.SOL_IP, SO_ORIGINAL_DST, layout.size)
        port, packed = layout.unpack(answer)
        found = Address(socket.inet_ntop(sock.family, packed), port)
        host, own_port = sock.getsockname()[:2]
    except OSError:  # no connection tracking, or no such connection
        return None
    return None if found == Address(host, own_port) else found


class _Listening(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def address(self) -> Address: ...


ListenerT = TypeVar("ListenerT", bound=_Listening)


def find_listener(listeners: Iterable[ListenerT], destination: Address) -> ListenerT | None:
    """The one at exactly this address, else the one at all addresses of its port. Never one that is not told."""
    by_address = {listener.address: listener for listener in listeners}
    return next((by_address[address] for address in candidates(destination) if address in by_address), None)


def candidates(destination: Address) -> Iterator[Address]:
    """Addresses of the listeners that may stand for a destination, best first."""
    yield destination
    if ":" in destination.host:
        yield Address("::", destination.port)
    yield Address("0.0.0.0", destination.port)
