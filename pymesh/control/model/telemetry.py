"""Telemetry: access logs, metrics and traces of workloads.

https://istio.io/latest/docs/reference/config/telemetry/
"""

from typing import Literal

from pymesh.control.model.messages import Message, WorkloadSelector
from pymesh.control.model.targets import PolicyTargetReference

WorkloadMode = Literal["CLIENT_AND_SERVER", "CLIENT", "SERVER"]
IstioMetric = Literal[
    "ALL_METRICS",
    "REQUEST_COUNT",
    "REQUEST_DURATION",
    "REQUEST_SIZE",
    "RESPONSE_SIZE",
    "TCP_OPENED_CONNECTIONS",
    "TCP_CLOSED_CONNECTIONS",
    "TCP_SENT_BYTES",
    "TCP_RECEIVED_BYTES",
    "GRPC_REQUEST_MESSAGES",
    "GRPC_RESPONSE_MESSAGES",
]
TagOperation = Literal["UPSERT", "REMOVE"]


class ProviderRef(Message):
    name: str = ""
    """Name of an extension provider of MeshConfig."""


class ModeMatch(Message):
    mode: WorkloadMode = "CLIENT_AND_SERVER"
    """Whether it holds for outbound (CLIENT) or inbound (SERVER) traffic."""


class LiteralTag(Message):
    value: str = ""
    """The tag's value."""


class EnvironmentTag(Message):
    name: str = ""
    """Name of an environment variable of the proxy."""
    default_value: str = ""
    """The tag's value where the variable is not set."""


class HeaderTag(Message):
    name: str = ""
    """Name of a request header."""
    default_value: str = ""
    """The tag's value where the header is absent."""


class FormatterTag(Message):
    value: str = ""
    """A text with access log operators, as `%REQ(:METHOD)%`."""


class CustomTag(Message):
    """oneof type."""

    literal: LiteralTag | None = None
    """A fixed value."""
    environment: EnvironmentTag | None = None
    """The value of an environment variable of the proxy."""
    header: HeaderTag | None = None
    """The value of a request header."""
    formatter: FormatterTag | None = None
    """The value of access log operators."""


class Tracing(Message):
    match: ModeMatch | None = None
    """Which traffic it is for."""
    providers: tuple[ProviderRef, ...] = ()
    """Where spans go; one at most."""
    random_sampling_percentage: float | None = None
    """Percent of the requests without a decision of their own that are traced."""
    disable_span_reporting: bool | None = None
    """Whether no span is sent; headers are passed on all the same."""
    custom_tags: dict[str, CustomTag] = {}
    """Tags of each span, by name."""
    use_request_id_for_trace_sampling: bool | None = None
    """Whether the request id decides on traces, and carries the decision; in Istio the default."""
    enable_istio_tags: bool | None = None
    """Whether spans have the tags istio.*; default true."""
    disable_context_propagation: bool | None = None
    """Whether no trace header is added to requests."""


class MetricSelector(Message):
    """oneof metric_match: metric, custom_metric."""

    metric: IstioMetric | None = None
    """One of Istio's metrics, or all of them."""
    custom_metric: str | None = None
    """A metric of another name."""
    mode: WorkloadMode = "CLIENT_AND_SERVER"
    """Whether it holds for outbound (CLIENT) or inbound (SERVER) traffic."""


class TagOverride(Message):
    operation: TagOperation = "UPSERT"
    """Whether the label is set or removed."""
    value: str = ""
    """A CEL expression: the label's value."""


class MetricsOverrides(Message):
    match: MetricSelector | None = None
    """Which metrics it is for; all of them where it is absent."""
    disabled: bool | None = None
    """Whether the metric is left out."""
    tag_overrides: dict[str, TagOverride] = {}
    """Labels to set or to remove, by name."""


class Metrics(Message):
    providers: tuple[ProviderRef, ...] = ()
    """Where metrics go; the default providers of MeshConfig where it is empty."""
    overrides: tuple[MetricsOverrides, ...] = ()
    """Changes to the metrics, in order."""
    reporting_interval: str = ""
    """How often TCP metrics are reported; default 5s."""


class AccessLogFilter(Message):
    expression: str = ""
    """A CEL expression; only requests for which it is true are logged."""


class AccessLogging(Message):
    match: ModeMatch | None = None
    """Which traffic it is for."""
    providers: tuple[ProviderRef, ...] = ()
    """Where logs go; the default providers of MeshConfig where it is empty."""
    disabled: bool | None = None
    """Whether nothing is logged."""
    filter: AccessLogFilter | None = None
    """Which requests are logged."""


class Telemetry(Message):
    """The workload's own rules win over its namespace's, and those over the root namespace's."""

    selector: WorkloadSelector | None = None
    """Labels of the workloads that obey; all of the namespace where it is absent, of the mesh in the root namespace."""
    target_ref: PolicyTargetReference | None = None
    """The older form of targetRefs."""
    target_refs: tuple[PolicyTargetReference, ...] = ()
    """Gateways of the Gateway API, or services, that obey."""
    tracing: tuple[Tracing, ...] = ()
    """Traces."""
    metrics: tuple[Metrics, ...] = ()
    """Metrics."""
    access_logging: tuple[AccessLogging, ...] = ()
    """Access logs."""
