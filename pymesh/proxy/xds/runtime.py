"""The configuration of a proxy: what it obeys, what it refused, and where that is kept. No resource is decoded here.

Who obeys is told to the runtime (`Obey`): the writer of this process's data plane, or worker processes.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from pymesh.proxy.xds.config_writer import Rejections
from pymesh.proxy.xds.disk_cache import DiskCache, HeldResources, no_resources
from pymesh.xds import SHORT_NAMES, TYPES, DeltaResource, DeltaResponse

log = logging.getLogger(__name__)

Obey = Callable[[Sequence[DeltaResponse]], Awaitable[Rejections]]  # as ConfigWriter.apply

_DISK = "disk"  # stands for the nonce of what was not polled


class Runtime:
    """`held` is what the proxy obeys, as it came; `rejected` what was last refused and has no later good version.

    `updates` counts the responses of which nothing was refused, `rejections` the resources that were.
    """

    def __init__(self, obey: Obey, cache: DiskCache) -> None:
        self.held: HeldResources = no_resources()
        self.rejected: dict[str, dict[str, str]] = {type_url: {} for type_url in TYPES}
        self.updates = 0
        self.rejections = 0
        self._obey = obey
        self._cache = cache

    async def apply(self, responses: Sequence[DeltaResponse]) -> Rejections:
        """Obey. Returns the refused: type URL -> name -> why, with the path of the bad field."""
        known = [response for response in responses if response.type_url in self.held]
        rejections = await self._obey([self._without_unknown(response) for response in known])
        for response in known:
            self._record(response, rejections[response.type_url])
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

    def snapshot(self) -> list[DeltaResponse]:
        """All that is held, for who obeys from now on."""
        return [_response(type_url, resources) for type_url, resources in self.held.items()]

    def _without_unknown(self, response: DeltaResponse) -> DeltaResponse:
        """What was never accepted need not be removed."""
        held = self.held[response.type_url]
        removed = tuple(name for name in response.removed_resources if name in held)
        return msgspec.structs.replace(response, removed_resources=removed)

    def _record(self, response: DeltaResponse, refused: Mapping[str, str]) -> None:
        held, rejected = self.held[response.type_url], self.rejected[response.type_url]
        for resource in response.resources:
            if resource.name in refused:
                rejected[resource.name] = refused[resource.name]
            else:
                rejected.pop(resource.name, None)
                held[resource.name] = resource
        for name in response.removed_resources:
            rejected.pop(name, None)
            held.pop(name, None)
        self.updates += not refused
        self.rejections += len(refused)


def _response(type_url: str, resources: Mapping[str, DeltaResource]) -> DeltaResponse:
    return DeltaResponse(type_url, _DISK, tuple(resources.values()))
