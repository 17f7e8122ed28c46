"""One configuration for all workers: one judges it, the others get what it accepted; a new worker gets all that holds.

No process is started or ended here, but for one that does not answer.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from types import NoneType
from typing import Protocol, TypeVar

import msgspec

from pymesh.errors import PymeshError
from pymesh.proxy.data_plane import DataPlaneSpec
from pymesh.proxy.tls.secrets import SecretStore
from pymesh.proxy.workers.breaker_cells import BreakerCells
from pymesh.proxy.workers.channel import ChannelClosedError
from pymesh.proxy.workers.messages import Applied, Apply, ApplySecret, Request, Start
from pymesh.proxy.xds.config_writer import Rejections
from pymesh.xds import Address, DeltaResponse

T = TypeVar("T")

log = logging.getLogger(__name__)

Held = Callable[[], Sequence[DeltaResponse]]

_START_SECONDS = 30.0
_APPLY_SECONDS = 30.0  # a worker that takes longer is ended and replaced
_MOST_DEATHS = 2  # of judges; then the configuration is what kills them


class Worker(Protocol):
    """As pymesh.proxy.workers.worker_process.WorkerProcess is."""

    place: int
    started_at: float  # time.monotonic()

    @property
    def pid(self) -> int: ...

    async def call(self, request: Request, answer: type[T]) -> T: ...

    def kill(self) -> None: ...


class ConfigFanout:
    """`workers` are those that obey, by place; `addresses` those of the listeners. `held` is what was accepted so far.

    `secrets` are the supervisor's own; those of SDS are part of the configuration.
    """

    def __init__(self, spec: DataPlaneSpec, secrets: SecretStore, held: Held, cells: BreakerCells) -> None:
        self.workers: dict[int, Worker] = {}
        self.addresses: dict[str, Address] = {}
        self._spec = spec
        self._secrets = secrets
        self._held = held
        self._cells = cells
        self._awaited = set(range(spec.workers))  # places whose first worker may still come
        self._has_begun = asyncio.Event()
        self._is_anybody_there = asyncio.Event()
        self._configuring = asyncio.Lock()

    async def introduce(self, worker: Worker) -> None:
        """Make it obey what the others do, who are configured meanwhile. Raises PymeshError: it is of no use."""
        await self._start(worker)
        async with self._configuring:
            for name in self._secrets.names():
                await self._give_secret(worker, name)
            applied = await self._ask(worker, self._held())
            for name, reason in _all_of(applied.rejections):
                log.error("worker %d refuses %s, which others obey: %s", worker.pid, name, reason)
            self.workers[worker.place] = worker
            self._is_anybody_there.set()
        self.expect_no_more(worker.place)

    async def _start(self, worker: Worker) -> None:
        try:
            async with asyncio.timeout(_START_SECONDS):
                await worker.call(Start(self._spec, worker.place, _worker_log_level()), NoneType)
        except TimeoutError:
            raise PymeshError(f"it has not begun after {_START_SECONDS:g} s") from None

    def forget(self, worker: Worker) -> None:
        if self.workers.get(worker.place) is worker:
            del self.workers[worker.place]
        if not self.workers:
            self._is_anybody_there.clear()

    def expect_no_more(self, place: int) -> None:
        """Of its first worker it is known whether it obeys; the first configuration waits for that of all places."""
        self._awaited.discard(place)
        if not self._awaited:
            self._has_begun.set()

    async def apply(self, responses: Sequence[DeltaResponse]) -> Rejections:
        await self._has_begun.wait()
        for _ in range(_MOST_DEATHS):
            await self._is_anybody_there.wait()
            async with self._configuring:
                if (rejections := await self._apply(responses)) is not None:
                    return rejections
        return {r.type_url: {x.name: "worker processes die of it" for x in r.resources} for r in responses}

    async def apply_secret(self, name: str) -> None:
        async with self._configuring:
            for worker in tuple(self.workers.values()):
                try:
                    await self._give_secret(worker, name)
                except ChannelClosedError:
                    self.forget(worker)  # its replacement gets it

    async def _apply(self, responses: Sequence[DeltaResponse]) -> Rejections | None:
        """None: nobody obeys, and the judge has died."""
        judge, *others = self.workers.values()
        try:
            verdict = await self._ask(judge, responses)
        except ChannelClosedError:
            self.forget(judge)
            return None
        self._set_addresses(verdict.addresses)
        accepted = [_without(response, verdict.rejections[response.type_url]) for response in responses]
        answers = await asyncio.gather(*(self._follow(worker, accepted) for worker in others))
        return _merge([verdict.rejections, *answers])

    async def _follow(self, worker: Worker, accepted: Sequence[DeltaResponse]) -> Rejections:
        try:
            rejections = (await self._ask(worker, accepted)).rejections
        except ChannelClosedError:
            self.forget(worker)
            return {}
        for name, reason in _all_of(rejections):
            log.error("worker %d refuses %s, which another has accepted: %s", worker.pid, name, reason)
        return rejections

    async def _ask(self, worker: Worker, responses: Sequence[DeltaResponse]) -> Applied:
        """Raises ChannelClosedError, also for one that is too slow."""
        request = Apply(tuple(responses), self._cells.places_of(responses))
        try:
            async with asyncio.timeout(_APPLY_SECONDS):
                return await worker.call(request, Applied)
        except TimeoutError:
            log.error("worker %d has not obeyed after %g s and is killed", worker.pid, _APPLY_SECONDS)
            worker.kill()
            raise ChannelClosedError("it was too slow") from None
        except ChannelClosedError:
            raise
        except PymeshError as error:  # a bug of ours, logged over there
            worker.kill()
            raise ChannelClosedError(str(error)) from error

    async def _give_secret(self, worker: Worker, name: str) -> None:
        secret = self._secrets.get(name)
        if secret is not None:
            await worker.call(ApplySecret(secret), NoneType)

    def _set_addresses(self, addresses: dict[str, Address]) -> None:
        for name, address in addresses.items():
            if self.addresses.get(name) != address:
                log.info("listener %s is on %s", name, address)
        self.addresses = addresses


def _without(response: DeltaResponse, refused: Iterable[str]) -> DeltaResponse:
    kept = tuple(resource for resource in response.resources if resource.name not in refused)
    return msgspec.structs.replace(response, resources=kept)


def _merge(answers: Iterable[Rejections]) -> Rejections:
    """What any worker refused, with the reason of the first."""
    merged: Rejections = {}
    for answer in reversed(list(answers)):
        for type_url, refused in answer.items():
            merged[type_url] = merged.get(type_url, {}) | refused
    return merged


def _all_of(rejections: Rejections) -> Iterable[tuple[str, str]]:
    return ((name, reason) for refused in rejections.values() for name, reason in refused.items())


def _worker_log_level() -> str:
    """What all workers would say alike, the supervisor says once."""
    level = logging.getLogger("pymesh").getEffectiveLevel()
    return logging.getLevelName(level if level == logging.DEBUG else max(level, logging.WARNING)).lower()
