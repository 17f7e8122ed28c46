"""The order of a proxy's last things, with a proxy that only writes down what is asked of it."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest

from pymesh.proxy.lifecycle import ShutdownSignals, first_of, serve


class FakeProxy:
    addresses = "pymesh proxy web-v1-x: outbound 127.0.0.1:1, admin 127.0.0.1:2"

    def __init__(self) -> None:
        self.journal: list[str] = []
        self.ready = asyncio.Event()
        self.quit = asyncio.Event()

    async def start(self) -> None:
        self.journal.append("start")

    async def wait_ready(self) -> None:
        await self.ready.wait()

    async def wait_quit(self) -> None:
        await self.quit.wait()

    async def drain(self) -> None:
        self.journal.append("drain")

    async def aclose(self) -> None:
        self.journal.append("close")


@pytest.fixture
async def proxy() -> AsyncIterator[FakeProxy]:
    yield FakeProxy()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        asyncio.get_running_loop().remove_signal_handler(number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_drains_and_closes_and_the_exit_code_is_0(proxy: FakeProxy, number: int) -> None:
    def on_line(line: str) -> None:
        os.kill(os.getpid(), number)

    assert await serve(proxy, on_line) == 0
    assert proxy.journal == ["start", "drain", "close"]


async def test_log_rotation_may_send_sigusr1_as_to_envoy(proxy: FakeProxy) -> None:
    served = asyncio.create_task(serve(proxy, lambda line: os.kill(os.getpid(), signal.SIGUSR1)))
    done, _ = await asyncio.wait([served], timeout=0.1)
    assert not done
    proxy.quit.set()
    assert await served == 0


async def test_the_admin_port_can_ask_for_the_end(proxy: FakeProxy) -> None:
    assert await serve(proxy, lambda line: proxy.quit.set()) == 0
    assert proxy.journal == ["start", "drain", "close"]


async def test_addresses_are_said_at_once_and_readiness_when_it_comes(proxy: FakeProxy) -> None:
    lines: list[str] = []

    def on_line(line: str) -> None:
        lines.append(line)
        (proxy.ready if len(lines) == 1 else proxy.quit).set()

    await serve(proxy, on_line)
    assert lines == [
        proxy.addresses,
        "pymesh proxy web-v1-x is ready: outbound 127.0.0.1:1, admin 127.0.0.1:2",
    ]


async def test_signals_are_counted_in_their_order(proxy: FakeProxy) -> None:
    signals = ShutdownSignals()
    os.kill(os.getpid(), signal.SIGTERM)
    assert await signals.wait() == signal.SIGTERM
    os.kill(os.getpid(), signal.SIGINT)
    assert await signals.wait(2) == signal.SIGINT


async def test_the_first_of_several_ends_the_others() -> None:
    never = asyncio.Event().wait()
    await first_of(asyncio.sleep(0), never)
    assert never.cr_frame is None  # a coroutine that has ended


async def test_the_first_ones_exception_is_raised() -> None:
    async def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await first_of(fail(), asyncio.Event().wait())
