"""Sees connections that a peer has reset, where the event loop loses sight of them. Nothing of ours is imported here.

When a connection is reset, libuv stops polling it, for good; uvloop calls its reader one last time, and drops it. A
transport that reads no further than it must, as aiofastnet's do (a short read, or a bound for one turn), finds data
then, and never hears of the reset: its protocol would hold its stream, its pool and its file descriptor for ever, and
the next connection with the same descriptor number could not be read. A plain uvloop transport is not concerned.

https://docs.libuv.org/en/v1.x/poll.html ("If status == UV_EBADF polling is discontinued for the file handle")
"""

import asyncio
import logging
import select
from weakref import WeakKeyDictionary, ref

log = logging.getLogger(__name__)

# Seconds: time for the loop to let a transport read once; and how often we look whether one that was told not to read
# wants to.
_TURN = 0.001
_PATIENCE = 0.05


class ResetWatcher:
    """One for each event loop. A second epoll set, in which sockets are for nothing but their errors: it costs a system
    call for each connection and nothing for each request. The kernel takes closed sockets out of it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._epoll = select.epoll()
        self._transports: dict[int, tuple[ref[asyncio.Transport], bool]] = {}  # as many as there are descriptors
        loop.add_reader(self._epoll.fileno(), self._on_event)

    def watch(self, transport: asyncio.Transport, *, is_accepted: bool) -> None:
        """Until it is closed. Of a peer that we accepted and do not read at the moment nothing is read any more; what
        a server has sent before it reset the connection is, when its turn comes."""
        sock = transport.get_extra_info("socket")
        fd = -1 if sock is None else sock.fileno()
        if fd >= 0:  # else it is lost already
            try:
                self._epoll.register(fd, select.EPOLLERR | select.EPOLLONESHOT)
            except OSError as error:  # ENOSPC, ENOMEM: epoll_ctl(2). The connection itself can go on
                log.warning("a connection is not watched for resets: %s", error.strerror)
            else:
                self._transports[fd] = ref(transport), is_accepted

    def _on_event(self) -> None:
        for fd, events in self._epoll.poll(0):
            found, is_accepted = self._transports.pop(fd)
            transport = found()
            if events & select.EPOLLERR and transport is not None:  # EPOLLHUP alone: both sides have said all
                _on_reset(transport, is_accepted)


def _on_reset(transport: asyncio.Transport, is_accepted: bool) -> None:
    """Have it polled anew, which brings it one more turn of reading, until it has read the reset."""
    if transport.is_closing() or (is_accepted and not transport.is_reading()):
        transport.abort()
        return
    is_reading = transport.is_reading()
    if is_reading:
        transport.pause_reading()
        transport.resume_reading()
    delay = _TURN if is_reading else _PATIENCE
    asyncio.get_running_loop().call_later(delay, _on_reset, transport, is_accepted)


_watchers: WeakKeyDictionary[asyncio.AbstractEventLoop, ResetWatcher] = WeakKeyDictionary()


def watch_for_reset(loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, *, is_accepted: bool) -> None:
    """See ResetWatcher. No effect where there is no epoll: there nothing gets lost."""
    if not hasattr(select, "epoll"):
        return
    watcher = _watchers.get(loop)
    if watcher is None:
        watcher = _watchers[loop] = ResetWatcher(loop)
    watcher.watch(transport, is_accepted=is_accepted)
