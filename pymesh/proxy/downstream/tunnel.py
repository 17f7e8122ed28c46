"""Two connections whose bytes go to each other: a TCP proxy, a CONNECT, an upgraded connection. Callbacks only.

A tunnel begins with neither end. What one end says before the other is attached is kept, up to a bound, and then read
no further; afterwards the transports' own write buffers bound it in the same way.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from pymesh.proxy.net import HALF_CLOSE_GRACE, end_writing
from pymesh.proxy.timers import Timers

# What is kept for an end that is not there yet.
MAX_EARLY_BYTES = 64 * 1024


class Tunnel:
    """`downstream` and `upstream` are asyncio protocols. `on_done(tunnel)` is called once, when both are gone.

    `idle_timeout` in seconds: no byte in either direction for so long closes both; 0 for none. It is `is_idle` then.
    """

    __slots__ = ("_grace", "_idle", "_on_done", "downstream", "is_done", "is_idle", "upstream")

    def __init__(self, on_done: "Callable[[Tunnel], None]", timers: Timers, idle_timeout: float = 0.0) -> None:
        self.downstream = TunnelEnd(self)
        self.upstream = TunnelEnd(self)
        self.downstream.peer, self.upstream.peer = self.upstream, self.downstream
        self.is_done = False
        self.is_idle = False
        self._on_done = on_done
        self._idle = timers.queue(idle_timeout, _on_idle) if idle_timeout else None
        self._grace = timers.queue(HALF_CLOSE_GRACE, _on_silent)

    @property
    def bytes_received(self) -> int:
        """From downstream."""
        return self.downstream.bytes_read

    @property
    def bytes_sent(self) -> int:
        """To downstream."""
        return self.upstream.bytes_read

    def close(self) -> None:
        """Close both ends, once what is on its way to them is written."""
        self._end(lambda transport: transport.close())

    def abort(self) -> None:
        """Close both ends now."""
        self._end(lambda transport: transport.abort())

    def touch(self) -> None:
        if self._idle is not None:
            self._idle.start(self)

    def start_grace(self) -> None:
        """Begin, or begin anew, the time that the silent half of a half-closed tunnel has left."""
        self._grace.start(self)

    def on_end_lost(self) -> None:
        if not self.is_done and self.downstream.is_gone and self.upstream.is_gone:
            self.is_done = True
            self._grace.stop(self)
            if self._idle is not None:
                self._idle.stop(self)
            self._on_done(self)
            self._break_cycles()

    def _break_cycles(self) -> None:
        """Everybody goes at once then, and not only when the garbage collector comes to its old generation."""
        del self._on_done
        for end in (self.downstream, self.upstream):
            del end.peer, end.tunnel

    def _end(self, act: Callable[[asyncio.Transport], None]) -> None:
        for end in (self.downstream, self.upstream):
            if end.transport is None:
                end.is_gone = True
            else:
                act(end.transport)
        self.on_end_lost()


class TunnelEnd(asyncio.Protocol):
    """One end. It is connected when `attach` is called, not at `connection_made`: the peer's identity may yet turn out
    to be wrong, and until then nothing is read or written."""

    __slots__ = (
        "_early",
        "_early_size",
        "bytes_read",
        "has_eof",
        "is_gone",
        "is_half_closed",
        "is_paused",
        "peer",
        "transport",
        "tunnel",
    )

    peer: "TunnelEnd"

    def __init__(self, tunnel: Tunnel) -> None:
        self.tunnel = tunnel
        self.transport: asyncio.Transport | None = None
        self.bytes_read = 0
        self.has_eof = False  # it will say nothing more
        self.is_half_closed = False  # the other has said all, and TLS gives no way to tell
        self.is_paused = False
        self.is_gone = False
        self._early: list[bytes] = []
        self._early_size = 0

    def attach(self, transport: asyncio.Transport) -> None:
        """`transport` has this protocol on it and may be used."""
        if self.is_gone or self.tunnel.is_done:
            transport.abort()
            return
        self.transport = transport
        self.tunnel.touch()
        for data in self._early:
            transport.write(data)
        self._early.clear()
        self.peer.resume_reading()
        if self.peer.has_eof:
            self._write_eof()
        transport.resume_reading()

    def write(self, data: bytes) -> None:
        """What the other end has said."""
        if self.transport is not None:
            self.transport.write(data)
            return
        self._early.append(data)
        self._early_size += len(data)
        if self._early_size > MAX_EARLY_BYTES:
            self.peer.pause_reading()

    def pause_reading(self) -> None:
        if self.transport is not None and not self.is_paused and not self.transport.is_closing():
            self.is_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        if self.transport is not None and self.is_paused:
            self.is_paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        self.bytes_read += len(data)
        self.tunnel.touch()
        if self.is_half_closed:
            self.tunnel.start_grace()
        self.peer.write(data)

    def pause_writing(self) -> None:
        self.peer.pause_reading()

    def resume_writing(self) -> None:
        self.peer.resume_reading()

    def eof_received(self) -> bool:
        """True keeps the other direction going. A TLS transport closes in any case, and wants to hear False."""
        self.has_eof = True
        if self.is_gone:
            return False
        peer = self.peer
        if peer.transport is not None:
            peer._write_eof()
        if peer.has_eof:
            self.tunnel.close()
        return self.transport is not None and self.transport.can_write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.transport is None:  # never attached: a failed attempt
            return
        self.transport = None
        self.is_gone = True
        peer = self.peer
        if peer.transport is not None:
            peer.transport.close()
        else:
            peer.is_gone = True
        self.tunnel.on_end_lost()

    def _write_eof(self) -> None:
        """The other end has said all."""
        assert self.transport is not None
        if self.transport.is_closing():
            return
        if self.transport.can_write_eof():
            end_writing(self.transport)
        else:
            self.is_half_closed = True
            self.tunnel.start_grace()


def _on_idle(tunnel: Any) -> None:
    tunnel.is_idle = True
    tunnel.abort()


def _on_silent(tunnel: Any) -> None:
    if tunnel.downstream.is_paused or tunnel.upstream.is_paused:
        tunnel.start_grace()  # not silent: we do not listen, because the other end is slow
    else:
        tunnel.close()
