"""The configuration of a proxy: what it obeys, what it refused, and where that is kept. No resource is decoded here.

Who obeys is told to the runtime (`Obey`): the writer of this process's data plane, or worker processes.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from pymesh.proxy.xds.config_writer import Rejections
from pymesh.proxy.xds.disk_cache import DiskCache, HeldResources, no_resources
from pymesh.xds import LISTENER, SHORT_NAMES, TYPES, DeltaResource, DeltaResponse

log = logging.getLogger(__name__)

Obey = Callable[[Sequence[DeltaResponse]], Awaitable[Rejections]]  # as ConfigWriter.apply

_DISK, _RETRY = "disk", "retry"  # stand for the nonce of what was not polled


class Runtime:
    """`held` is what the proxy obeys, as it came; `rejected` what was last refused and has no later good version.

    `updates` counts the responses of which nothing was refused, `rejections` the resources that were.
    `has_refused_listener` is set while a listener is among the rejected.
    """

    def __init__(self, obey: Obey, cache: DiskCache) -> None:
        self.held: HeldResources = no_resources()
        self.rejected: dict[str, dict[str, str]] = {type_url: {} for type_url in TYPES}
        self.updates = 0
        self.rejections = 0
        self._obey = obey
        self._cache = cache
        self.has_refused_listener = asyncio.Event()
        self._refused_listeners: dict[str, DeltaResource] = {}
        self._turn = asyncio.Lock()  # what is tried again must not overtake what is new

    async def apply(self, responses: Sequence[DeltaResponse]) -> Rejections:
        """Obey. Returns the refused: type URL -> name -> why, with the path of the bad field."""
        known = [response for response in responses if response.type_url in self.held]
        async with self._turn:
            rejections = await self._obey([self._without_unknown(response) for response in known])
            for response in known:
                self._record(response, rejections[response.type_url])
        self._cache.save_soon(self.held)
        return rejections

    async def retry_listeners(self) -> list[str]:
        """Obey those that were refused, if that is possible now. Returns the names of those that were accepted."""
        async with self._turn:
            response = _response(LISTENER, self._refused_listeners, _RETRY)
            refused = (await self._obey([response]))[LISTENER]
            accepted = [resource for resource in response.resources if resource.name not in refused]
            self._accept(LISTENER, accepted)
            self.rejected[LISTENER].update(refused)
        if accepted:
            self._cache.save_soon(self.held)
        return [resource.name for resource in accepted]

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
        type_url = response.type_url
        self._accept(type_url, [resource for resource in response.resources if resource.name not in refused])
        self.rejected[type_url].update(refused)
        if type_url == LISTENER:
            self._refused_listeners |= {item.name: item for item in response.resources if item.name in refused}
        for name in response.removed_resources:
            self.held[type_url].pop(name, None)
            self._forget_refused(type_url, name)
        if self._refused_listeners:
            self.has_refused_listener.set()
        self.updates += not refused
        self.rejections += len(refused)

    def _accept(self, type_url: str, resources: Sequence[DeltaResource]) -> None:
        for resource in resources:
            self.held[type_url][resource.name] = resource
            self._forget_refused(type_url, resource.name)

    def _forget_refused(self, type_url: str, name: str) -> None:
        self.rejected[type_url].pop(name, None)
        if type_url == LISTENER:
            self._refused_listeners.pop(name, None)
            if not self._refused_listeners:
                self.has_refused_listener.clear()


def _response(type_url: str, resources: Mapping[str, DeltaResource], nonce: str = _DISK) -> DeltaResponse:
    return DeltaResponse(type_url, nonce, tuple(resources.values()))
