"""Batches of spans and metrics on their way to the control plane, in OTLP over HTTP: bounded, off the hot path."""

from collections.abc import Awaitable, Callable

from pymesh.proxy.telemetry.direction import Direction
from pymesh.proxy.telemetry.stats import Stats
from pymesh.proxy.telemetry.stream_info import StreamInfo
from pymesh.proxy.telemetry.workload import Workload

# post(path, protobuf body) returns when the control plane has taken it. It raises ControlUnreachableError or OSError
# where a later attempt may help, any other PymeshError where it would not.
Post = Callable[[str, bytes], Awaitable[None]]


class SpanExporter:
    """Give `run()` to a TaskGroup; call `flush()` at shutdown."""

    def __init__(self, workload: Workload, node_id: str, post: Post, interval: float = 1.0) -> None:
        self.dropped = 0

    def on_span(self, info: StreamInfo, direction: Direction) -> None:
        raise NotImplementedError

    async def run(self) -> None:
        raise NotImplementedError

    async def flush(self) -> None:
        raise NotImplementedError


class MetricsExporter:
    """Give `run()` to a TaskGroup; call `flush()` at shutdown."""

    def __init__(self, stats: Stats, node_id: str, post: Post, interval: float = 5.0) -> None:
        self.failures = 0

    async def run(self) -> None:
        raise NotImplementedError

    async def flush(self) -> None:
        raise NotImplementedError
