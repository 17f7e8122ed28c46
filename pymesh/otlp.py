"""OTLP's messages, as far as the mesh speaks it: metrics and spans on their way from proxies to the control plane.

They are declared here and not imported from opentelemetry-proto, because xds-protos installs an old copy of the same
files over it. Enums are integers, as OTLP's JSON has them.

https://opentelemetry.io/docs/specs/otlp/, https://github.com/open-telemetry/opentelemetry-proto
"""

from typing import Any

from pymesh.protobuf_messages import build_messages

_MESSAGES = {
    "AnyValue": (
        *("string_value 1 ?string", "bool_value 2 ?bool", "int_value 3 ?int64", "double_value 4 ?double"),
        *("array_value 5 ?ArrayValue", "kvlist_value 6 ?KeyValueList", "bytes_value 7 ?bytes"),
    ),
    "ArrayValue": ("values 1 *AnyValue",),
    "KeyValueList": ("values 1 *KeyValue",),
    "KeyValue": ("key 1 string", "value 2 AnyValue"),
    "InstrumentationScope": ("name 1 string", "version 2 string"),
    "Resource": ("attributes 1 *KeyValue",),
    # traces
    "ExportTraceServiceRequest": ("resource_spans 1 *ResourceSpans",),
    "ResourceSpans": ("resource 1 Resource", "scope_spans 2 *ScopeSpans"),
    "ScopeSpans": ("scope 1 InstrumentationScope", "spans 2 *Span"),
    "Span": (
        *("trace_id 1 bytes", "span_id 2 bytes", "trace_state 3 string", "parent_span_id 4 bytes", "name 5 string"),
        *("kind 6 int32", "start_time_unix_nano 7 fixed64", "end_time_unix_nano 8 fixed64"),
        *("attributes 9 *KeyValue", "status 15 Status", "flags 16 fixed32"),
    ),
    "Status": ("message 2 string", "code 3 int32"),
    "ExportTraceServiceResponse": ("partial_success 1 ExportTracePartialSuccess",),
    "ExportTracePartialSuccess": ("rejected_spans 1 int64", "error_message 2 string"),
    # metrics
    "ExportMetricsServiceRequest": ("resource_metrics 1 *ResourceMetrics",),
    "ResourceMetrics": ("resource 1 Resource", "scope_metrics 2 *ScopeMetrics"),
    "ScopeMetrics": ("scope 1 InstrumentationScope", "metrics 2 *Metric"),
    "Metric": (
        *("name 1 string", "description 2 string", "unit 3 string"),
        *("gauge 5 ?Gauge", "sum 7 ?Sum", "histogram 9 ?Histogram"),
    ),
    "Gauge": ("data_points 1 *NumberDataPoint",),
    "Sum": ("data_points 1 *NumberDataPoint", "aggregation_temporality 2 int32", "is_monotonic 3 bool"),
    "Histogram": ("data_points 1 *HistogramDataPoint", "aggregation_temporality 2 int32"),
    "NumberDataPoint": (
        *("start_time_unix_nano 2 fixed64", "time_unix_nano 3 fixed64", "as_double 4 ?double"),
        *("as_int 6 ?sfixed64", "attributes 7 *KeyValue"),
    ),
    "HistogramDataPoint": (
        *("start_time_unix_nano 2 fixed64", "time_unix_nano 3 fixed64", "count 4 fixed64", "sum 5 double"),
        *("bucket_counts 6 *fixed64", "explicit_bounds 7 *double", "attributes 9 *KeyValue"),
    ),
    "ExportMetricsServiceResponse": ("partial_success 1 ExportMetricsPartialSuccess",),
    "ExportMetricsPartialSuccess": ("rejected_data_points 1 int64", "error_message 2 string"),
}

_CLASSES = build_messages("pymesh.otlp", _MESSAGES)

ExportMetricsServiceRequest: Any = _CLASSES["ExportMetricsServiceRequest"]
ExportMetricsServiceResponse: Any = _CLASSES["ExportMetricsServiceResponse"]
ExportTraceServiceRequest: Any = _CLASSES["ExportTraceServiceRequest"]
ExportTraceServiceResponse: Any = _CLASSES["ExportTraceServiceResponse"]
AnyValue: Any = _CLASSES["AnyValue"]
InstrumentationScope: Any = _CLASSES["InstrumentationScope"]
KeyValue: Any = _CLASSES["KeyValue"]
Resource: Any = _CLASSES["Resource"]
Span: Any = _CLASSES["Span"]
Status: Any = _CLASSES["Status"]

AGGREGATION_TEMPORALITY_CUMULATIVE = 2
SPAN_KIND_SERVER = 2
SPAN_KIND_CLIENT = 3
STATUS_CODE_UNSET = 0
STATUS_CODE_ERROR = 2
