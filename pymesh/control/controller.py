"""From the store to the proxies: watch, wait until it is quiet, build a snapshot, publish it.

The one place where a snapshot is made. A bug in that costs a log entry and the change, not the last good snapshot.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

from pymesh.control.mesh_config_source import MeshConfigSource
from pymesh.control.metrics import ControlMetrics
from pymesh.control.model.core import MESH_CONFIG_MAP
from pymesh.control.model.kinds import CONFIG_MAP, SERVICE, VIRTUAL_SERVICE, WORKLOAD_ENTRY
from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.model.resource import Key, Resource
from pymesh.control.snapshot.mesh_snapshot import MeshSnapshot
from pymesh.control.store.errors import RevisionGoneError
from pymesh.control.store.store import ConfigStore, Event
from pymesh.names import ROOT_NAMESPACE

log = logging.getLogger(__name__)

# A batch of changes ends when nothing came for QUIET_SECONDS, and at the latest MOST_SECONDS after its first.
QUIET_SECONDS = 0.02
MOST_SECONDS = 0.5

_MESH_CONFIG_MAP = Key(CONFIG_MAP.name, ROOT_NAMESPACE, MESH_CONFIG_MAP)

Build = Callable[[list[Resource[Any]], MeshConfig, int], MeshSnapshot]


class Controller:
    """`publish` is given each snapshot and its revision; `run` ends only by being cancelled."""

    def __init__(
        self,
        store: ConfigStore,
        mesh: MeshConfigSource,
        publish: Callable[[MeshSnapshot, int], None],
        metrics: ControlMetrics,
        build: Build = MeshSnapshot.build,
    ) -> None:
        self._store = store
        self._mesh = mesh
        self._publish = publish
        self._metrics = metrics
        self._build = build
        self._resources: dict[Key, Resource[Any]] = {}
        self._revision = 0
        self._changed = asyncio.Event()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch())
            tasks.create_task(self._publish_batches())

    def refresh(self) -> None:
        """Publish anew: something beside the store has changed."""
        self._changed.set()

    async def _watch(self) -> None:
        while True:
            self._revision = self._store.revision
            self._resources = {resource.key: resource for resource in await self._store.list()}
            self._changed.set()
            try:
                async for event in self._store.watch(self._revision):
                    self._take(event)
            except RevisionGoneError as error:
                log.warning("%s; reading everything again", error)

    def _take(self, event: Event) -> None:
        self._metrics.updates.labels(event.resource.kind.name.lower()).inc()
        if event.type == "DELETED":
            self._resources.pop(event.resource.key, None)
        else:
            self._resources[event.resource.key] = event.resource
        self._revision = event.revision
        if _concerns_proxies(event):
            self._changed.set()

    async def _publish_batches(self) -> None:
        while True:
            await self._changed.wait()
            with self._metrics.debounce_time.time():
                await self._wait_quiet()
            self._publish_snapshot()

    async def _wait_quiet(self) -> None:
        now = asyncio.get_running_loop().time
        end = now() + MOST_SECONDS
        try:
            while now() < end:
                self._changed.clear()
                async with asyncio.timeout(min(QUIET_SECONDS, end - now())):
                    await self._changed.wait()
        except TimeoutError:
            pass  # it is quiet
        self._changed.clear()

    def _publish_snapshot(self) -> None:
        revision = self._revision
        try:
            self._mesh.update(self._resources.get(_MESH_CONFIG_MAP))
            with self._metrics.snapshot_time.time():
                snapshot = self._build(list(self._resources.values()), self._mesh.mesh, revision)
        except Exception:  # the one catch point: what was published last stays
            self._metrics.build_failures.inc()
            log.exception("the snapshot of revision %d could not be built", revision)
            return
        self._count()
        self._publish(snapshot, revision)
        log.debug("published revision %d", revision)

    def _count(self) -> None:
        kinds = Counter(key.kind for key in self._resources)
        self._metrics.services.set(kinds[SERVICE.name])
        self._metrics.virtual_services.set(kinds[VIRTUAL_SERVICE.name])


def _concerns_proxies(event: Event) -> bool:
    """What is written into an object's status only tells what proxies do; a workload's is its health."""
    before, after = event.previous, event.resource
    if before is None or event.type != "MODIFIED" or after.kind is WORKLOAD_ENTRY:
        return True
    return any(
        getattr(before.metadata, name) != getattr(after.metadata, name)
        for name in ("generation", "labels", "annotations")
    )
