"""How a proxy's process begins and ends: the event loop, the signals, the order of the last things."""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

from pymesh.proxy.allocator import keep_buffers
from pymesh.proxy.garbage import spare_what_is_loaded

log = logging.getLogger(__name__)

SIGNALED = 128  # a shell's exit code of a process that a signal ended is this plus the signal's number


class Proxy(Protocol):
    """A sidecar or a gateway. `addresses` is one line, `<who it is>: <where it listens>`."""

    @property
    def addresses(self) -> str: ...

    async def start(self) -> None: ...

    async def wait_ready(self) -> None: ...

    async def wait_quit(self) -> None: ...

    async def drain(self) -> None: ...

    async def aclose(self) -> None: ...


def run_event_loop(main: Coroutine[Any, Any, int]) -> int:
    """Run `main` on uvloop to its end; the exit code."""
    import uvloop  # 12 MB; only what runs a loop pays for it

    keep_buffers()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.get_loop().set_exception_handler(_on_loop_error)
        return runner.run(main)


def _on_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What the transports report although it is a peer's doing is a debug line, all else the loop's own report.

    uvloop's TLS answers what it read just before a cancelled request closed its transport, and calls that fatal.
    aiofastnet reports the class ConnectionResetError, not an instance, when a peer leaves in the midst of a handshake.
    """
    error = context.get("exception")
    is_peers_doing = isinstance(error, type) and issubclass(error, OSError)
    if is_peers_doing or (isinstance(error, RuntimeError) and "the handler is closed" in str(error)):
        log.debug("%s: %s", context.get("message"), error)
    else:
        loop.default_exception_handler(context)


class ShutdownSignals:
    """SIGTERM and SIGINT, in the order in which they come: the first asks for a drain, the second is impatient."""

    def __init__(self, on_signal: Callable[[int], None] | None = None) -> None:
        self.received: list[int] = []
        self._on_signal = on_signal
        self._changed = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._receive, number)

    async def wait(self, count: int = 1) -> int:
        """The number of the `count`-th signal, once it has come."""
        while len(self.received) < count:
            self._changed.clear()
            await self._changed.wait()
        return self.received[count - 1]

    def _receive(self, number: int) -> None:
        self.received.append(number)
        self._changed.set()
        if self._on_signal is not None:
            self._on_signal(number)


async def serve(proxy: Proxy, say: Callable[[str], None]) -> int:
    """Run a proxy until it is told to stop, drain it, close it. The exit code; a second signal ends it at once."""
    spare_what_is_loaded()
    signals = ShutdownSignals()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, _on_reopen_logs)
    await proxy.start()
    say(proxy.addresses)
    announcement = asyncio.create_task(announce_ready(proxy, say))
    await first_of(signals.wait(), proxy.wait_quit())
    announcement.cancel()
    await first_of(proxy.drain(), signals.wait(2))
    if len(signals.received) > 1:
        os._exit(SIGNALED + signals.received[1])  # nothing that hangs may keep it
    await proxy.aclose()
    return 0


def _on_reopen_logs() -> None:
    """As Envoy, which log rotation sends it to, we do not end. A file that was moved is noticed by LogWriter itself."""
    log.info("SIGUSR1: an access log that was moved is opened anew with its next line")


async def announce_ready(proxy: Proxy, say: Callable[[str], None]) -> None:
    """Say so once, when it is so."""
    await proxy.wait_ready()
    name, _, addresses = proxy.addresses.partition(": ")
    say(f"{name} is ready: {addresses}")


async def first_of(*work: Awaitable[Any]) -> None:
    """Wait until one has ended and cancel the others. An exception of the first is raised."""
    tasks = [asyncio.ensure_future(coro) for coro in work]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        task.result()
