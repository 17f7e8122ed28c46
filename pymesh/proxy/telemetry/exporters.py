"""Batches of spans and metrics on their way to who collects them: bounded, off the hot path."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Any

from pymesh import otlp
from pymesh.errors import ControlUnreachableError, PymeshError
from pymesh.proxy.telemetry.direction import Direction
from pymesh.proxy.telemetry.metrics_request import MetricsRequest
from pymesh.proxy.telemetry.resource import SCOPE, resource_of
from pymesh.proxy.telemetry.span_tags import SpanTags
from pymesh.proxy.telemetry.spans import build_span
from pymesh.proxy.telemetry.stats import SeriesSource
from pymesh.proxy.telemetry.stream_info import StreamInfo
from pymesh.proxy.telemetry.workload import Workload
from pymesh.xds import METRICS_PATH, TRACES_PATH

log = logging.getLogger(__name__)

# post(path, protobuf body) returns when the control plane has taken it. It raises ControlUnreachableError or OSError
# where a later attempt may help, any other PymeshError where it would not.
Post = Callable[[str, bytes], Awaitable[None]]

MAX_SPANS = 2_048  # that may wait
BATCH_SPANS = 512


class SpanQueue:
    """Spans on their way to somebody. Give `run()` to a TaskGroup; await `flush()` at shutdown.

    While the receiver is away, the newest `max_spans` are kept; `dropped` counts the others and those that it refused.
    `send` takes some spans, and raises as Post does.
    """

    def __init__(
        self, send: Callable[[list[Any]], Awaitable[None]], interval: float = 1.0, max_spans: int = MAX_SPANS
    ) -> None:
        self._evicted = 0
        self._refused = 0
        self._send = send
        self._interval = interval
        self._max_spans = max_spans
        self._spans: deque[Any] = deque()
        self._sending = asyncio.Lock()

    @property
    def dropped(self) -> int:
        return self._evicted + self._refused

    def add(self, span: Any) -> None:
        if len(self._spans) >= self._max_spans:
            self._spans.popleft()
            self._evicted += 1
        self._spans.append(span)

    async def run(self) -> None:
        """Never returns."""
        while True:
            await asyncio.sleep(self._interval)
            await self.flush()

    async def flush(self) -> None:
        """Send what waits, until that is nothing or nobody answers."""
        async with self._sending:
            while self._spans and await self._send_batch():
                pass

    async def _send_batch(self) -> bool:
        """False: keep them, try later. They stay in the queue until then, so cancelling loses none."""
        batch = list(islice(self._spans, BATCH_SPANS))
        evicted = self._evicted
        is_refused = False
        try:
            await self._send(batch)
        except (ControlUnreachableError, OSError) as error:
            log.debug("spans not delivered: %s", error)
            return False
        except PymeshError as error:
            log.warning("%d spans were refused: %s", len(batch), error)
            is_refused = True
        # Newer spans may have pushed some of them out meanwhile.
        remaining = max(0, len(batch) - (self._evicted - evicted))
        for _ in range(remaining):
            self._spans.popleft()
        self._refused += remaining if is_refused else 0
        return True


class SpanExporter(SpanQueue):
    """Spans on their way to the control plane."""

    def __init__(
        self, workload: Workload, node_id: str, post: Post, interval: float = 1.0, max_spans: int = MAX_SPANS
    ) -> None:
        super().__init__(self._post_spans, interval, max_spans)
        self._tags = SpanTags(workload, node_id)
        self._resource = resource_of(workload, node_id)
        self._post = post

    def on_span(self, info: StreamInfo, direction: Direction) -> None:
        self.add(build_span(info, direction, self._tags))

    async def _post_spans(self, spans: list[Any]) -> None:
        await self._post(TRACES_PATH, traces_request(self._resource, spans))


def traces_request(resource: Any, spans: list[Any]) -> bytes:
    """An OTLP ExportTraceServiceRequest."""
    request = otlp.ExportTraceServiceRequest()
    request.resource_spans.add(resource=resource).scope_spans.add(scope=SCOPE, spans=spans)
    body: bytes = request.SerializeToString()
    return body


class MetricsExporter:
    """Give `run()` to a TaskGroup; await `flush()` at shutdown.

    What is sent are totals since the proxy started, so an export that fails (`failures`) loses nothing. `refresh` is
    awaited before they are read.
    """

    def __init__(
        self,
        stats: SeriesSource,
        node_id: str,
        post: Post,
        interval: float = 5.0,
        clock: Callable[[], float] = time.time,
        refresh: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.failures = 0
        self._request = MetricsRequest(stats, node_id, clock())
        self._post = post
        self._interval = interval
        self._clock = clock
        self._refresh = refresh

    async def run(self) -> None:
        """Never returns."""
        while True:
            await asyncio.sleep(self._interval)
            await self.flush()

    async def flush(self) -> None:
        if self._refresh is not None:
            await self._refresh()
        body = self._request.serialize(self._clock())
        if body is None:
            return
        try:
            await self._post(METRICS_PATH, body)
        except (PymeshError, OSError) as error:
            self.failures += 1
            log.debug("metrics not delivered: %s", error)
