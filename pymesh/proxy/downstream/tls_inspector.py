"""The tls_inspector listener filter, and the http_inspector where it is asked for.

They look at the first bytes of a connection and leave them in the socket.

https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/listener_filters/tls_inspector
"""

import asyncio
import socket
from collections.abc import Callable

from pymesh.proxy.downstream.client_hello import (
    INCOMPLETE,
    MAX_CLIENT_HELLO,
    NOT_TLS,
    ClientHello,
    NotClientHello,
    parse_client_hello,
)
from pymesh.proxy.downstream.http_inspector import HttpPreface, parse_http_preface
from pymesh.proxy.timers import Timers

TYPE_URL = "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"

_PEEK = MAX_CLIENT_HELLO + 256  # with the headers of its records

Found = ClientHello | HttpPreface | None  # None: neither TLS nor, where that is asked for, HTTP
# It is called with the socket, which is then the callee's.
OnInspected = Callable[[socket.socket, Found], None]
# The peer has left, or has not said enough in time.
OnAbandoned = Callable[[socket.socket, bool], None]


class TlsInspector:
    """All connections of a proxy that are being looked at. None of them waits for another."""

    def __init__(self, loop: asyncio.AbstractEventLoop, timers: Timers) -> None:
        self._loop = loop
        self._timers = timers
        self._pending: set[_Inspection] = set()

    def __len__(self) -> int:
        return len(self._pending)

    def inspect(
        self,
        sock: socket.socket,
        timeout: float,
        on_inspected: OnInspected,
        on_abandoned: OnAbandoned,
        is_http_wanted: bool = False,
    ) -> None:
        """One of the two is called once, maybe at once. `timeout` in seconds, 0 for none; `on_abandoned` is told
        whether it was the reason. `is_http_wanted`: what is not TLS is looked at for HTTP, too."""
        inspection = _Inspection(sock, timeout, on_inspected, on_abandoned)
        inspection.is_http_wanted = is_http_wanted
        if not self._peek(inspection):
            self._pending.add(inspection)
            self._loop.add_reader(sock.fileno(), self._on_readable, inspection)
            if timeout:
                self._timers.queue(timeout, self._on_timeout).start(inspection)

    def close(self) -> None:
        for inspection in tuple(self._pending):
            self._stop(inspection)
            inspection.on_abandoned(inspection.sock, False)

    def _on_readable(self, inspection: "_Inspection") -> None:
        self._peek(inspection)

    def _on_timeout(self, inspection: "_Inspection") -> None:
        self._stop(inspection)
        inspection.on_abandoned(inspection.sock, True)

    def _peek(self, inspection: "_Inspection") -> bool:
        """False while it takes more bytes to tell."""
        try:
            data = inspection.sock.recv(_PEEK, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:  # reset by the peer
            data = b""
        found = inspection.parse(data) if data else None
        # As many bytes as last time, though the kernel said that there were more: the peer will send no others.
        if found is INCOMPLETE and len(data) > inspection.seen:
            inspection.wait_for_more(len(data))
            return False
        self._finish(inspection, data, None if isinstance(found, NotClientHello) else found)
        return True

    def _finish(self, inspection: "_Inspection", data: bytes, found: Found) -> None:
        self._stop(inspection)
        if data:
            inspection.on_inspected(inspection.sock, found)
        else:
            inspection.on_abandoned(inspection.sock, False)

    def _stop(self, inspection: "_Inspection") -> None:
        if inspection in self._pending:
            self._pending.discard(inspection)
            self._loop.remove_reader(inspection.sock.fileno())
            if inspection.timeout:
                self._timers.queue(inspection.timeout, self._on_timeout).stop(inspection)
        inspection.reset()


class _Inspection:
    """One socket, and how many of its bytes were seen."""

    __slots__ = ("is_http_wanted", "on_abandoned", "on_inspected", "seen", "sock", "timeout")

    def __init__(
        self, sock: socket.socket, timeout: float, on_inspected: OnInspected, on_abandoned: OnAbandoned
    ) -> None:
        self.sock = sock
        self.timeout = timeout
        self.on_inspected = on_inspected
        self.on_abandoned = on_abandoned
        self.seen = 0
        self.is_http_wanted = False

    def parse(self, data: bytes) -> Found | NotClientHello:
        found = parse_client_hello(data)
        return parse_http_preface(data) if found is NOT_TLS and self.is_http_wanted else found

    def wait_for_more(self, seen: int) -> None:
        """What was peeked stays readable and would wake the loop again at once: ask the kernel for one byte more."""
        self.seen = seen
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, seen + 1)

    def reset(self) -> None:
        if self.seen:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
