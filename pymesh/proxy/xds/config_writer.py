"""The only writer of the data plane's configuration: decodes each resource and hands it to who obeys it.

What each type is decoded to and who obeys it is told to the writer (`Handler`); no resource is known here. Resources
are applied in the order of xds.TYPES, so that nothing refers to what is not there yet, and removed the other way round.
A resource that is refused, by its decoder or by who should obey it, is reported by name and reason; the last good
version of it stays, and the others apply.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pymesh.errors import PymeshError
from pymesh.protojson import Reader
from pymesh.xds import TYPES, DeltaResource, DeltaResponse

log = logging.getLogger(__name__)

Rejections = dict[str, dict[str, str]]  # type URL -> resource name -> why, with the path of the bad field


class Handler(NamedTuple):
    """One type of resource. `apply` may raise PymeshError to refuse what decoded well: a port that is taken.

    What `apply` and `remove` return, if anything, is awaited; so is `settle`, once all of a response were applied.
    """

    decode: Callable[[Reader], Any]
    apply: Callable[[Any], Awaitable[None] | None]
    remove: Callable[[str], Awaitable[None] | None]
    settle: Callable[[], Awaitable[None]] | None = None


class ConfigWriter:
    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers

    async def apply(self, responses: Sequence[DeltaResponse]) -> Rejections:
        """One response a type. Returns what was refused of each."""
        by_type = {response.type_url: response for response in responses}
        ordered = [by_type[type_url] for type_url in TYPES if type_url in by_type]
        rejections = {response.type_url: await self._apply_type(response) for response in ordered}
        for response in reversed(ordered):
            for name in response.removed_resources:
                await _completed(self._handlers[response.type_url].remove(name))
        return rejections

    async def _apply_type(self, response: DeltaResponse) -> dict[str, str]:
        handler = self._handlers[response.type_url]
        reasons = {resource.name: await self._apply_resource(handler, resource) for resource in response.resources}
        if handler.settle is not None and response.resources:
            await handler.settle()
        return {name: reason for name, reason in reasons.items() if reason is not None}

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


async def _completed(work: Awaitable[None] | None) -> None:
    if work is not None:
        await work


def _decode(handler: Handler, resource: DeltaResource) -> Any:
    reader = Reader(resource.resource)
    reader.ignore("@type")
    config = handler.decode(reader)
    reader.reject_unread()
    return config
