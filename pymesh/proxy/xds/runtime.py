"""The only writer of a proxy's configuration: decodes what the control plane sends and hands it to the data plane.

What each type is decoded to and who obeys it is told to the runtime (`Handler`); no resource is known here. Resources
are applied in the order of xds.TYPES, so that nothing refers to what is not there yet, and removed the other way round.
A resource that is refused, by its decoder or by who should obey it, is reported by name and reason; the last good
version of it stays, and the others apply.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pymesh.errors import PymeshError
from pymesh.protojson import Reader
from pymesh.proxy.xds.disk_cache import DiskCache, HeldResources, no_resources
from pymesh.xds import SHORT_NAMES, TYPES, DeltaResource, DeltaResponse

log = logging.getLogger(__name__)

_DISK = "disk"  # stands for the nonce of what was not polled


class Handler(NamedTuple):
    """One type of resource. `apply` may raise PymeshError to refuse what decoded well: a port that is taken.

    What `apply` and `remove` return, if anything, is awaited.
    """

    decode: Callable[[Reader], Any]
    apply: Callable[[Any], Awaitable[None] | None]
    remove: Callable[[str], Awaitable[None] | None]


class Runtime:
    """`held` is what the proxy obeys, as it came; `rejected` what was last refused and has no later good version.

    `updates` counts the responses of which nothing was refused, `rejections` the resources that were.
    """

    def __init__(self, handlers: Mapping[str, Handler], cache: DiskCache) -> None:
        self.held: HeldResources = no_resources()
        self.rejected: dict[str, dict[str, str]] = {type_url: {} for type_url in TYPES}
        self.updates = 0
        self.rejections = 0
        self._handlers = handlers
        self._cache = cache

    async def apply(self, responses: Sequence[DeltaResponse]) -> dict[str, dict[str, str]]:
        """Obey. Returns the refused: type URL -> name -> why, with the path of the bad field."""
        by_type = {response.type_url: response for response in responses}
        ordered = [by_type[type_url] for type_url in TYPES if type_url in by_type]
        rejections = {response.type_url: await self._apply_type(response) for response in ordered}
        for response in reversed(ordered):
            await self._remove(response)
        self._cache.save_soon(self.held)
        return rejections

    async def load(self) -> bool:
        """Obey what is on disk. False if there is nothing, or if it was obeyed already."""
        saved = self._cache.load()
        if saved is None or any(self.held.values()):
            return False
        rejections = await self.apply([_response(type_url, resources) for type_url, resources in saved.items()])
        for type_url, rejected in rejections.items():
            for name, reason in rejected.items():
                log.warning("%s %s on disk is not usable: %s", SHORT_NAMES[type_url], name, reason)
        log.info("configuration loaded from %s", self._cache.file)
        return True

    async def _apply_type(self, response: DeltaResponse) -> dict[str, str]:
        handler = self._handlers[response.type_url]
        rejected = self.rejected[response.type_url]
        for resource in response.resources:
            reason = await self._apply_resource(handler, resource)
            if reason is None:
                rejected.pop(resource.name, None)
                self.held[response.type_url][resource.name] = resource
            else:
                rejected[resource.name] = reason
        refused = {r.name: rejected[r.name] for r in response.resources if r.name in rejected}
        self.updates += not refused
        self.rejections += len(refused)
        return refused

    async def _apply_resource(self, handler: Handler, resource: DeltaResource) -> str | None:
        """None, or why it was refused."""
        try:
            await _completed(handler.apply(_decode(handler, resource)))
        except PymeshError as error:
            return str(error)
        except Exception as error:  # the one catch point: a bug that one resource meets must not cost the others
            log.exception("resource %s", resource.name)
            return f"internal error: {error!r}"
        return None

    async def _remove(self, response: DeltaResponse) -> None:
        for name in response.removed_resources:
            self.rejected[response.type_url].pop(name, None)
            if self.held[response.type_url].pop(name, None) is not None:
                await _completed(self._handlers[response.type_url].remove(name))


async def _completed(work: Awaitable[None] | None) -> None:
    if work is not None:
        await work


def _decode(handler: Handler, resource: DeltaResource) -> Any:
    reader = Reader(resource.resource)
    reader.ignore("@type")
    config = handler.decode(reader)
    reader.reject_unread()
    return config


def _response(type_url: str, resources: Mapping[str, DeltaResource]) -> DeltaResponse:
    return DeltaResponse(type_url, _DISK, tuple(resources.values()))
