"""The last good configuration on disk, so that a proxy starts while the control plane is away. No resource is decoded.

`HeldResources` is what the proxy obeys now, as it came, by type and name; the disk cache writes it and reads it.
"""

import asyncio
import logging
from pathlib import Path

import msgspec

from pymesh.errors import UsageError
from pymesh.state_dir import write_private
from pymesh.xds import TYPES, DeltaResource

log = logging.getLogger(__name__)

SAVE_DELAY = 0.25  # seconds in which further changes join the same write

HeldResources = dict[str, dict[str, DeltaResource]]  # type URL -> name -> what was accepted


class _File(msgspec.Struct, frozen=True):
    resources: HeldResources
    format: int = 1


def no_resources() -> HeldResources:
    return {type_url: {} for type_url in TYPES}


class DiskCache:
    """One file, 0600, replaced in one step. A damaged one is as good as none: it is logged and the mesh is asked."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._pending: asyncio.TimerHandle | None = None
        self._held: HeldResources = {}

    def load(self) -> HeldResources | None:
        try:
            found = msgspec.json.decode(self.file.read_bytes(), type=_File)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            log.warning("%s cannot be read (%s)", self.file, error)
            return None
        return no_resources() | found.resources

    def save_soon(self, held: HeldResources) -> None:
        """Write `held`, as it is then, after SAVE_DELAY."""
        self._held = held
        if self._pending is None:
            self._pending = asyncio.get_running_loop().call_later(SAVE_DELAY, self.flush)

    def flush(self) -> None:
        """Write now what waits to be written. A disk that refuses is logged; the proxy goes on from memory."""
        if self._pending is None:
            return
        self._pending.cancel()
        self._pending = None
        try:
            write_private(self.file, msgspec.json.encode(_File(self._held)))
        except UsageError as error:
            log.error("configuration was not saved: %s", error)
