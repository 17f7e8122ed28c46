"""Keeps `status.conditions` of the mesh's rules true: looks at store and proxies, writes what has changed."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from pymesh.control.mesh_config_source import MeshConfigSource
from pymesh.control.model.conditions import KINDS_WITH_STATUS, Reach, effective, merge_conditions, reconciled
from pymesh.control.model.resource import Key, Resource
from pymesh.control.status.rejections import rejections_of
from pymesh.control.status.shadows import find_shadows
from pymesh.control.store.errors import ConflictError, NotFoundError, StoreError
from pymesh.control.store.store import ConfigStore
from pymesh.control.xds.publisher import Publisher
from pymesh.control.xds.status import ProxyStatus

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
MOST_WRITES = 200  # in one look, so that a proxy that comes or goes does not keep the store busy; the rest follows


class _Seen(NamedTuple):
    """An object as its author left it, and the revision of that."""

    written: tuple[Any, ...]
    revision: int


class StatusWriter:
    """`now` tells the time for lastTransitionTime."""

    def __init__(
        self,
        store: ConfigStore,
        publisher: Publisher[Any],
        mesh: MeshConfigSource,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._mesh = mesh
        self._now = now
        self._seen: dict[Key, _Seen] = {}
        self._last: tuple[Any, ...] = ()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except StoreError as error:
                log.error("the status of objects could not be written: %s", error)

    async def look(self) -> None:
        """Write the status of each object for which it is not true any more; newest objects first."""
        proxies = self._publisher.connected()
        facts = (self._store.revision, proxies, self._mesh.mesh)
        if facts == self._last:
            return
        everything = await self._store.list()
        rules = [resource for resource in everything if resource.kind in KINDS_WITH_STATUS]
        changed = self._changed(rules, proxies)
        for resource, status in changed[:MOST_WRITES]:
            await self._write(resource, status)
        # With what was written now the revision is another one, and the next look finds nothing to do.
        self._last = facts if len(changed) <= MOST_WRITES else ()

    def _changed(
        self, rules: list[Resource[Any]], proxies: list[ProxyStatus]
    ) -> list[tuple[Resource[Any], dict[str, Any]]]:
        self._remember(rules)
        shadows = find_shadows(rules, self._mesh.mesh)
        rejections = self._rejections(proxies)
        now = self._now().strftime("%Y-%m-%dT%H:%M:%SZ")
        changed = []
        for resource in sorted(rules, key=lambda rule: self._seen[rule.key].revision, reverse=True):
            since = self._seen[resource.key].revision
            shadow = shadows.get(resource.key)
            if not proxies and shadow is None and not resource.status:
                continue  # nobody is there to obey it, and nothing was said of it that were no longer true
            up_to_date = sum(proxy.version >= since for proxy in proxies)
            reach = Reach(up_to_date, len(proxies), tuple(rejections.get(resource.key, ())))
            conditions = (reconciled(reach), effective(shadow))
            status = merge_conditions(resource, conditions, now)
            if status != resource.status:
                changed.append((resource, status))
        return changed

    def _remember(self, rules: list[Resource[Any]]) -> None:
        """A write of a status gives an object another resourceVersion; what counts is when its author changed it."""
        seen = {}
        for rule in rules:
            metadata = rule.metadata
            written = (metadata.uid, metadata.generation, metadata.labels, metadata.annotations)
            known = self._seen.get(rule.key)
            is_known = known is not None and known.written == written
            seen[rule.key] = known if known and is_known else _Seen(written, int(metadata.resource_version or 0))
        self._seen = seen

    def _rejections(self, proxies: list[ProxyStatus]) -> dict[Key, list[str]]:
        found: dict[Key, list[str]] = {}
        for proxy in proxies:
            if any(status.status == "REJECTED" for status in proxy.types.values()):
                for key, complaint in rejections_of(proxy, self._publisher.content_of(proxy.proxy) or {}):
                    found.setdefault(key, []).append(complaint)
        return found

    async def _write(self, resource: Resource[Any], status: dict[str, Any]) -> None:
        """Somebody who changes or deletes the object at this moment goes first; the next look sees what he did."""
        try:
            await self._store.replace(
                msgspec.structs.replace(resource, status=status), resource.metadata.resource_version
            )
        except (ConflictError, NotFoundError) as error:
            log.debug("%s", error)
