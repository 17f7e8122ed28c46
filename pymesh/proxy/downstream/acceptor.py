"""The accept loop of one listening socket."""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable

from pymesh.proxy.downstream.syn_filter import drop_new_connections

log = logging.getLogger(__name__)

# Connections taken in one turn of the event loop, so that a flood of them leaves time for those that are open.
_BATCH = 64
_BACKLOG = 4096  # at least as many as can have waited
# How long nothing is accepted after the process, or the machine, has run out of file descriptors or memory.
_PAUSE = 0.5
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Acceptor:
    """Owns a bound socket; hands each connection, non-blocking, to `on_socket`. `on_pause` is called at each pause."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        on_socket: Callable[[socket.socket], None],
        on_pause: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._sock = sock
        self._on_socket = on_socket
        self._on_pause = on_pause
        self._pause: asyncio.TimerHandle | None = None
        sock.setblocking(False)
        self._is_tcp = sock.family != socket.AF_UNIX
        if self._is_tcp:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # which accepted sockets inherit
        loop.add_reader(sock.fileno(), self._on_readable)

    def refuse_new(self) -> bool:
        """Let no connection begin that has not begun yet; `close` a moment later then loses none. False: it may."""
        return self._is_tcp and self._sock.fileno() >= 0 and drop_new_connections(self._sock)

    def close(self) -> None:
        """Accept no more, but take those whose connection the kernel has made already: they would be reset."""
        if self._sock.fileno() < 0:
            return
        if self._pause is None:
            self._accept(_BACKLOG)
            self._loop.remove_reader(self._sock.fileno())
        if self._pause is not None:
            self._pause.cancel()
        self._sock.close()

    def _on_readable(self) -> None:
        self._accept(_BATCH)

    def _accept(self, most: int) -> None:
        for _ in range(most):
            try:
                sock, _ = self._sock.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._pause_accepting(error)
                    return
                # The peer has left already (ECONNABORTED, EPROTO...): accept(2) says to try again.
                log.debug("accept: %s", error)
                continue
            sock.setblocking(False)
            self._on_socket(sock)

    def _pause_accepting(self, error: OSError) -> None:
        """The kernel keeps those who wait in the backlog."""
        log.warning("accepting pauses for %s s: %s", _PAUSE, error.strerror)
        self._on_pause()
        self._loop.remove_reader(self._sock.fileno())
        self._pause = self._loop.call_later(_PAUSE, self._resume)

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_reader(self._sock.fileno(), self._on_readable)
