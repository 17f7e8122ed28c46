import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

from pymesh.proxy.probe import AppProbe, can_connect, has_answered
from pymesh.xds import HttpProbe, ReadinessProbe


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


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (302, True), (404, False), (503, False)])
async def test_a_get_is_healthy_where_it_is_answered_with_200_to_399(status: int, healthy: bool) -> None:
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 %d X\r\ncontent-length: 0\r\n\r\n" % status)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as app:
        http = HttpProbe("/health?a=1", "http", (("x-probe", "yes"),))
        probe = ReadinessProbe(port=app.sockets[0].getsockname()[1], http=http)
        assert await has_answered(probe, "127.0.0.1") is healthy
    assert heads[0].startswith(b"GET /health?a=1 HTTP/1.1\r\n")
    assert b"x-probe: yes\r\n" in heads[0]


async def test_an_application_that_is_silent_is_not_healthy() -> None:
    async with await start_app() as app:
        port = app.sockets[0].getsockname()[1]
        assert await has_answered(ReadinessProbe(port=port), "127.0.0.1")
        assert not await has_answered(ReadinessProbe(port=port, http=HttpProbe("/", "http"), timeout=0), "127.0.0.1")


@pytest.mark.parametrize(
    ("command", "healthy"), [(("true",), True), (("false",), False), (("sh", "-c", "exit 3"), False)]
)
async def test_a_command_is_healthy_where_it_exits_with_0(command: tuple[str, ...], healthy: bool) -> None:
    assert await has_answered(ReadinessProbe(command=command), "127.0.0.1") is healthy


def is_alive(pid: str) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().split()[2] != "Z"


async def test_a_command_that_takes_too_long_is_killed_with_what_it_has_started(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    command = ("sh", "-c", f"sleep 60 & echo $! > {pid_file}; wait")
    assert not await has_answered(ReadinessProbe(command=command, timeout=1), "127.0.0.1")
    pid = pid_file.read_text().strip()
    async with asyncio.timeout(5):
        while is_alive(pid):  # noqa: ASYNC110 (nothing tells of its end)
            await asyncio.sleep(0.01)


async def test_a_command_that_is_not_there_is_named(caplog: pytest.LogCaptureFixture) -> None:
    assert not await has_answered(ReadinessProbe(command=("/no/such/program",)), "127.0.0.1")
    assert "/no/such/program cannot be run: No such file or directory" in caplog.text


async def test_thresholds_say_how_many_answers_in_a_row_count(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [True, False, True, True, False, False, True, False, False, False]
    healthy: list[bool] = []
    done = asyncio.Event()

    async def answer(told: ReadinessProbe, host: str) -> bool:
        healthy.append(probe.is_healthy)
        if not answers:
            done.set()
            await asyncio.sleep(60)
        return answers.pop(0)

    monkeypatch.setattr("pymesh.proxy.probe.has_answered", answer)
    probe = AppProbe(8080, lambda: None, waits=True)
    task = asyncio.create_task(probe.run())
    await asyncio.sleep(0)
    assert healthy == []  # nobody has said how
    probe.use(ReadinessProbe(port=1, period=0, success_threshold=2))
    await done.wait()
    task.cancel()
    assert healthy == [False, False, False, False, True, True, True, True, True, True, False]


SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"


@pytest.mark.parametrize(
    ("service", "answer", "expected"),
    [("", SERVING, True), ("a.B", SERVING, True), ("", NOT_SERVING, False), ("", b"", False), ("nobody", None, False)],
)
async def test_a_grpc_server_is_asked_for_the_health_of_a_service(
    service: str, answer: bytes | None, expected: bool
) -> None:
    asked = []

    async def check(question: bytes, context: Any) -> bytes:
        asked.append(question)
        if answer is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return answer or b""

    server = grpc.aio.server()
    handlers = {"Check": grpc.unary_unary_rpc_method_handler(check)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        probe = ReadinessProbe(port, timeout=10, grpc_service=service)
        assert await has_answered(probe, "127.0.0.1") is expected
        assert asked == [b"\n%c%b" % (len(service), service.encode()) if service else b""]
    finally:
        await server.stop(None)


async def test_what_is_no_grpc_server_is_not_healthy() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read(1)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert not await has_answered(ReadinessProbe(port, grpc_service=""), "127.0.0.1")
    assert not await has_answered(ReadinessProbe(port, grpc_service=""), "127.0.0.1")
