"""The supervisor's handle on one worker process: spawned, called, waited for."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pymesh.proxy.workers.channel import Channel, open_channel
from pymesh.proxy.workers.messages import Request, ToSupervisor
from pymesh.tasks import TaskGroup

T = TypeVar("T")

ServeWorker = Callable[["WorkerProcess", ToSupervisor], Awaitable[object]]

_MODULE = "pymesh.proxy.workers"


class WorkerProcess:
    """`place` is its number among the workers; a worker that replaces it has the same, and another pid."""

    def __init__(
        self, place: int, process: asyncio.subprocess.Process, channel: Channel, sockets: socket.socket
    ) -> None:
        self.place = place
        self.started_at = time.monotonic()
        self._process = process
        self._channel = channel
        self._sockets = sockets
        self._tasks = TaskGroup()
        self._tasks.spawn(f"worker {self.pid}", channel.run())

    def __repr__(self) -> str:
        return f"<WorkerProcess {self.place} pid={self.pid}>"

    @property
    def pid(self) -> int:
        return self._process.pid

    async def call(self, request: Request, answer: type[T]) -> T:
        """Raises ChannelClosedError when it has died, else the PymeshError that it answers."""
        return await self._channel.call(request, answer)

    def send_socket(self, sock: socket.socket) -> None:
        """Raises OSError when it has died."""
        socket.send_fds(self._sockets, [b"s"], [sock.fileno()])

    async def wait(self) -> str:
        """How it ended, in words."""
        code = await self._process.wait()
        await self._channel.aclose()
        await self._tasks.aclose()
        self._sockets.close()
        return f"exit code {code}" if code >= 0 else signal.Signals(-code).name

    def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()

    def hang_up(self) -> None:
        """It has been told to end, and does so when it sees this."""
        self._channel.close()


async def spawn_worker(place: int, serve: ServeWorker, cells: int) -> WorkerProcess:
    """`serve(worker, request)` answers what the worker asks; `cells` is BreakerCells' fd. Raises OSError."""
    ours, theirs = socket.socketpair()
    our_sockets, their_sockets = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, their_sockets:
        descriptors = (theirs.fileno(), their_sockets.fileno(), cells)
        process = await asyncio.create_subprocess_exec(
            *_command(), *map(str, descriptors), pass_fds=descriptors, stdin=asyncio.subprocess.DEVNULL
        )

    async def answer(request: ToSupervisor) -> object:
        return await serve(worker, request)

    worker = WorkerProcess(place, process, await open_channel(ours, ToSupervisor, answer), our_sockets)
    return worker


def _command() -> tuple[str, ...]:
    """This interpreter, which finds what we have found: the working directory only if we look there too."""
    looks_here = "" in sys.path or os.getcwd() in sys.path
    return (sys.executable, *(() if looks_here else ("-P",)), "-m", _MODULE)
