import asyncio
import os
import resource
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from pymesh.proxy.app_process import CannotStartError, app_environment, start_app
from pymesh.proxy.open_files import INHERITED, raise_file_limit
from pymesh.xds import Address, Upstream


@dataclass
class Ports:
    app_port: int = 8080
    outbound: Address = Address("127.0.0.1", 15001)  # noqa: RUF009 (frozen)
    admin: Address = Address("127.0.0.1", 15000)  # noqa: RUF009
    upstreams: tuple[Upstream, ...] = (Upstream(15432, "my-db.data", 5432),)


def test_the_application_is_told_how_to_call_and_where_to_listen() -> None:
    assert app_environment(Ports(), {}) == {
        "http_proxy": "http://127.0.0.1:15001",
        "HTTP_PROXY": "http://127.0.0.1:15001",
        "no_proxy": "localhost,127.0.0.1,::1",
        "NO_PROXY": "localhost,127.0.0.1,::1",
        "PYMESH_OUTBOUND": "127.0.0.1:15001",
        "PYMESH_ADMIN": "127.0.0.1:15000",
        "PORT": "8080",
        "PYMESH_UPSTREAM_MY_DB_DATA": "127.0.0.1:15432",
    }


def test_what_the_user_excepts_from_the_proxy_stays_excepted() -> None:
    found = app_environment(Ports(), {"no_proxy": "example.com,localhost"})
    assert found["no_proxy"] == "example.com,localhost,127.0.0.1,::1"


async def test_the_exit_code_is_the_commands() -> None:
    app = await start_app([sys.executable, "-c", "raise SystemExit(7)"], Ports())
    assert await app.wait() == 7


async def test_the_application_gets_the_limit_of_open_files_that_was_there_before(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    program = f"import resource; open({str(tmp_path / 'limit')!r}, 'w').write(str(resource.getrlimit(7)))"
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[0] - 1, before[1]))
    try:
        assert raise_file_limit() == before[1]
        assert await (await start_app([sys.executable, "-c", program], Ports())).wait() == 0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert (tmp_path / "limit").read_text() == str(INHERITED)


async def test_the_end_by_a_signal_is_128_and_its_number() -> None:
    app = await start_app([sys.executable, "-c", "import signal; signal.pause()"], Ports())
    app.send_signal(signal.SIGKILL)
    assert await app.wait() == 128 + signal.SIGKILL


WAITS_FOR_USR1 = """
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
open(os.environ["FIFO"], "w").close()
signal.sigwait({signal.SIGUSR1})
os._exit(3)
"""


async def test_other_signals_are_passed_on(tmp_path: Path) -> None:
    fifo = tmp_path / "started"
    os.mkfifo(fifo)
    app = await start_app(["env", f"FIFO={fifo}", sys.executable, "-c", WAITS_FOR_USR1], Ports())
    await asyncio.to_thread(fifo.read_text)  # ends when the script has opened it
    os.kill(os.getpid(), signal.SIGUSR1)
    assert await app.wait() == 3


async def test_a_command_that_is_not_there_is_one_line() -> None:
    with pytest.raises(CannotStartError, match=r"^/no/such/command: No such file or directory$"):
        await start_app(["/no/such/command"], Ports())
