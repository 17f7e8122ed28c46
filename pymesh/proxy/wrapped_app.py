"""`pymesh run`: a sidecar, then the application behind it, and both down again in the order that loses nothing."""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Sequence

from pymesh.proxy.app_process import CANNOT_START, AppProcess, CannotStartError, start_app
from pymesh.proxy.garbage import spare_what_is_loaded
from pymesh.proxy.lifecycle import SIGNALED, ShutdownSignals, announce_ready, first_of
from pymesh.proxy.sidecar import Sidecar

log = logging.getLogger(__name__)

_PATIENCE = 5.0  # the log says after so long that the command does not end


async def run_wrapped(sidecar: Sidecar, command: Sequence[str], say: Callable[[str], None]) -> int:
    """Start the sidecar, wait until it serves, run the command. Returns the command's exit code."""
    signals = ShutdownSignals()
    spare_what_is_loaded()
    await sidecar.start()
    say(sidecar.addresses)
    await first_of(sidecar.wait_serving(), signals.wait())
    try:
        return SIGNALED + signals.received[0] if signals.received else await _run_app(sidecar, command, signals, say)
    except CannotStartError as error:
        print(f"pymesh run: {error}", file=sys.stderr)
        return CANNOT_START
    finally:
        await sidecar.aclose()


async def _run_app(
    sidecar: Sidecar, command: Sequence[str], signals: ShutdownSignals, say: Callable[[str], None]
) -> int:
    app = await start_app(command, sidecar.ports)
    ended = asyncio.create_task(app.wait())
    announcement = asyncio.create_task(announce_ready(sidecar, say))
    await first_of(asyncio.shield(ended), signals.wait(), sidecar.wait_quit())
    announcement.cancel()
    if ended.done():
        await sidecar.leave()  # nobody is left to answer, so nothing is left to wait for
        return ended.result()
    # The sidecar's other half is the application's until its end: what it does at last may need others.
    await first_of(sidecar.drain_inbound(), asyncio.shield(ended), signals.wait(2))
    return await _end(app, ended, signals)


async def _end(app: AppProcess, ended: "asyncio.Task[int]", signals: ShutdownSignals) -> int:
    """Pass the signal on and wait for the command; one more signal kills it."""
    app.send_signal(signals.received[0] if signals.received else signal.SIGTERM)
    reminder = asyncio.get_running_loop().call_later(
        _PATIENCE, log.warning, "the command has not ended yet; one more signal kills it"
    )
    await first_of(asyncio.shield(ended), signals.wait(len(signals.received) + 1))
    reminder.cancel()
    if not ended.done():
        app.send_signal(signal.SIGKILL)
    return await ended
