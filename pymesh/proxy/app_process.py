"""The application that a sidecar wraps, as a child process: its environment, its signals, its exit code."""

import asyncio
import ctypes
import os
import signal
from collections.abc import Callable, Mapping, Sequence

from pymesh.errors import PymeshError
from pymesh.proxy.lifecycle import SIGNALED
from pymesh.proxy.open_files import restore_file_limit
from pymesh.proxy.sidecar_ports import APP_HOST, SidecarPorts

CANNOT_START = 127  # a shell's exit code for a command that was not found
_NO_PROXY = ("localhost", "127.0.0.1", "::1")
_PR_SET_PDEATHSIG = 1  # prctl(2)
_PASSED_ON = (signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH)


class CannotStartError(PymeshError):
    """The command is not there or may not be run."""


class AppProcess:
    """A running command. It has a session of its own, so that a terminal's Ctrl-C reaches it only through us."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        loop = asyncio.get_running_loop()
        for number in _PASSED_ON:
            loop.add_signal_handler(number, self.send_signal, number)

    def send_signal(self, number: int) -> None:
        if self._process.returncode is None:
            self._process.send_signal(number)

    async def wait(self) -> int:
        """The exit code, as a shell would tell it: 128 + n for signal n."""
        code = await self._process.wait()
        return SIGNALED - code if code < 0 else code


async def start_app(command: Sequence[str], ports: SidecarPorts) -> AppProcess:
    """It ends with this process, however that ends. Raises CannotStartError."""
    environment = {**os.environ, **app_environment(ports, os.environ)}
    try:
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, start_new_session=True, preexec_fn=_end_with(os.getpid())
        )
    except OSError as error:
        raise CannotStartError(f"{command[0]}: {error.strerror}") from error
    return AppProcess(process)


def _end_with(parent: int) -> Callable[[], None]:
    """What the child does before the command begins: ask the kernel for a SIGTERM at the death of `parent`.

    A sidecar that was killed would leave its application behind, and the port occupied for the next start.
    """
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # looked up here: after a fork, the less the better

    def before_exec() -> None:
        restore_file_limit()
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before
            os.kill(os.getpid(), signal.SIGTERM)

    return before_exec


def app_environment(ports: SidecarPorts, inherited: Mapping[str, str]) -> dict[str, str]:
    """What the application is told beyond what it inherits: where to listen and how to call through its sidecar."""
    proxy = f"http://{ports.outbound}"
    direct = ",".join(dict.fromkeys([*filter(None, inherited.get("no_proxy", "").split(",")), *_NO_PROXY]))
    own = {
        "http_proxy": proxy,
        "HTTP_PROXY": proxy,
        "no_proxy": direct,
        "NO_PROXY": direct,
        "PYMESH_OUTBOUND": str(ports.outbound),
        "PYMESH_ADMIN": str(ports.admin),
    }
    if ports.app_port:
        own["PORT"] = str(ports.app_port)
    return own | {_variable(u.service): f"{APP_HOST}:{u.local_port}" for u in ports.upstreams}


def _variable(service: str) -> str:
    """`db` -> `PYMESH_UPSTREAM_DB`."""
    return "PYMESH_UPSTREAM_" + "".join(c if c.isalnum() else "_" for c in service.upper())
