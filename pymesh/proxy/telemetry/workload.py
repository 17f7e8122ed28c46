"""Who a peer is, in the words of Istio's metrics."""

from functools import lru_cache
from typing import NamedTuple


class Workload(NamedTuple):
    """A workload as EDS metadata and the peer-metadata header carry it: `name;namespace;service;revision;cluster`.

    `service` and `revision` are Istio's canonical service and canonical revision.
    """

    name: str = "unknown"
    namespace: str = "unknown"
    service: str = "unknown"
    revision: str = "unknown"
    cluster: str = "unknown"

    def __str__(self) -> str:
        return ";".join(self)


UNKNOWN_WORKLOAD = Workload()


@lru_cache(maxsize=4096)
def parse_workload(text: str) -> Workload:
    """Never fails: what a peer writes wrongly is an unknown workload."""
    parts = text.split(";")
    if len(parts) != len(Workload._fields) or len(text) > 1024:
        return UNKNOWN_WORKLOAD
    return Workload(*(part or "unknown" for part in parts))
