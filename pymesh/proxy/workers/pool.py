"""The data plane of several processes, as the supervisor sees it: workers kept alive, asked, and added up."""

import asyncio
import logging
import socket
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from types import NoneType
from typing import Any, TypeVar

from pymesh.backoff import exponential_backoff
from pymesh.errors import PymeshError
from pymesh.names import OWN_CERTIFICATE
from pymesh.proxy.data_plane import DataPlaneSpec
from pymesh.proxy.telemetry.exporters import Post
from pymesh.proxy.telemetry.exposition import expose
from pymesh.proxy.telemetry.labels import LocalPeer
from pymesh.proxy.telemetry.log_writer import LogWriter
from pymesh.proxy.telemetry.metric_names import DOWNSTREAM_CX_TOTAL, WORKER_DEATHS
from pymesh.proxy.telemetry.process_metrics import register_process_metrics
from pymesh.proxy.tls.secrets import SecretStore
from pymesh.proxy.workers.breaker_cells import BreakerCells
from pymesh.proxy.workers.channel import ChannelClosedError
from pymesh.proxy.workers.config_fanout import ConfigFanout, Held, Worker
from pymesh.proxy.workers.merged_descriptions import merge_clusters, merge_listeners
from pymesh.proxy.workers.merged_stats import MergedMetrics, MergedStats
from pymesh.proxy.workers.messages import (
    AnnounceDrain,
    Close,
    DescribeClusters,
    DescribeListeners,
    Descriptions,
    Drain,
    Export,
    ReadStats,
    ReleaseSocket,
    Request,
    RevokeDrain,
    StatsSnapshot,
    StopAccepting,
    TakeSocket,
    ToSupervisor,
)
from pymesh.proxy.workers.shared_sockets import SharedSockets
from pymesh.proxy.workers.worker_process import WorkerProcess, spawn_worker
from pymesh.proxy.xds.config_writer import Rejections
from pymesh.tasks import TaskGroup
from pymesh.xds import Address, DeltaResponse

log = logging.getLogger(__name__)

T = TypeVar("T")

_SOUND_SECONDS = 10.0  # a worker that lived so long is replaced at once, and so is one that had no time to
_RESTART_BASE = 0.5
_RESTART_MAXIMUM = 10.0
_ANSWER_SECONDS = 2.0  # after which an admin page shows what the others have said
_DRAIN_GRACE = 2.0
_STOP_SECONDS = 10.0
_CLOSE_SECONDS = 4.0
_EXIT_SECONDS = 2.0


