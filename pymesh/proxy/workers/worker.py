"""A worker: a LocalDataPlane that does what the supervisor asks, and asks the supervisor for all that it may not do."""

import os
import socket
import sys
from types import NoneType

from pymesh.errors import PymeshError
from pymesh.logs import configure_logging
from pymesh.proxy.local_data_plane import LocalDataPlane
from pymesh.proxy.tls.secrets import SecretStore
from pymesh.proxy.workers.breaker_cells import MappedCells
from pymesh.proxy.workers.channel import Channel, open_channel
from pymesh.proxy.workers.messages import (
    AnnounceDrain,
    Applied,
    Apply,
    ApplySecret,
    Close,
    DescribeClusters,
    DescribeListeners,
    Drain,
    Export,
    ReadStats,
    RevokeDrain,
    Start,
    StatsSnapshot,
    StopAccepting,
    ToWorker,
)
from pymesh.proxy.workers.received_sockets import ReceivedSockets
from pymesh.proxy.workers.snapshot import take_snapshot

_ORPHANED = 1  # exit code


class Worker:
    """`messages` and `sockets` are this end of the two pairs to the supervisor; `cells` is BreakerCells' fd."""

    def __init__(self, messages: socket.socket, sockets: socket.socket, cells: int) -> None:
        self._messages = messages
        self._sockets = sockets
        self._cells_fd = cells
        self._cells: MappedCells | None = None
        self._secrets = SecretStore()
        self._channel: Channel | None = None
        self._data_plane: LocalDataPlane | None = None
        self._is_closed = False

    async def run(self) -> int:
        """Until the supervisor says so. Without a supervisor there is nothing left to do: the process ends at once."""
        self._channel = await open_channel(self._messages, ToWorker, self._serve)
        await self._channel.run()
        if not self._is_closed:
            print("pymesh worker: the supervisor is gone", file=sys.stderr, flush=True)
            os._exit(_ORPHANED)
        await self._channel.aclose()
        return 0

    async def _serve(self, request: object) -> object:
        match request:
            case Apply():
                return await self._apply(request)
            case ReadStats():
                return take_snapshot(self._plane)
            case DescribeListeners():
                return await self._plane.describe_listeners()
            case DescribeClusters():
                return await self._plane.describe_clusters()
            case Close():
                return await self._close()
        await self._do(request)
        return None

    async def _do(self, request: object) -> None:
        """What has no answer but that it is done."""
        match request:
            case Start():
                await self._start(request)
            case ApplySecret(secret):
                self._secrets.apply(secret)
            case AnnounceDrain(inbound_only):
                await self._plane.announce_drain(inbound_only)
            case RevokeDrain():
                await self._plane.revoke_drain()
            case StopAccepting(inbound_only):
                await self._release_sockets(inbound_only)
                await self._plane.stop_accepting(inbound_only)
            case Drain(seconds, inbound_only, unawaited):
                await self._release_sockets(inbound_only)
                await self._plane.drain(seconds, inbound_only, unawaited)

    async def _start(self, request: Start) -> None:
        assert self._channel is not None
        configure_logging(request.log_level)
        self._received = ReceivedSockets(self._channel, self._sockets)
        self._cells = MappedCells(self._cells_fd, request.spec.workers, request.place)
        self._data_plane = LocalDataPlane(
            request.spec, self._received, self._secrets, self._export, self._cells.build_breakers
        )
        await self._data_plane.start()

    async def _apply(self, request: Apply) -> Applied:
        plane = self._plane
        if self._cells is not None:
            self._cells.learn(request.breaker_places)
        return Applied(await plane.apply(request.responses), plane.addresses())

    async def _release_sockets(self, inbound_only: bool) -> None:
        """What is closed here shall be closed."""
        for listener in self._plane.listeners.find(inbound_only):
            await self._received.release(listener.config.name, listener.config.address)

    async def _export(self, path: str, body: bytes) -> None:
        assert self._channel is not None
        await self._channel.call(Export(path, body), NoneType)

    async def _close(self) -> StatsSnapshot:
        await self._plane.aclose()
        self._is_closed = True
        return take_snapshot(self._plane)

    @property
    def _plane(self) -> LocalDataPlane:
        if self._data_plane is None:
            raise PymeshError("the worker was not started")
        return self._data_plane
