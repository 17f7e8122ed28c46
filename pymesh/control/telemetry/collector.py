"""What the mesh's proxies report: metrics merged across proxies and restarts, traces kept for a while."""

import time
from collections.abc import Callable, Iterator
from typing import Any

from pymesh import otlp
from pymesh.control.telemetry.mesh_metrics import MeshMetrics
from pymesh.control.telemetry.trace_store import TraceStore
from pymesh.prometheus import family_lines, sample_line

# Of the collector itself, which its /metrics shows too.
_SPANS_RECEIVED = ("pymesh_collector_spans_received_total", "counter", "Spans that arrived.")
_SPANS_DROPPED = ("pymesh_collector_spans_dropped_total", "counter", "Spans that made room for newer ones.")
_POINTS_REJECTED = ("pymesh_collector_points_rejected_total", "counter", "Metric data points that were not taken.")
_TRACES = ("pymesh_collector_traces", "gauge", "Traces that can be read.")
_INSTANCES = ("pymesh_collector_instances", "gauge", "Proxies that report metrics.")


class Collector:
    """Takes OTLP requests, already decoded. `clock` is time.monotonic or a test's."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.metrics = MeshMetrics()
        self.traces = TraceStore()
        self._clock = clock

    def on_metrics(self, request: Any) -> Any:
        """The otlp.ExportMetricsServiceResponse to an ExportMetricsServiceRequest."""
        response = otlp.ExportMetricsServiceResponse()
        rejected = self.metrics.add(request, self._clock())
        if rejected:
            response.partial_success.rejected_data_points = rejected
            response.partial_success.error_message = "only cumulative istio_* counters and histograms are collected"
        return response

    def on_traces(self, request: Any) -> Any:
        """The otlp.ExportTraceServiceResponse to an ExportTraceServiceRequest."""
        response = otlp.ExportTraceServiceResponse()
        rejected = self.traces.add(request)
        if rejected:
            response.partial_success.rejected_spans = rejected
            response.partial_success.error_message = "a span needs a trace id of 16 bytes and a span id of 8"
        return response

    def exposition(self) -> str:
        """The mesh's metrics and the collector's own, in Prometheus' text format."""
        return "".join((*self.metrics.lines(), *self._own_lines()))

    def _own_lines(self) -> Iterator[str]:
        for (name, kind, description), value in (
            (_SPANS_RECEIVED, self.traces.received),
            (_SPANS_DROPPED, self.traces.dropped),
            (_POINTS_REJECTED, self.metrics.rejected),
            (_TRACES, len(self.traces)),
            (_INSTANCES, self.metrics.instances),
        ):
            yield family_lines(name, kind, description)
            yield sample_line(name, "", value)