class WorkerPool:
    """A DataPlane of `spec.workers` processes. `sockets` were bound with SO_REUSEPORT; `held` is what new ones obey."""

    def __init__(
        self,
        spec: DataPlaneSpec,
        sockets: Mapping[Address, socket.socket],
        secrets: SecretStore,
        export: Post,
        held: Held,
    ) -> None:
        if spec.access_log:
            LogWriter(spec.access_log).close()  # what is wrong with the flag is an error now, not in each worker
        self.metrics = MergedMetrics()
        self.stats = MergedStats(LocalPeer(spec.workload, spec.principal, spec.is_gateway))
        self._spec = spec
        self._export = export
        self._sockets = SharedSockets(sockets)
        self._cells = BreakerCells(spec.workers)
        self._fanout = ConfigFanout(spec, secrets, held, self._cells)
        self._alive: dict[int, WorkerProcess] = {}
        self._deaths = 0
        self._is_ending = False  # who dies then is not replaced
        # what workers that come later are told too
        self._announced: AnnounceDrain | None = None
        self._stopped: StopAccepting | None = None
        self._refreshing = asyncio.Lock()
        self._tasks = TaskGroup()
        self._keepers: list[asyncio.Task[Any]] = []
        self._secrets = secrets
        secrets.subscribe(self._on_secret)
        register_process_metrics(self.metrics)
        self.metrics.read(WORKER_DEATHS, lambda: self._deaths)

    async def start(self) -> None:
        self._keepers = [self._tasks.spawn(f"worker {n}", self._keep(n)) for n in range(self._spec.workers)]

    async def apply(self, responses: Sequence[DeltaResponse]) -> Rejections:
        return await self._fanout.apply(responses)

    def addresses(self) -> dict[str, Address]:
        return self._fanout.addresses

    # what they show

    async def refresh(self) -> None:
        """A worker that does not answer in time counts with what it said last."""
        async with self._refreshing:
            for worker, snapshot in await self._ask_all(ReadStats(), StatsSnapshot):
                self._add(worker, snapshot)

    def expose(self) -> Iterator[bytes]:
        return expose(self.stats, self.metrics)

    async def describe_listeners(self) -> list[dict[str, Any]]:
        return merge_listeners(found for _, found in await self._ask_all(DescribeListeners(), Descriptions))

    async def describe_clusters(self) -> list[dict[str, Any]]:
        return merge_clusters(found for _, found in await self._ask_all(DescribeClusters(), Descriptions))

    async def describe_workers(self) -> list[dict[str, Any]]:
        await self.refresh()
        now = time.monotonic()
        return [
            {
                "pid": worker.pid,
                "uptime_seconds": int(now - worker.started_at),
                "downstream_cx_total": self.metrics.of(worker.pid, DOWNSTREAM_CX_TOTAL),
            }
            for worker in self._fanout.workers.values()
        ]

    # the end

    async def announce_drain(self, inbound_only: bool = False) -> None:
        self._announced = AnnounceDrain(inbound_only)
        await self._ask_all(self._announced, NoneType)

    async def revoke_drain(self) -> None:
        self._announced = None
        await self._ask_all(RevokeDrain(), NoneType)

    async def stop_accepting(self, inbound_only: bool = False) -> None:
        """For good: a worker that comes later does the same."""
        self._stopped = StopAccepting(inbound_only)
        await self._ask_all(self._stopped, NoneType, _STOP_SECONDS)

    async def drain(self, seconds: float, inbound_only: bool = False, unawaited: Collection[Address] = ()) -> None:
        self._is_ending = True
        workers = tuple(self._fanout.workers.values())
        request = Drain(seconds, inbound_only, tuple(unawaited))
        drained = [worker for worker, _ in await self._ask_all(request, NoneType, seconds + _DRAIN_GRACE)]
        for worker in workers:
            if worker not in drained:
                worker.kill()  # it does not answer, and will not

    async def aclose(self) -> None:
        self._is_ending = True
        self._sockets.close()
        await asyncio.gather(*map(self._close, tuple(self._alive.values())))
        if self._keepers:
            await asyncio.wait(self._keepers, timeout=_EXIT_SECONDS)
        for worker in self._alive.values():
            worker.kill()
        await self._tasks.aclose()
        self._cells.close()

    async def _close(self, worker: WorkerProcess) -> None:
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                self._add(worker, await worker.call(Close(), StatsSnapshot))
        except (PymeshError, TimeoutError) as error:
            log.debug("worker %d was not closed: %s", worker.pid, error)
            worker.kill()
        worker.hang_up()

    # the life of a worker

    async def _keep(self, place: int) -> None:
        """Endless: a worker in this place, and another when it has died."""
        delays = _restart_delays()
        while not self._is_ending:
            begun = time.monotonic()
            await self._run_worker(place)
            if time.monotonic() - begun > _SOUND_SECONDS:
                delays = _restart_delays()
            if not self._is_ending and (delay := next(delays)):
                if self._fanout.workers:
                    self._sockets.close_place(place)  # else let clients wait there: they would be refused
                await asyncio.sleep(delay)

    async def _run_worker(self, place: int) -> None:
        """From its first moment to its last."""
        self._sockets.begin(place)
        try:
            worker = await spawn_worker(place, self._serve, self._cells.fd)
        except OSError as error:
            log.error("no worker can be started: %s", error.strerror)
            self._fanout.expect_no_more(place)
            return
        self._alive[place] = worker
        await self._introduce(worker)
        how = await worker.wait()
        del self._alive[place]
        self._cells.clear(place)
        self._fanout.forget(worker)
        self.stats.forget(worker.pid)
        self.metrics.forget(worker.pid)
        if self._is_ending:
            self._sockets.close_place(place)
        else:
            self._deaths += 1
            log.error("worker %d has died (%s); another takes its place", worker.pid, how)

    async def _introduce(self, worker: WorkerProcess) -> None:
        try:
            await self._fanout.introduce(worker)
            self._sockets.close_untaken(worker.place)
            for request in (self._announced, self._stopped):
                if request is not None:
                    await worker.call(request, NoneType)
        except PymeshError as error:
            if not isinstance(error, ChannelClosedError):
                log.error("worker %d does not start: %s", worker.pid, error)
            worker.kill()
        self._fanout.expect_no_more(worker.place)

    # what workers ask

    async def _serve(self, worker: WorkerProcess, request: ToSupervisor) -> None:
        match request:
            case TakeSocket(listener, address):
                worker.send_socket(self._sockets.take(worker.place, listener, address))
            case ReleaseSocket(listener, address):
                self._sockets.release(worker.place, listener, address)
            case Export(path, body):
                await self._export(path, body)

    # what workers are asked

    async def _ask_all(
        self, request: Request, answer: type[T], seconds: float = _ANSWER_SECONDS
    ) -> list[tuple[Worker, T]]:
        """Of those that answer in time."""
        workers = list(self._fanout.workers.values())
        answers = await asyncio.gather(*(_ask(worker, request, answer, seconds) for worker in workers))
        return [(worker, given[0]) for worker, given in zip(workers, answers, strict=True) if given]

    def _add(self, worker: Worker, snapshot: StatsSnapshot) -> None:
        if self._alive.get(worker.place) is worker:  # else its counts are settled
            self.stats.add(worker.pid, snapshot)
            self.metrics.add(worker.pid, snapshot.samples)

    def _on_secret(self, name: str) -> None:
        secret = self._secrets.get(name) if name == OWN_CERTIFICATE else None
        if secret is not None and secret.tls_certificate is not None and secret.tls_certificate.principal:
            self.stats.local = self.stats.local._replace(principal=secret.tls_certificate.principal)
        self._tasks.spawn(f"secret {name}", self._fanout.apply_secret(name))


async def _ask(worker: Worker, request: Request, answer: type[T], seconds: float) -> tuple[T] | None:
    """None: it did not answer."""
    try:
        async with asyncio.timeout(seconds):
            return (await worker.call(request, answer),)
    except (PymeshError, TimeoutError) as error:
        log.debug("worker %d: %s: %s", worker.pid, type(request).__name__, error)
        return None


def _restart_delays() -> Iterator[float]:
    return chain((0.0,), exponential_backoff(_RESTART_BASE, _RESTART_MAXIMUM))
