"""What supervisor and worker say to each other. Each request names its answer; None is an answer too."""

from typing import Any

import msgspec

from pymesh.proxy.data_plane import DataPlaneSpec
from pymesh.proxy.telemetry.metric_names import Metric
from pymesh.proxy.tls.certificates import SecretConfig
from pymesh.proxy.xds.config_writer import Rejections
from pymesh.xds import Address, DeltaResponse


class Request(msgspec.Struct, frozen=True, tag=True):
    pass


# supervisor -> worker


class Start(Request, frozen=True):
    """The first request -> None. `place` is the worker's number; `log_level` as of logs.configure_logging."""

    spec: DataPlaneSpec
    place: int
    log_level: str


class ApplySecret(Request, frozen=True):
    """A secret that the supervisor has made, not SDS -> None."""

    secret: SecretConfig


class Apply(Request, frozen=True):
    """-> Applied. `breaker_places` of the clusters among the resources, as of BreakerCells."""

    responses: tuple[DeltaResponse, ...]
    breaker_places: dict[str, int]


class Applied(msgspec.Struct, frozen=True):
    """`addresses` are those of all listeners, by name."""

    rejections: Rejections
    addresses: dict[str, Address]


class ReadStats(Request, frozen=True):
    """-> StatsSnapshot."""


class DescribeListeners(Request, frozen=True):
    """-> a list of objects, as of the admin page."""


class DescribeClusters(Request, frozen=True):
    """-> a list of objects, as of the admin page."""


class AnnounceDrain(Request, frozen=True):
    """-> None, at once."""

    inbound_only: bool


class RevokeDrain(Request, frozen=True):
    """-> None, at once."""


class StopAccepting(Request, frozen=True):
    """-> None, once the listening sockets are closed."""

    inbound_only: bool


class Drain(Request, frozen=True):
    """-> None, once all connections are gone."""

    seconds: float
    inbound_only: bool
    unawaited: tuple[Address, ...]


class Close(Request, frozen=True):
    """-> StatsSnapshot, the last one: the worker ends."""


ToWorker = (
    Start
    | ApplySecret
    | Apply
    | ReadStats
    | DescribeListeners
    | DescribeClusters
    | AnnounceDrain
    | RevokeDrain
    | StopAccepting
    | Drain
    | Close
)
Descriptions = list[dict[str, Any]]


class HttpCounts(msgspec.Struct, array_like=True, frozen=True):
    """stats.HttpSeries."""

    labels: tuple[str, ...]
    duration_counts: list[int]
    duration_sum: float
    request_counts: list[int]
    request_sum: int
    response_counts: list[int]
    response_sum: int
    untimed: int = 0
    uncounted: int = 0


class TcpCounts(msgspec.Struct, array_like=True, frozen=True):
    """stats.TcpSeries."""

    labels: tuple[str, ...]
    opened: int
    closed: int
    sent_bytes: int
    received_bytes: int
    shown: int = 0


class MetricCounts(msgspec.Struct, array_like=True, frozen=True):
    """metric_series.MetricSeries."""

    metric: Metric
    names: tuple[str, ...]
    values: tuple[str, ...]
    counts: list[int]
    total: float


class StatsSnapshot(msgspec.Struct, array_like=True, frozen=True):
    """All that one worker has counted since it began."""

    http: list[HttpCounts]
    tcp: list[TcpCounts]
    samples: list[tuple[Metric, float]]
    custom: list[MetricCounts] = []


# worker -> supervisor


class TakeSocket(Request, frozen=True):
    """-> None, after a listening socket was sent on the pair that is for sockets. Fails with UsageError."""

    listener: str
    address: Address


class ReleaseSocket(Request, frozen=True):
    """-> None: the worker holds the last reference now."""

    listener: str
    address: Address


class Export(Request, frozen=True):
    """A POST to the control plane -> None, when that has taken it."""

    path: str
    body: bytes


ToSupervisor = TakeSocket | ReleaseSocket | Export
