"""A control API in a thread of this process, and a way to run commands against it."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from aiohttp import web

from pymesh.cli import main
from pymesh.control.api.routes import api_routes
from pymesh.control.store.memory import MemoryStore


class Result(NamedTuple):
    code: int
    out: str
    err: str


Pymesh = Callable[..., Result]


@pytest.fixture
def control_url() -> Iterator[str]:
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        app = web.Application()
        app.add_routes(api_routes(MemoryStore()))
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ready.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
        is_ready.set()
        await stop.wait()
        await runner.cleanup()

    ready: list[str] = []
    is_ready = threading.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert is_ready.wait(10)
    yield ready[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


@pytest.fixture
def pymesh(control_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Pymesh:
    monkeypatch.setenv("PYMESH_CONTROL", control_url)

    def run(*arguments: str) -> Result:
        capsys.readouterr()
        code = main(arguments)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run
