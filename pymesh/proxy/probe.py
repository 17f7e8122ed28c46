"""Whether the application answers: a TCP connection to its port, once a second, or what its WorkloadGroup says."""

import asyncio
import logging
import os
import signal
import ssl
from collections.abc import Callable

from pymesh.proxy.http_client import HttpClient, HttpError
from pymesh.xds import HttpProbe, ReadinessProbe

log = logging.getLogger(__name__)

PROBE_INTERVAL = 1.0
_EAGER_INTERVAL = 0.05  # until the first answer, so that a proxy is ready soon after its application
_CONNECT_TIMEOUT = 1.0
_PATIENCE = 5.0  # without a first answer for so long, the log says what the proxy waits for


class AppProbe:
    """`is_healthy` says whether the last connection succeeded. Port 0, an application that only calls, is healthy.

    `waits`: nothing is asked before `use` has told how.
    """

    def __init__(
        self, port: int, on_change: Callable[[], None], host: str = "127.0.0.1", *, waits: bool = False
    ) -> None:
        self._probe: ReadinessProbe | None = None
        self._in_a_row = 0  # answers that contradict `is_healthy`
        self._is_told = asyncio.Event()
        if not waits:
            self._is_told.set()
        self.host = host
        self.port = port
        self.is_healthy = port == 0
        self._has_answered = False
        self._on_change = on_change

    def use(self, probe: ReadinessProbe | None) -> None:
        """From the next time on; None is the connection once a second."""
        if probe != self._probe:
            self._probe, self._in_a_row = probe, 0
        self._is_told.set()

    async def run(self) -> None:
        """Probe until cancelled."""
        reminder = asyncio.get_running_loop().call_later(_PATIENCE, self._remind)
        try:
            await self._is_told.wait()
            await asyncio.sleep(self._probe.initial_delay if self._probe else 0)
            while self.port:
                await self._ask()
        finally:
            reminder.cancel()

    async def _ask(self) -> None:
        probe = self._probe
        if probe is None:
            self._set(await can_connect(self.host, self.port))
            await asyncio.sleep(PROBE_INTERVAL if self._has_answered else _EAGER_INTERVAL)
            return
        healthy = await has_answered(probe, self.host)
        if probe is self._probe:  # and not another one meanwhile
            self._count(healthy, probe)
        await asyncio.sleep(probe.period)

    def _count(self, healthy: bool, probe: ReadinessProbe) -> None:
        self._in_a_row = self._in_a_row + 1 if healthy != self.is_healthy else 0
        if self._in_a_row >= (probe.success_threshold if healthy else probe.failure_threshold):
            self._in_a_row = 0
            self._set(healthy)

    def _set(self, healthy: bool) -> None:
        self._has_answered |= healthy
        if healthy != self.is_healthy:
            self.is_healthy = healthy
            log.info("application on port %d %s", self.port, "answers" if healthy else "does not answer")
            self._on_change()

    def _remind(self) -> None:
        if self._is_told.is_set() and not self._has_answered:
            log.warning("nothing answers on port %d yet; no requests come here before", self.port)


async def has_answered(probe: ReadinessProbe, host: str) -> bool:
    """Whether the application is ready, in the words of its WorkloadGroup; `host` is where it is, if those do not say.

    Istio: HTTPProber, TCPProber, GRPCProber and ExecProber in pkg/istio-agent/health.
    """
    if probe.command:
        return await _succeeds(probe.command, probe.timeout)
    if probe.grpc_service is not None:
        from pymesh.proxy.grpc_health import is_serving  # what it takes is memory

        return await is_serving(host, probe.port, probe.grpc_service, probe.timeout)
    if probe.http is None:
        return await can_connect(probe.host or host, probe.port, probe.timeout)
    return await _get_succeeds(probe.http, probe.host or host, probe.port, probe.timeout)


async def _succeeds(command: tuple[str, ...], seconds: float) -> bool:
    """Whether it exits with 0 in time, or else is killed with all that it has started. Nobody reads what it prints."""
    nothing = asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True
        )
    except OSError as error:
        log.warning("the probe's command %s cannot be run: %s", command[0], error.strerror)
        return False
    try:
        async with asyncio.timeout(seconds):
            return await process.wait() == 0
    except TimeoutError:
        return False
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def _get_succeeds(http: HttpProbe, host: str, port: int, seconds: float) -> bool:
    client = HttpClient()
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    tls = _unverified() if http.scheme == "https" else None
    try:
        answer = await client.request(
            "GET",
            f"{http.scheme}://{authority}{http.path}",
            headers=dict(http.headers) | {"connection": "close"},
            tls=tls,
            seconds=seconds,
        )
    except (OSError, HttpError):
        return False
    finally:
        client.close()
    return 200 <= answer.status < 400


def _unverified() -> ssl.SSLContext:
    """As the kubelet asks: the certificate is for others."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def can_connect(host: str, port: int, seconds: float = _CONNECT_TIMEOUT) -> bool:
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(host, port)
    except OSError:  # TimeoutError is one
        return False
    writer.close()  # an orderly end: a reset would make many servers log an error, once a second
    return True
