"""Who gets the spans of which listener: a queue for each provider, whoever uses it, and tags as each listener says."""

from collections.abc import Awaitable, Callable
from os import environ
from typing import Any, NamedTuple
from urllib.parse import unquote

from pymesh.proxy.telemetry.b3_tracer import B3Tracer
from pymesh.proxy.telemetry.direction import Direction
from pymesh.proxy.telemetry.exporters import SpanQueue, traces_request
from pymesh.proxy.telemetry.resource import key_values, resource_of
from pymesh.proxy.telemetry.span_tags import SpanTags
from pymesh.proxy.telemetry.spans import build_span
from pymesh.proxy.telemetry.stream_info import StreamInfo
from pymesh.proxy.telemetry.tracing_config import Receiver, SpanProvider, TracingConfig
from pymesh.proxy.telemetry.workload import Workload
from pymesh.proxy.telemetry.zipkin import build_zipkin_span, encode_zipkin

_RESOURCE_ATTRIBUTES = "OTEL_RESOURCE_ATTRIBUTES"

Build = Callable[[StreamInfo, Direction], Any]


class Report(NamedTuple):
    """`body` for this receiver, in its media type."""

    receiver: Receiver
    media_type: str
    body: bytes


# deliver(report) returns when the receiver has taken it, and raises as exporters.Post does.
Deliver = Callable[[Report], Awaitable[None]]


class ListenerSpans:
    """Spans with the tags of one listener, into one queue."""

    def __init__(self, build: Build, queue: SpanQueue) -> None:
        self._build = build
        self._queue = queue

    @property
    def dropped(self) -> int:
        return self._queue.dropped

    def on_span(self, info: StreamInfo, direction: Direction) -> None:
        self._queue.add(self._build(info, direction))


class SpanProviders:
    """`own` is the queue to the control plane, `on_queue` is told of each that comes to it: somebody must run it.

    A queue stays when nobody names its provider any more: what is in it is still to be sent, and a mesh has few.
    """

    def __init__(
        self,
        workload: Workload,
        node_id: str,
        own: SpanQueue,
        deliver: Deliver,
        on_queue: Callable[[SpanQueue], object],
    ) -> None:
        self._workload = workload
        self._node_id = node_id
        self._own = own
        self._deliver = deliver
        self._on_queue = on_queue
        self._queues: dict[SpanProvider, SpanQueue] = {}

    @property
    def dropped(self) -> int:
        return self._own.dropped + sum(queue.dropped for queue in self._queues.values())

    def spans_of(self, config: TracingConfig) -> ListenerSpans:
        tags = SpanTags(self._workload, self._node_id, config.custom_tags, config.max_path)
        provider = config.provider
        if provider is not None and provider.is_zipkin:
            return ListenerSpans(
                lambda info, direction: build_zipkin_span(info, direction, self._workload, tags), self._queue(provider)
            )
        queue = self._own if provider is None else self._queue(provider)
        return ListenerSpans(lambda info, direction: build_span(info, direction, tags), queue)

    async def flush(self) -> None:
        for queue in (self._own, *self._queues.values()):
            await queue.flush()

    def _queue(self, provider: SpanProvider) -> SpanQueue:
        queue = self._queues.get(provider)
        if queue is None:
            queue = self._queues[provider] = SpanQueue(
                self._zipkin(provider) if provider.is_zipkin else self._otlp(provider)
            )
            self._on_queue(queue)
        return queue

    def _zipkin(self, provider: SpanProvider) -> Callable[[list[Any]], Awaitable[None]]:
        async def send(spans: list[Any]) -> None:
            await self._deliver(Report(provider.receiver, "application/json", encode_zipkin(spans)))

        return send

    def _otlp(self, provider: SpanProvider) -> Callable[[list[Any]], Awaitable[None]]:
        resource = resource_of(self._workload, self._node_id)
        if provider.reads_environment:
            resource.attributes.extend(key_values(_told_attributes(environ.get(_RESOURCE_ATTRIBUTES, ""))))

        async def send(spans: list[Any]) -> None:
            await self._deliver(Report(provider.receiver, "application/x-protobuf", traces_request(resource, spans)))

        return send


def build_b3_tracer(provider: SpanProvider, percent: float) -> B3Tracer:
    return B3Tracer(percent, provider.has_short_ids, provider.also_w3c)


def _told_attributes(text: str) -> list[tuple[str, str]]:
    """https://opentelemetry.io/docs/specs/otel/resource/sdk/#specifying-resource-information-via-an-environment-variable"""
    pairs = (pair.partition("=") for pair in text.split(",") if "=" in pair)
    return [(key.strip(), unquote(value.strip())) for key, _, value in pairs]
