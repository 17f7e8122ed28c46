"""What the rest of a proxy asks of its data plane, be that in the same process (LocalDataPlane) or in several."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Protocol

import msgspec

from pymesh.names import CANONICAL_NAME_LABEL, CANONICAL_REVISION_LABEL
from pymesh.proxy.telemetry.proxy_metrics import ProxyMetrics
from pymesh.proxy.telemetry.stats import SeriesSource
from pymesh.proxy.telemetry.workload import Workload
from pymesh.proxy.xds.config_writer import Rejections
from pymesh.xds import ROUTER, Address, DeltaResponse, Node


class DataPlaneSpec(msgspec.Struct, frozen=True):
    """Who the proxy is and what its data plane is told at its start.

    `access_log` is a path, or empty for none; `workers` is the number of processes that the data plane consists of.
    """

    node: Node
    principal: str  # the proxy's own SPIFFE URI, as long as its certificate tells no other
    access_log: str = ""
    workers: int = 1

    @property
    def is_gateway(self) -> bool:
        return self.node.type == ROUTER

    @property
    def workload(self) -> Workload:
        """Who the proxy stands for, in the words of Istio's metrics."""
        metadata = self.node.metadata
        labels = metadata.labels
        return Workload(
            name=metadata.workload_name,
            namespace=metadata.namespace,
            service=labels.get(CANONICAL_NAME_LABEL) or metadata.service or metadata.workload_name,
            revision=labels.get(CANONICAL_REVISION_LABEL, "latest"),
            cluster=metadata.cluster_id,
        )


class DataPlane(Protocol):
    """Listeners, routes, clusters, and what they count. `metrics` and `stats` are as of the last `refresh`."""

    @property
    def metrics(self) -> ProxyMetrics: ...

    @property
    def stats(self) -> SeriesSource: ...

    async def start(self) -> None: ...

    async def apply(self, responses: Sequence[DeltaResponse]) -> Rejections:
        """Obey. Returns what was refused of each type."""
        ...

    def addresses(self) -> dict[str, Address]:
        """Where each listener is, by name."""
        ...

    async def refresh(self) -> None: ...

    def expose(self) -> Iterator[bytes]:
        """The body of `/stats/prometheus`, in pieces."""
        ...

    async def describe_listeners(self) -> list[dict[str, Any]]: ...

    async def describe_clusters(self) -> list[dict[str, Any]]: ...

    async def describe_workers(self) -> list[dict[str, Any]] | None:
        """None where the data plane is in this process."""
        ...

    async def announce_drain(self, inbound_only: bool = False) -> None:
        """The next response on each connection is its last; idle ones stay, and new ones are taken."""
        ...

    async def revoke_drain(self) -> None:
        """Connections are to stay again."""
        ...

    async def stop_accepting(self, inbound_only: bool = False) -> None:
        """Close the listening sockets, and no connection that has begun."""
        ...

    async def drain(self, seconds: float, inbound_only: bool = False, unawaited: Collection[Address] = ()) -> None:
        """End all connections, each with its request in flight; returns when all are gone, or after `seconds`.

        New ones are taken at first. Nobody waits for the connections of the listeners at `unawaited`.
        """
        ...

    async def aclose(self) -> None:
        """Close what is open; hand over the last log lines and spans."""
        ...
