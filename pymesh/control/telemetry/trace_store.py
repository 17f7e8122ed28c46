"""The traces of the last while, in memory: bounded by number and by size, the oldest dropped first. No IO, no clock."""

from collections import OrderedDict
from collections.abc import Iterable
from itertools import islice
from typing import Any

import msgspec

from pymesh import otlp
from pymesh.control.telemetry.attributes import attribute_texts
from pymesh.errors import PymeshError

MAX_TRACES = 10_000
MAX_BYTES = 16 * 1024 * 1024  # as on the wire; in memory about four times that
MAX_SPANS = 1_000  # of one trace
_KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")


class TraceNotFoundError(PymeshError):
    """No such trace, or none any more."""


class AmbiguousTraceError(PymeshError):
    """Several traces begin with what was asked for."""


class Span(msgspec.Struct, frozen=True):
    """One hop of one request. `start` is in microseconds since the epoch, `duration` in microseconds.

    `service` and `revision` are the canonical ones of the workload whose proxy reports.
    """

    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    kind: str  # server, client, ...
    service: str
    namespace: str
    revision: str
    start: int
    duration: int
    is_error: bool
    attributes: dict[str, str]

    @property
    def end(self) -> int:
        return self.start + self.duration


class TraceSummary(msgspec.Struct, frozen=True):
    """A row of the list of traces; `name`, `service` and `status` (an HTTP status code) are those of the root."""

    trace_id: str
    name: str
    service: str
    status: str
    start: int
    duration: int
    spans: int
    is_error: bool


class _Trace:
    __slots__ = ("size", "spans")

    def __init__(self) -> None:
        self.size = 0
        self.spans: dict[str, Span] = {}


class TraceStore:
    """`received` counts spans that came, `dropped` those that found no room in their trace, or went with the oldest."""

    def __init__(self, max_traces: int = MAX_TRACES, max_bytes: int = MAX_BYTES) -> None:
        self.received = 0
        self.dropped = 0
        self._max_traces = max_traces
        self._max_bytes = max_bytes
        self._traces: OrderedDict[str, _Trace] = OrderedDict()  # the oldest first
        self._size = 0

    def __len__(self) -> int:
        return len(self._traces)

    def add(self, request: Any) -> int:
        """Take an otlp.ExportTraceServiceRequest; how many of its spans were rejected, because they have no id.

        A span that comes again replaces itself.
        """
        rejected = 0
        for resource_spans in request.resource_spans:
            resource = attribute_texts(resource_spans.resource.attributes)
            for scope_spans in resource_spans.scope_spans:
                for message in scope_spans.spans:
                    rejected += 0 if self._add(message, resource) else 1
        self._drop_oldest()
        return rejected

    def recent(self, limit: int) -> list[TraceSummary]:
        """Those that arrived last, the newest first."""
        newest = islice(reversed(self._traces.values()), limit)
        return sorted(map(_summarize, newest), key=lambda summary: summary.start, reverse=True)

    def find(self, trace_id: str) -> list[Span]:
        """The spans of a trace by their start; a prefix of the id is enough.

        Raises TraceNotFoundError, AmbiguousTraceError.
        """
        if trace_id in self._traces:
            return _by_start(self._traces[trace_id].spans.values())
        found = [known for known in self._traces if trace_id and known.startswith(trace_id)]
        if not found:
            raise TraceNotFoundError(f"no trace {trace_id}")
        if len(found) > 1:
            raise AmbiguousTraceError(f"{len(found)} traces begin with {trace_id}")
        return _by_start(self._traces[found[0]].spans.values())

    def _add(self, message: Any, resource: dict[str, str]) -> bool:
        self.received += 1
        if len(message.trace_id) != 16 or len(message.span_id) != 8:
            return False
        span = _span(message, resource)
        trace = self._traces.setdefault(span.trace_id, _Trace())
        if span.span_id not in trace.spans:
            if len(trace.spans) >= MAX_SPANS:
                self.dropped += 1
                return True
            size = message.ByteSize()
            trace.size += size
            self._size += size
        trace.spans[span.span_id] = span
        return True

    def _drop_oldest(self) -> None:
        while len(self._traces) > self._max_traces or self._size > self._max_bytes:
            _, trace = self._traces.popitem(last=False)
            self._size -= trace.size
            self.dropped += len(trace.spans)


def _span(message: Any, resource: dict[str, str]) -> Span:
    start = message.start_time_unix_nano // 1000
    attributes = attribute_texts(message.attributes)
    return Span(
        trace_id=message.trace_id.hex(),
        span_id=message.span_id.hex(),
        parent_span_id=message.parent_span_id.hex(),
        name=message.name,
        kind=_KINDS[message.kind] if 0 <= message.kind < len(_KINDS) else _KINDS[0],
        service=attributes.get("istio.canonical_service") or resource.get("service.name", "unknown"),
        namespace=attributes.get("istio.namespace") or resource.get("service.namespace", ""),
        revision=attributes.get("istio.canonical_revision") or resource.get("service.version", ""),
        start=start,
        duration=max(0, message.end_time_unix_nano // 1000 - start),
        is_error=message.status.code == otlp.STATUS_CODE_ERROR,
        attributes=attributes,
    )


def _summarize(trace: _Trace) -> TraceSummary:
    spans = trace.spans
    ordered = _by_start(spans.values())
    root = next((span for span in ordered if span.parent_span_id not in spans), ordered[0])
    start = ordered[0].start
    return TraceSummary(
        trace_id=root.trace_id,
        name=root.name,
        service=root.service,
        status=root.attributes.get("http.status_code", ""),
        start=start,
        duration=max(span.end for span in spans.values()) - start,
        spans=len(spans),
        is_error=any(span.is_error for span in spans.values()),
    )


def _by_start(spans: Iterable[Span]) -> list[Span]:
    return sorted(spans, key=lambda span: span.start)
