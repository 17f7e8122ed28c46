"""Objects that went with their namespace a moment ago.

In Kubernetes they go one by one after it, so that `kubectl delete` of a file with a namespace and what is in it finds
them still there. Here they go at once; that they are deleted once more is then no mistake.
"""

import time
from collections.abc import Callable, Iterable

from pymesh.control.model.resource import Key

_REMEMBERED_SECONDS = 30.0


class Departed:
    """Holds keys for half a minute; what is older is dropped when others come."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._ends: dict[Key, float] = {}

    def __contains__(self, key: Key) -> bool:
        return self._ends.get(key, 0.0) > self._now()

    def add(self, keys: Iterable[Key]) -> None:
        now = self._now()
        self._ends = {key: end for key, end in self._ends.items() if end > now}
        self._ends |= dict.fromkeys(keys, now + _REMEMBERED_SECONDS)
