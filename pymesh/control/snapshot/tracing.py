"""What Telemetries say of a workload's traces, merged field by field from the mesh down to the workload.

Istio: Telemetries.Tracing in pilot/pkg/model/telemetry.go.
"""

from collections.abc import Iterable
from typing import NamedTuple

from pymesh.control.model.telemetry import CustomTag, Tracing
from pymesh.control.snapshot.access_logging import Mode


class TracingSpec(NamedTuple):
    """Of one direction of traffic; None is for what nobody said. `provider` is a name."""

    provider: str | None = None
    is_disabled: bool = False
    sampling: float | None = None
    custom_tags: tuple[tuple[str, CustomTag], ...] | None = None
    has_istio_tags: bool | None = None
    samples_by_request_id: bool | None = None
    is_propagated: bool = True


def merge_tracing(entries: Iterable[Tracing], default_provider: str | None, mode: Mode) -> TracingSpec:
    """`entries` of all levels, from the mesh's. Of what several say, the last holds; so do custom tags, as a whole."""
    spec = TracingSpec(default_provider)
    for entry in entries:
        if entry.match is None or entry.match.mode in (mode, "CLIENT_AND_SERVER"):
            spec = _obey(spec, entry)
    return spec


def _obey(spec: TracingSpec, entry: Tracing) -> TracingSpec:
    return TracingSpec(
        entry.providers[0].name if entry.providers else spec.provider,
        spec.is_disabled if entry.disable_span_reporting is None else entry.disable_span_reporting,
        spec.sampling if entry.random_sampling_percentage is None else entry.random_sampling_percentage,
        tuple(sorted(entry.custom_tags.items())) if entry.custom_tags else spec.custom_tags,
        spec.has_istio_tags if entry.enable_istio_tags is None else entry.enable_istio_tags,
        entry.use_request_id_for_trace_sampling
        if entry.use_request_id_for_trace_sampling is not None
        else spec.samples_by_request_id,
        spec.is_propagated if entry.disable_context_propagation is None else not entry.disable_context_propagation,
    )
