import asyncio

import pytest

from pymesh.proxy.probe import AppProbe, can_connect


@pytest.fixture(autouse=True)
def probe_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pymesh.proxy.probe.PROBE_INTERVAL", 0.001)
    monkeypatch.setattr("pymesh.proxy.probe._EAGER_INTERVAL", 0.001)


async def start_app(port: int = 0) -> asyncio.Server:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", port)


async def test_the_application_is_healthy_while_its_port_answers() -> None:
    changed = asyncio.Event()
    async with await start_app() as app:
        probe = AppProbe(app.sockets[0].getsockname()[1], changed.set)
        task = asyncio.create_task(probe.run())
        await changed.wait()
        assert probe.is_healthy
        changed.clear()
    await changed.wait()
    assert not probe.is_healthy
    task.cancel()


async def test_an_application_without_a_port_is_healthy() -> None:
    probe = AppProbe(0, lambda: None)
    await probe.run()
    assert probe.is_healthy


async def test_nobody_listens_on_a_closed_port() -> None:
    async with await start_app() as app:
        port = app.sockets[0].getsockname()[1]
    assert not await can_connect("127.0.0.1", port)


async def test_an_application_that_never_answers_is_named_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("pymesh.proxy.probe._PATIENCE", 0.01)
    async with await start_app() as app:
        port = app.sockets[0].getsockname()[1]
    task = asyncio.create_task(AppProbe(port, lambda: None).run())
    async with asyncio.timeout(5):
        while not caplog.messages:  # noqa: ASYNC110 (a log has no event)
            await asyncio.sleep(0.01)
    task.cancel()
    assert caplog.messages == [f"nothing answers on port {port} yet; no requests come here before"]
